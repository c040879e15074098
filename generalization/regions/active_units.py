"""Numbers of active hidden units."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from generalization.devices import SLOPES_PER_CHUNK, samples_at_once
from generalization.networks.fully_connected import FullyConnectedNetworks


@torch.no_grad()
def active_units(
    networks: FullyConnectedNetworks, inputs: Float[Tensor, "samples *features"]
) -> Int[Tensor, "networks samples hidden_layers"]:
    """Count the active units, φ'(z) ≠ 0, of every hidden layer at every input.

    A path from an input to a logit, through one unit of every hidden layer, is active if all of its
    units are. The number of active paths from one input to one logit is therefore the product of
    these counts over hidden layers (Daróczy 2020, §2).

    Returns:
        Counts, R × N × hidden layers.
    """
    chunks = inputs.flatten(1).split(samples_at_once(SLOPES_PER_CHUNK))
    return torch.cat([
        torch.cat([_chunk_counts(network, chunk) for chunk in chunks], dim=1)
        for network in networks
    ])


def _chunk_counts(
    network: FullyConnectedNetworks, activations: Float[Tensor, "samples features"]
) -> Int[Tensor, "1 samples hidden_layers"]:
    """Count the active units of a stack of one at a chunk of inputs."""
    active = []
    for layer in range(network.depth - 1):
        activations = network.phi.in_place(network.affine(layer, activations))
        active.append(network.phi.derivative(activations).count_nonzero(dim=-1))
    return torch.stack(active, dim=-1)
