"""Fisher–Rao norms: norms of the parameter vector in the metric of the Fisher information.

Parameters are the weights and biases of networks whose normalizations are folded into them.
"""

from jaxtyping import Float64
from torch import Tensor

from generalization.derivatives.directional_derivatives import directional_derivatives
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_weights
from generalization.networks.sharing import once
from generalization.networks.softmax import softmax
from generalization.samples import TrainInputs, TrainLabels, first_samples


@reads_weights
def fisher_rao_norm(
    networks: Networks, train_inputs: TrainInputs, *, train_samples: int = 1000
) -> Float64[Tensor, "networks _"]:
    """Squared Fisher–Rao norm ⟨w, F w⟩ at every training sample (Liang et al. 2019).

    For the Fisher information F it is the variance over classes k ~ σ of (J w)_k, where J w is the
    directional derivative of the logits along the parameters: one forward pass. Without biases and
    with ReLU, J w is L f for L layers, and the norm L² times the variance of the logits. Invariant
    to permuting units and to rescaling layers, with their biases, against each other.

    Returns:
        R × N numbers, in nats.
    """
    first = first_samples(train_samples, train_inputs)
    probabilities, along = once(_along_parameters, networks, *first)
    # Deviations from the likeliest class avoid cancellation where that class is almost certain.
    likeliest = probabilities.argmax(-1, keepdim=True)
    deviations = along - along.gather(-1, likeliest)
    mean = (probabilities * deviations).sum(-1)
    return (probabilities * deviations.square()).sum(-1) - mean.square()


@reads_weights
def empirical_fisher_rao_norm(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks _"]:
    """Squared Fisher–Rao norm ⟨w, ∇ℓ⟩² of the empirical Fisher information (Liang et al. 2019).

    ⟨w, ∇ℓ⟩ is ⟨σ, J w⟩ − (J w)_y, which is L (⟨σ, f⟩ − f_y) without biases. Invariances are those
    of ``fisher_rao_norm``.

    Returns:
        R × N numbers, in squared nats.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    probabilities, along = once(_along_parameters, networks, inputs)
    labels = labels.expand(along.shape[:2]).unsqueeze(-1)
    return (probabilities * (along - along.gather(-1, labels))).sum(-1).square()


def _along_parameters(
    networks: Networks, inputs: Tensor
) -> tuple[
    Float64[Tensor, "networks samples classes"], Float64[Tensor, "networks samples classes"]
]:
    """Return the probabilities and the derivative of the logits along the parameters."""
    if isinstance(networks, FullyConnectedNetworks) and networks.is_homogeneous:
        # Euler's theorem: the logits f are homogeneous of degree L, so that J w is L f.
        logits = once(logits_of, networks, inputs).double()
        return softmax(logits), networks.depth * logits
    logits, along = directional_derivatives(networks, inputs, None)
    return softmax(logits), along.double()
