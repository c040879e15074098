"""Spectral complexities: products of spectral norms times ranks of layers.

Conventions are those of ``norms``, except that complexities are not logarithms, since that of an
untrained network may be 0.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.measures.margins import Margins, training_gamma
from generalization.measures.norms import spectral_product_over_margin, stable_rank_sum
from generalization.networks.layer_weights import (
    Weights,
    frobenius_norms,
    layer_weights,
    matrices,
    spectral_norms_of,
    weight_changes,
)
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_weights
from generalization.samples import TrainInputs, TrainLabels


@reads_weights
def spectral_complexity_from_origin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    training_margin: Margins | None = None,
) -> Float64[Tensor, "networks"]:
    """Complexity Π_l ‖W_l‖₂² Σ_l (‖W_l‖_F² / ‖W_l‖₂²) / γ² (Pitas et al. 2017, "spec-orig").

    Invariant to rescaling layers against each other and to scaling the logits.

    Returns:
        R complexities.
    """
    product = spectral_product_over_margin(
        networks, train_inputs, train_labels, training_margin=training_margin
    )
    return product.exp() * stable_rank_sum(networks)


@reads_weights
def spectral_complexity_from_initialization(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    training_margin: Margins | None = None,
) -> Float64[Tensor, "networks"]:
    """Complexity Π_l ‖W_l‖₂² Σ_l (‖W_l − W_l⁰‖_F² / ‖W_l‖₂²) / γ² (Pitas et al. 2017, "spec-init").

    Not invariant to rescaling layers against each other, which moves them away from their
    initialization.

    Returns:
        R complexities.

    Raises:
        ValueError: If the two have weights of different shapes.
    """  # noqa: DOC502
    moved = frobenius_norms(weight_changes(networks, initial_networks, every_layer=True))
    ranks = (moved / spectral_norms_of(networks)).square().sum(1)
    product = spectral_product_over_margin(
        networks, train_inputs, train_labels, training_margin=training_margin
    )
    return product.exp() * ranks


@reads_weights
def bartlett_complexity(networks: Networks) -> Float64[Tensor, "networks"]:
    """Spectral complexity R with reference 0 (Bartlett et al. 2017, Eq. 1.2).

        R = Π_l ‖W_l‖₂ (Σ_l (‖W_lᵀ‖_{2,1} / ‖W_l‖₂)^{2/3})^{3/2}

    with ‖Wᵀ‖_{2,1} the sum of the norms of the rows of W, one per unit. Invariant to rescaling
    layers against each other.

    Returns:
        R complexities.
    """
    return _bartlett(networks, layer_weights(networks, every_layer=True))


@reads_weights
def bartlett_complexity_from_initialization(
    networks: Networks, initial_networks: Networks
) -> Float64[Tensor, "networks"]:
    """Spectral complexity with the initial weights as reference (Bartlett et al. 2017, Eq. 1.2).

    ‖(W_l − W_l⁰)ᵀ‖_{2,1} takes the place of ‖W_lᵀ‖_{2,1}.

    Returns:
        R complexities; 0 for untrained networks.

    Raises:
        ValueError: If the two have weights of different shapes.
    """  # noqa: DOC502
    return _bartlett(networks, weight_changes(networks, initial_networks, every_layer=True))


@reads_weights
def bartlett_complexity_over_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    training_margin: Margins | None = None,
) -> Float64[Tensor, "networks"]:
    """Bound R √(Σ_i ‖x_i‖²) / (γ m) over m training samples (Bartlett et al. 2017, Theorem 1.1).

    Invariant to rescaling layers against each other, to scaling the logits and, without biases, to
    scaling the inputs.

    Returns:
        R numbers.
    """
    gamma = training_gamma(networks, train_inputs, train_labels, training_margin)
    size = train_inputs.double().norm() / len(train_inputs)
    return bartlett_complexity(networks) * size / gamma


def _bartlett(networks: Networks, reference: Weights) -> Float64[Tensor, "networks"]:
    norms = spectral_norms_of(networks)
    rows = torch.stack([matrix.norm(dim=2).sum(1) for matrix in matrices(reference)], dim=1)
    return norms.log().sum(1).exp() * (rows / norms).pow(2 / 3).sum(1).pow(1.5)
