"""Boundaries on the plane through three images, beside the points of the plane as inputs."""

from itertools import pairwise

import torch
from timing import print_table, sgemm_rate, take_turns
from torch import Generator, nn
from transitions import WIDTHS, mnist, trained

from generalization.experiments.linear_regions.boundaries import (
    boundary_pixels,
    networks_on_plane,
    three_images,
)
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.trajectories import ellipses_through

GRID = 256


def ours(networks: FullyConnectedNetworks, images: torch.Tensor) -> torch.Tensor:
    return boundary_pixels(networks_on_plane(networks, images.flatten(1)), GRID)


def module(networks: FullyConnectedNetworks) -> nn.Sequential:
    """All that lies below the code of the last hidden layer."""
    layers = []
    for weight in networks.weights[:-1]:
        layers += [nn.Linear(*weight.shape[:0:-1], bias=False), nn.ReLU()]
        layers[-2].weight.data = weight[0]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def written_down(layers: nn.Module, images: torch.Tensor, batch: int) -> torch.Tensor:
    """All points in input space, through the module in batches, then the codes compared."""
    c, a, b = ellipses_through(images.flatten(1)[None])[0]
    along = torch.linspace(-1, 1, GRID)
    v, u = torch.cartesian_prod(-along, along).unbind(1)
    points = c + (u[:, None] * a + v[:, None] * b) / 0.8
    codes = torch.cat([layers(some) > 0 for some in points.split(batch)]).view(GRID, GRID, -1)
    found = torch.zeros(GRID, GRID, dtype=torch.bool)
    found[:, :-1] |= (codes[:, 1:] != codes[:, :-1]).any(2)
    found[:-1] |= (codes[1:] != codes[:-1]).any(2)
    return found


def main():
    limit = sgemm_rate()
    generator = Generator().manual_seed(0)
    inputs, labels = mnist(generator)
    networks = trained(inputs[:4000], labels[:4000], generator)
    images, layers = three_images(inputs, labels), module(networks)

    found, written = ours(networks, images), written_down(layers, images, GRID**2)
    double = ours(networks.to(torch.float64), images)
    print(f"{found.sum()} of {GRID**2} pixels are on boundaries; ", end="")
    print(f"{(found != double).sum()} are other ones in float64, ", end="")
    print(f"{(written != double).sum()} if points are inputs")
    if (written != double).sum() > GRID:
        raise SystemExit("Both ways must find the same boundaries, but for rounding.")

    variants = {"ours": lambda: ours(networks, images)}
    for batch in (256, 4096, GRID**2):
        variants[f"inputs, batches of {batch}"] = lambda batch=batch: written_down(
            layers, images, batch
        )
    print_table(
        f"A square of {GRID} x {GRID} pixels",
        take_turns(variants),
        ours="ours",
        flops=2 * GRID**2 * sum(a * b for a, b in pairwise(WIDTHS[1:-1])),
        limit=max(limit, sgemm_rate()),
    )


if __name__ == "__main__":
    main()
