"""Fisher–Rao norms: lengths of the parameters as the Fisher information measures them.

Parameters are the weights and biases of networks whose normalizations are folded into them.
"""

from jaxtyping import Float64
from torch import Tensor

from generalization.derivatives.directional_derivatives import (
    directional_derivatives,
    layer_parameters,
)
from generalization.networks.modules import Networks
from generalization.samples import TrainInputs, TrainLabels, first_samples


def fisher_rao_norm(
    networks: Networks, train_inputs: TrainInputs, *, train_samples: int = 1000
) -> Float64[Tensor, "networks _"]:
    """Squared Fisher–Rao norm ⟨w, F w⟩ at every training point (Liang et al. 2019).

    With F the Fisher information that is the variance over classes k ~ σ of (J w)_k, J w being the
    derivative of the logits along the parameters: one forward pass. Without biases J w is L f for
    piecewise-linear activations that pass through 0, L the number of layers, hence L² times the
    variance of the logits. Then rescaling layers against each other changes nothing, and with
    biases nothing either if they are rescaled along.

    Returns:
        R × N numbers, in nats.
    """
    probabilities, along = _along_parameters(networks, *first_samples(train_samples, train_inputs))
    # Deviations from the likeliest class: nothing cancels where it is certain.
    likeliest = probabilities.argmax(-1, keepdim=True)
    deviations = along - along.gather(-1, likeliest)
    mean = (probabilities * deviations).sum(-1)
    return (probabilities * deviations.square()).sum(-1) - mean.square()


def empirical_fisher_rao_norm(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks _"]:
    """Squared Fisher–Rao norm ⟨w, ∇ℓ⟩² of the empirical Fisher information (Liang et al. 2019).

    ⟨w, ∇ℓ⟩ is ⟨σ, J w⟩ − (J w)_y; without biases it is L (⟨σ, f⟩ − f_y). Invariances are those of
    ``fisher_rao_norm``.

    Returns:
        R × N numbers, in squared nats.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    probabilities, along = _along_parameters(networks, inputs)
    labels = labels.expand(along.shape[:2]).unsqueeze(-1)
    return (probabilities * (along - along.gather(-1, labels))).sum(-1).square()


def _along_parameters(
    networks: Networks, inputs: Tensor
) -> tuple[
    Float64[Tensor, "networks samples classes"], Float64[Tensor, "networks samples classes"]
]:
    """Probabilities, and the derivative of the logits along the parameters."""
    logits, along = directional_derivatives(networks, inputs, layer_parameters(networks))
    return logits.double().softmax(-1), along.double()
