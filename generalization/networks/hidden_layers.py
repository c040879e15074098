"""What hidden layers make of inputs: one way into stacks and into modules."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.linearized_layers import ELEMENTWISE, layers_of
from generalization.networks.modules import Networks, evaluation_mode
from generalization.networks.sequences import sequence_of

# After each of these a hidden layer ends.
ACTIVATIONS = (*ELEMENTWISE, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.ELU, nn.GELU, nn.SiLU)


@torch.no_grad()
def hidden_activations(
    networks: Networks, inputs: Float[Tensor, "samples *features"]
) -> list[Float[Tensor, "networks samples _units"]]:
    """Activations of every hidden layer, after the activation function and in eval mode.

    Args:
        networks: A stack, or an ``nn.Sequential``, of which a hidden layer ends with each
            activation function. Those of a convolution are flattened.
        inputs: One batch for all networks, in the dtype of the weights.

    Returns:
        One tensor per hidden layer.
    """
    if isinstance(networks, FullyConnectedNetworks):
        preactivations = networks.preactivations(inputs)[:-1]
        return [networks.phi.in_place(layer) for layer in preactivations]
    of_members = [module_activations(module, inputs) for module in members_of(networks)]
    return [torch.stack(layer) for layer in zip(*of_members, strict=True)]


def module_activations(
    module: nn.Module, inputs: Float[Tensor, "samples *features"]
) -> list[Float[Tensor, "samples _units"]]:
    """The same of one module, with its graph."""
    values, found = inputs, []
    with evaluation_mode(module):
        for layer in layers_of(module):
            values = layer(values)
            if isinstance(layer, ACTIVATIONS):
                found.append(values.flatten(1))
    return found


def members_of(networks: Networks) -> Iterable[nn.Module]:
    """Networks one after the other, as modules: a module is one."""
    return [networks] if isinstance(networks, nn.Module) else map(sequence_of, networks)
