"""Takeuchi's information criterion, approximated by traces or by diagonals of its matrices.

C = E g gᵀ is the second moment of the per-sample gradients of the training loss, H the Gauss–Newton
matrix. The criterion itself, tr(C H⁻¹), is not informative for overparametrized networks: where the
gradients of N samples are linearly independent, as with more than N (K − 1) parameters, tr(C H⁺)
over these samples is Σ_i (1 − σ_y) / σ_y, a function of the probabilities only.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.derivatives.gradient_factors import fisher_moments, loss_moments
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_weights
from generalization.networks.sharing import once
from generalization.samples import TrainInputs, TrainLabels, first_samples


@reads_weights
def tic_of_traces(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Ratio tr C / tr H of Takeuchi's information criterion (Thomas et al. 2020).

    Returns:
        R ratios, in nats.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    squares = once(loss_moments, networks, inputs, labels).squares
    return squares.mean(1) / once(fisher_moments, networks, inputs).traces.mean(1)


@reads_weights
def tic_of_diagonals(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Sum Σ_p C_pp / H_pp over parameters: Takeuchi's criterion with diagonal matrices.

    Parameters that do not affect the logits have C_pp = H_pp = 0 and are omitted. Invariant to
    rescaling units against the next layer.

    Returns:
        R sums, in nats.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    seconds = once(loss_moments, networks, inputs, labels).diagonal
    curvatures = once(fisher_moments, networks, inputs).diagonal
    of_layers = [
        (c / h).where(h > 0, 0.0).sum((1, 2)) for c, h in zip(seconds, curvatures, strict=True)
    ]
    return torch.stack(of_layers).sum(0)
