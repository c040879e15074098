"""All numbers of directions in one pass beside one forward pass from the input for each of them."""

from itertools import pairwise

import torch
from timing import print_table, sgemm_rate, take_turns
from torch import Generator

from generalization.experiments.similarity.projection_accuracy import ranks
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.layer_activations import layer_activations
from generalization.units.directions import principal_directions
from generalization.units.projections import projected_logits

WIDTHS, SAMPLES = (784, 500, 500, 500, 500, 10), 1000


@torch.no_grad()
def from_the_input(network, inputs, layer, mean, basis, grid):
    """Logits at every rank, as hooks on a module would give them."""
    logits = []
    for rank in grid:
        a = inputs
        for below in range(network.depth):
            a = network.affine(below, a)[0]
            a = torch.relu(a) if below < network.depth - 1 else a
            if below == layer:
                a = mean + (a - mean) @ basis[:, :rank] @ basis[:, :rank].mT
        logits.append(a)
    return torch.stack(logits)


@torch.no_grad()
def from_the_layer(network, recorded, layer, mean, basis, grid):
    """The same, of activations that were recorded once."""
    return projected_logits(network, layer, recorded[layer][0], mean, basis, grid)


def flops(layer: int, grid: list[int]) -> float:
    """Products with the basis and with the layer above, and the layers above at every rank."""
    units, above = WIDTHS[layer + 1], WIDTHS[layer + 2 :]
    basis = units * units * SAMPLES + (units * above[0] * (units + SAMPLES) if above else 0)
    layers = sum(a * b for a, b in pairwise(above))
    return 2.0 * (basis + len(grid) * SAMPLES * layers)


def main():
    limit = sgemm_rate()
    network = initialize_fully_connected(WIDTHS, "relu", [Generator().manual_seed(0)])
    inputs = torch.randn(SAMPLES, WIDTHS[0], generator=Generator().manual_seed(1))
    recorded = layer_activations(network, inputs)
    for layer in (0, 1, 3):
        activations = recorded[layer][0]
        mean, basis = activations.mean(0), principal_directions(activations).float()
        grid = ranks(activations.shape[1])
        given = (layer, mean, basis, grid)
        ours, slow = (
            from_the_layer(network, recorded, *given),
            from_the_input(network, inputs, *given),
        )
        off = (ours - slow).abs().max() / slow.abs().max()
        print(f"\nLargest difference over the largest logit: {off:.1e}")
        seconds = take_turns({
            "from the layer, all ranks at once": lambda g=given: from_the_layer(
                network, recorded, *g
            ),
            "from the input, rank by rank": lambda g=given: from_the_input(network, inputs, *g),
        })
        print_table(
            f"Layer {layer} of {len(WIDTHS) - 1}, {SAMPLES} inputs, {len(grid)} ranks",
            seconds,
            ours="from the layer, all ranks at once",
            flops=flops(layer, grid),
            limit=max(limit, sgemm_rate()),
        )


if __name__ == "__main__":
    main()
