"""Layers of units, neurons or feature maps, in the middle of networks."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from generalization.errors import InputError
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.linearized_layers import ELEMENTWISE, layers_of
from generalization.networks.modules import (
    SAMPLES_PER_CHUNK,
    Networks,
    evaluation_mode,
)
from generalization.networks.sequences import sequence_of

ACTIVATIONS = (*ELEMENTWISE, nn.Tanh, nn.Sigmoid, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus)


def sequences_of(networks: Networks) -> list[nn.Module]:
    """Every network as a module: those of a stack become sequences of layers."""
    if isinstance(networks, nn.Module):
        return [networks]
    return [sequence_of(network) for network in networks]


def pieces_of(module: nn.Module) -> list[nn.Sequential]:
    """A sequence of layers, cut behind every activation function.

    Args:
        module: A sequence of layers; sequences may hold sequences.

    Returns:
        Maps one after the other: from inputs to the units of the first hidden layer, from these to
        those of the next, and from the last ones to logits. Units are the second axis: neurons, or
        feature maps with two axes of positions behind.

    Raises:
        InputError: If there is no hidden layer to be seen.
    """
    pieces: list[list[nn.Module]] = [[]]
    for layer in layers_of(module):
        pieces[-1].append(layer)
        if isinstance(layer, ACTIVATIONS):
            pieces.append([])
    if len(pieces) == 1:
        raise InputError(
            "networks must be sequences of layers with activation functions among them, "
            f"not {type(module).__name__} without."
        )
    return [nn.Sequential(*piece) for piece in pieces]


def unit_activations(
    networks: Networks, inputs: Float[Tensor, "samples *features"]
) -> list[Float[Tensor, "networks samples units"]]:
    """Activations of the units of every hidden layer; of a feature map, its mean over positions.

    Args:
        networks: A stack of R networks, or a module as ``pieces_of`` takes it.
        inputs: N points, in the dtype of the weights.

    Returns:
        One tensor per hidden layer, from the first to the last.
    """
    if isinstance(networks, FullyConnectedNetworks):
        return hidden_activations(networks, inputs)
    of_networks = [_means_over_positions(module, inputs) for module in sequences_of(networks)]
    return [torch.stack(layer) for layer in zip(*of_networks, strict=True)]


@torch.no_grad()
def hidden_activations(
    networks: FullyConnectedNetworks, inputs: Float[Tensor, "samples *features"]
) -> list[Float[Tensor, "networks samples units"]]:
    """Activations of every hidden layer, after normalization."""
    folded, activations, layers = networks.folded(), inputs.flatten(1), []
    for layer in range(networks.depth - 1):
        activations = networks.phi.in_place(folded.affine(layer, activations))
        layers.append(activations)
    return layers


@torch.no_grad()
def _means_over_positions(
    module: nn.Module, inputs: Float[Tensor, "samples *features"]
) -> list[Float[Tensor, "samples units"]]:
    *pieces, _ = pieces_of(module)
    chunks = []
    with evaluation_mode(module):
        for values in inputs.split(SAMPLES_PER_CHUNK):
            chunks.append([])
            for piece in pieces:
                values = piece(values.clone())  # A layer may work in place.
                chunks[-1].append(values.flatten(2).mean(2) if values.dim() > 2 else values)
    return [torch.cat(layer) for layer in zip(*chunks, strict=True)]
