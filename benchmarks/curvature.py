"""Exact curvature beside what samples give, on a network trained to 100 % on real images."""

import torch
from timing import print_table, sgemm_rate, take_turns
from torch import Generator
from torch.func import jacrev, vmap
from transitions import WIDTHS, mnist, trained

from generalization.measures.curvature import curvature
from generalization.measures.transitions import transitions, transitions_per_layer
from generalization.regions.trajectories import equidistant_points, translation_loops

POWERS = (8, 10, 12)
BLOCK = 64  # points whose Jacobians, 10 × 784 each, are held at a time


def sampled_curvature(networks, image, points: int) -> float:
    """Σ ‖f'(z_{i+1}) − f'(z_i)‖_F over equidistant points, with ``vmap(jacrev)``."""
    jacobians = vmap(jacrev(lambda point: networks.logits(point.unsqueeze(0))[0, 0]))
    return _sum_of_changes(jacobians, image, points)


def chained_curvature(networks, image, points: int) -> float:
    """The same, with the chain rule written out for ReLU: no graph is kept, nothing is wasted."""
    first, *others = (weight[0] for weight in networks.weights)

    def jacobians(points):
        activations, slopes = points, []
        for weight in (first, *others[:-1]):
            activations = torch.relu(activations @ weight.T)
            slopes.append(activations.sign().unsqueeze(1))
        rows = others[-1] * slopes[-1]
        for weight, slope in zip(others[-2::-1], slopes[-2::-1], strict=True):
            rows = (rows @ weight) * slope
        return rows @ first

    return _sum_of_changes(jacobians, image, points)


def _sum_of_changes(jacobians, image, points: int) -> float:
    loop, total = translation_loops(image), 0.0
    for begin in range(0, points, BLOCK):
        end = min(begin + BLOCK, points) + 1
        block = jacobians(equidistant_points(loop, points, begin, end)[0].flatten(1))
        total += block.diff(dim=0).flatten(1).norm(dim=1).sum().item()
    return total


def flops_per_loop(networks, loops) -> float:
    """A forward pass for every region, and a row and a column through the layers."""
    added = transitions_per_layer(networks, loops)[0].mean(dim=0).tolist()
    units, classes, hidden = WIDTHS[1], WIDTHS[-1], len(WIDTHS) - 2
    breakpoints, flops = 28.0, 2 * 28.0 * WIDTHS[0] * units * 2
    for layer, new in enumerate(added):
        if layer:
            flops += 2 * breakpoints * units**2  # to find the crossings
        breakpoints += new
        squares = (hidden - 1) + layer + (hidden - 2 - layer if layer < hidden - 1 else 0)
        last = classes * units * (1 + (layer < hidden - 1))
        flops += 2 * new * (squares * units**2 + last)
    return flops


def main():
    limit = sgemm_rate()
    generator = Generator().manual_seed(0)
    images, labels = mnist(generator)
    networks = trained(images[:4000], labels[:4000], generator)

    loops = images[4000:4032]
    single = curvature(networks, loops)[0]
    exact = curvature(networks, loops, dtype=torch.float64)[0]
    typical = (exact - exact.mean()).abs().argmin()
    image, value = loops[typical, None], exact[typical].item()
    print(f"{exact.mean():.6g} on average over {len(loops)} loops, of which float32", end=" ")
    print(f"differs from float64 by at most {((single - exact) / exact).abs().max():.1e}")

    # One loop is sampled; the exact sums take all of them, as in a study, and are divided.
    variants = {
        "exact, float32": lambda: curvature(networks, loops),
        "exact, float64": lambda: curvature(networks, loops, dtype=torch.float64),
        "exact transitions, float32": lambda: transitions(networks, loops),
    }
    for power in POWERS:
        points = 2**power
        variants[f"2^{power} points, vmap(jacrev)"] = lambda points=points: sampled_curvature(
            networks, image, points
        )
        variants[f"2^{power} points, chain rule"] = lambda points=points: chained_curvature(
            networks, image, points
        )
    seconds = take_turns(variants, repeats=3, warmups=0)
    seconds |= {name: seconds[name] / len(loops) for name in seconds if "exact" in name}
    print_table(
        "A loop of 28 translations",
        seconds,
        ours="exact, float32",
        flops=flops_per_loop(networks, loops),
        limit=max(limit, sgemm_rate()),
    )

    print(f"\nOf the {value:.6g} of the sampled loop, samples in float64 see")
    double, double_image = networks.to(torch.float64), image.double()
    for power in (*POWERS, 14, 16):
        seen = chained_curvature(double, double_image, 2**power)
        print(f"  2^{power} points   {seen:10.6g}   {seen / value:7.2%}")
        if seen > value * (1 + 1e-9):
            raise SystemExit(f"Samples must see at most {value}, not {seen}.")


if __name__ == "__main__":
    main()
