"""Orders of ablation of units of several layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int64
from torch import Tensor

ALL = slice(None)


@dataclass(frozen=True, eq=False)
class UnitOrder:
    """Order of ablation of units of some hidden layers, and counts at which to evaluate.

    Attributes:
        units: Indices of the units in the order of ablation, counted through the chosen layers.
        counts: Ascending numbers of units to ablate, from the beginning of the order.
        widths: Number of units of every hidden layer.
        layers: Ascending indices of the chosen layers.
    """

    units: Int64[Tensor, "units"]
    counts: tuple[int, ...]
    widths: tuple[int, ...]
    layers: tuple[int, ...]

    @property
    def lowest(self) -> int:
        """Index of the lowest layer with ablated units."""
        return self.layers[0]

    def within(self, layer: int) -> Int64[Tensor, "units_of_layer"] | slice:
        """Return the order of ablation within a layer; all units if none is ablated."""
        if layer not in self.layers:
            return ALL
        numbers = self._numbers[layer]
        return self.units[self._masks[layer]] - numbers.start

    @cached_property
    def cuts(self) -> list[tuple[int, ...]]:
        """Return, for every count, the number of ablated units in each layer.

        Layers are those from the lowest chosen one up, with 0 for the logits.
        """
        above = range(self.lowest, len(self.widths) + 1)
        ablated = [
            self._masks[layer].cumsum(0) if layer in self.layers else 0 * self.units
            for layer in above
        ]
        return [
            tuple(int(of_layer[count - 1]) if count else 0 for of_layer in ablated)
            for count in self.counts
        ]

    @cached_property
    def _numbers(self) -> dict[int, range]:
        """Indices of the units of each layer."""
        first, numbers = 0, {}
        for layer in self.layers:
            numbers[layer] = range(first, first + self.widths[layer])
            first += self.widths[layer]
        return numbers

    @cached_property
    def _masks(self) -> dict[int, Tensor]:
        """Masks of the units of each layer."""
        return {
            layer: (self.units >= numbers.start) & (self.units < numbers.stop)
            for layer, numbers in self._numbers.items()
        }


def random_orders(
    widths: Sequence[int],
    layers: Sequence[int],
    counts: Sequence[int],
    orders: int,
    generator: torch.Generator,
) -> list[UnitOrder]:
    """Draw independent random orders of all units of some layers.

    Args:
        layers: Ascending indices of the hidden layers.
        counts: Numbers of units to ablate.
        orders: Number of orders.
        generator: Source of the orders, on the CPU, so that they do not depend on the device.
    """
    units = sum(widths[layer] for layer in layers)
    drawn = torch.rand(orders, units, generator=generator, dtype=torch.float64).argsort(1)
    return [UnitOrder(order, tuple(counts), tuple(widths), tuple(layers)) for order in drawn]


def each_alone(widths: Sequence[int], layer: int) -> list[UnitOrder]:
    """Return one order per unit of a layer, which begins with that unit."""
    units = torch.arange(widths[layer])
    return [
        UnitOrder(units.roll(-unit), (1,), tuple(widths), (layer,)) for unit in range(len(units))
    ]


def equidistant_counts(units: int, increments: int) -> list[int]:
    """Return equidistant numbers of units from none to all, rounded, without repetitions.

    Args:
        units: Number of units.
        increments: Number of increments.
    """
    counts = torch.linspace(0, units, increments + 1, dtype=torch.float64).round().long()
    return counts.unique().tolist()
