"""Activations of every layer of a stack, the logits included."""

from jaxtyping import Float
from torch import Tensor

from generalization.errors import InputError
from generalization.networks.hidden_layers import hidden_activations
from generalization.networks.module_networks import ModuleNetworks
from generalization.networks.stacked_networks import StackedNetworks


def layer_activations(
    networks: StackedNetworks,
    inputs: Float[Tensor, "samples *features"],
    *,
    kind: str = "activations",
) -> list[Float[Tensor, "networks samples *units"]]:
    """Compute the activations of every layer for a batch of inputs.

    Those of a convolution have the axes channels, height and width, before any pooling: they are
    the units that are normalized, activated and dropped.

    Those of a foreign architecture are what its activation functions return, in their order, and
    the logits.

    Args:
        networks: A stack of networks.
        kind: ``activations`` (after the activation function; for the last layer, the logits) or
            ``preactivations``.

    Returns:
        One tensor per weight layer.

    Raises:
        InputError: If the layers of a foreign architecture are not known.
    """
    if isinstance(networks, ModuleNetworks):
        if kind != "activations":
            raise InputError(
                f"kind must be 'activations' for {networks.architecture}, whose preactivations are "
                f"not known, not {kind!r}."
            )
        return [*hidden_activations(networks, inputs), networks.logits(inputs)]
    layers = networks.preactivations(inputs)
    if kind == "preactivations":
        return layers
    return [*(networks.phi.function(layer) for layer in layers[:-1]), layers[-1]]
