"""Curves of ablation, and single units, ours beside a forward pass from the inputs for each.

The peer is what one writes first: hooks behind activation functions set units of a module to zero,
for every order and fraction, and the module classifies all images anew.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from timing import print_table, sgemm_rate, take_turns
from torch import Tensor, nn

from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.networks.sequences import sequence_of
from generalization.units.ablations import ablated_accuracies
from generalization.units.single_ablations import accuracies_without
from generalization.units.unit_orders import (
    UnitOrder,
    each_alone,
    equidistant_counts,
    random_orders,
)

IMAGES, ORDERS, FRACTIONS = 1000, 10, 20


@torch.inference_mode()
def by_hooks(module: nn.Sequential, inputs: Tensor, labels: Tensor, orders: list[UnitOrder]):
    """Accuracies, orders × counts, of one network."""
    layers = [layer for layer in module if isinstance(layer, nn.ReLU)]
    begins = [sum(orders[0].widths[layer] for layer in orders[0].layers[:i]) for i in range(9)]
    kept: dict[nn.Module, Tensor] = {}
    hooks = [
        layer.register_forward_hook(
            lambda layer, _, out: out * kept[layer] if layer in kept else None
        )
        for layer in layers
    ]
    accuracies = []
    for order in orders:
        for count in order.counts:
            mask = torch.ones(len(order.units))
            mask[order.units[:count]] = 0
            for place, layer in enumerate(order.layers):
                width = order.widths[layer]
                kept[layers[layer]] = mask[begins[place] : begins[place] + width]
            accuracies.append((module(inputs).argmax(-1) == labels).double().mean())
    for hook in hooks:
        hook.remove()
    return torch.stack(accuracies).view(len(orders), -1)


def flops_of_curves(networks: FullyConnectedNetworks, orders: list[UnitOrder]) -> float:
    """Of products: inputs once; for each order the lowest layer once, above what is left.

    Orders begin with no unit ablated, which all have in common.
    """
    widths = networks.widths
    forward = sum(fan_in * fan_out for fan_in, fan_out in pairwise(widths))
    total = float(forward)
    for order in orders:
        lowest = order.lowest + 1
        total += (widths[lowest] - order.cuts[1][0]) * widths[lowest + 1]
        for cut in order.cuts[1:]:
            left = [width - ablated for width, ablated in zip(widths[lowest:], cut, strict=True)]
            total += sum(below * above for below, above in pairwise(left[1:]))
    return 2 * IMAGES * len(networks) * total


def flops_of_single_units(networks: FullyConnectedNetworks) -> float:
    """Of products: inputs once for each layer; for every unit those above the next layer.

    Half of the samples activate a unit before training.
    """
    steps = [fan_in * fan_out for fan_in, fan_out in pairwise(networks.widths)]
    total = sum(
        sum(steps[: layer + 1]) + networks.widths[layer] * sum(steps[layer + 1 :]) / 2
        for layer in range(1, networks.depth)
    )
    return 2 * IMAGES * len(networks) * total


def compare(
    title: str,
    networks: FullyConnectedNetworks,
    ours: Callable[[Tensor, Tensor], list[Tensor]],
    orders: list[list[UnitOrder]],
    flops: float,
) -> None:
    """Ours, of inputs and labels, and hooks for the same orders."""
    inputs = torch.randn(IMAGES, networks.widths[0], generator=torch.Generator().manual_seed(1))
    labels = networks.logits(inputs)[0].argmax(-1)
    modules = [sequence_of(network) for network in networks]

    def peer() -> list[Tensor]:
        of_each = [
            [by_hooks(module, inputs, labels, some) for module in modules] for some in orders
        ]
        return [torch.stack(of_networks) for of_networks in of_each]

    both = zip(ours(inputs, labels), peer(), strict=True)
    off = max((one - other.view_as(one)).abs().max().item() for one, other in both)
    variants = {"ours": lambda: ours(inputs, labels), "a forward pass per ablation": peer}
    seconds = take_turns(variants, repeats=3, warmups=0)
    print_table(title, seconds, ours="ours", flops=flops, limit=sgemm_rate())
    print(f"  largest difference of accuracies: {off:.1e}")


def compare_all(widths: tuple[int, ...], count: int) -> None:
    generators = [torch.Generator().manual_seed(seed) for seed in range(count)]
    networks = initialize_fully_connected(widths, "relu", generators, biases=True)
    hidden, generator = widths[1:-1], torch.Generator().manual_seed(2)
    name = f"{count} networks {'-'.join(map(str, widths))}, {IMAGES} images, one thread"

    def drawn(layers):
        counts = equidistant_counts(sum(hidden[layer] for layer in layers), FRACTIONS)
        return random_orders(hidden, layers, counts, ORDERS, generator)

    chosen = {
        "All hidden layers": [drawn(range(len(hidden)))],
        "Every layer by itself": [drawn((layer,)) for layer in range(len(hidden))],
    }
    for what, parts in chosen.items():
        compare(
            f"{what}, {ORDERS} orders x {FRACTIONS + 1} fractions, {name}",
            networks,
            lambda x, y, parts=parts: [ablated_accuracies(networks, x, y, one) for one in parts],
            parts,
            sum(flops_of_curves(networks, orders) for orders in parts),
        )
    layers = range(len(hidden))
    compare(
        f"Every unit by itself, {sum(hidden)} units, {name}",
        networks,
        lambda x, y: [
            accuracies_without(networks, x, y, widths=hidden, layer=layer) for layer in layers
        ],
        [each_alone(hidden, layer) for layer in layers],
        flops_of_single_units(networks),
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    compare_all((784, 100, 100, 10), 3)
    compare_all((784, 200, 200, 200, 10), 1)
    compare_all((3072, 200, 200, 10), 1)
