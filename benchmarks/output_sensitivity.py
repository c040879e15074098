"""Output sensitivity: a stack beside the ordinary loop over modules, points and draws as they come.

The loop is what the authors' code does: for every network, batches of test points go through it
twice, once with noise of their own.
"""

from itertools import pairwise

import torch
from timing import print_table, sgemm_rate, take_turns
from torch import Tensor, nn

from generalization.measures.output_sensitivity import output_sensitivity
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.networks.sequences import sequence_of
from generalization.randomness import generator_for

NETWORKS, POINTS, NOISE = 10, 10_000, 0.1
BATCH = 128


@torch.no_grad()
def by_loop(modules: list[nn.Module], inputs: Tensor, draws: int) -> Tensor:
    """Var[mean_k f_k(x + ε) − f_k(x)] of every module."""
    values = []
    for module in modules:
        changes = [
            (module(batch + NOISE * torch.randn_like(batch)) - module(batch)).mean(1)
            for _ in range(draws)
            for batch in inputs.split(BATCH)
        ]
        values.append(torch.cat(changes).var(correction=0))
    return torch.stack(values)


def stack_of(widths: tuple[int, ...]) -> FullyConnectedNetworks:
    generators = [generator_for("network", seed) for seed in range(NETWORKS)]
    return initialize_fully_connected(widths, "relu", generators)


def compare(widths: tuple[int, ...], draws: int) -> None:
    networks, inputs = stack_of(widths), torch.randn(POINTS, widths[0])
    modules, deviations = [sequence_of(one) for one in networks], torch.ones(POINTS).double()

    def ours() -> Tensor:
        generator = generator_for("noise")
        return output_sensitivity(
            networks, inputs, deviations, generator, pixel_noise_std=NOISE, draws=draws
        )

    seconds = take_turns(
        {"ours": ours, "loop over modules": lambda: by_loop(modules, inputs, draws)}, repeats=3
    )
    difference = (ours() / by_loop(modules, inputs, draws) - 1).abs().max()
    forward = 2 * NETWORKS * POINTS * sum(fans[0] * fans[1] for fans in pairwise(widths))
    print_table(
        f"{NETWORKS} networks {'-'.join(map(str, widths))}, {POINTS} points, {draws} draws, one "
        f"thread; they differ by at most {difference:.1%}, as their noise does",
        seconds,
        ours="ours",
        flops=(1 + draws) * forward,
        limit=sgemm_rate(),
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    compare((784, 100, 100, 10), draws=1)
    compare((784, 100, 100, 10), draws=8)
    compare((784, 200, 200, 200, 200, 10), draws=1)
    compare((3072, 200, 200, 200, 200, 10), draws=1)
