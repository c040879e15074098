"""Orders in which units of several layers are ablated."""

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
    """Order in which units of hidden layers are ablated, and counts at which to evaluate.

    Attributes:
        units: Of the chosen layers, numbered from 0 through them, from the lowest layer on.
        counts: How many of the first units are ablated at once; ascending.
        widths: Units of every hidden layer.
        layers: The chosen ones, counted from 0; ascending.
    """

    units: Int64[Tensor, "units"]
    counts: tuple[int, ...]
    widths: tuple[int, ...]
    layers: tuple[int, ...]

    @property
    def lowest(self) -> int:
        """The lowest layer with ablated units."""
        return self.layers[0]

    def within(self, layer: int) -> Int64[Tensor, "units_of_layer"] | slice:
        """Return the order in which units of a layer are ablated; all units if none is."""
        if layer not in self.layers:
            return ALL
        numbers = self._numbers[layer]
        return self.units[self._masks[layer]] - numbers.start

    @cached_property
    def cuts(self) -> list[tuple[int, ...]]:
        """For every count, how many units of each layer are ablated.

        Layers are those from the lowest chosen one on, and 0 for the logits.
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
        """Numbers of the units of each of the layers."""
        first, numbers = 0, {}
        for layer in self.layers:
            numbers[layer] = range(first, first + self.widths[layer])
            first += self.widths[layer]
        return numbers

    @cached_property
    def _masks(self) -> dict[int, Tensor]:
        """Masks of the units of each of the layers."""
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
    """Independent random orders of all units of some layers.

    Args:
        layers: The chosen ones, counted from 0; ascending.
        counts: How many units are ablated at once.
        orders: How many.
        generator: On the CPU, so that orders are the same on every device.
    """
    units = sum(widths[layer] for layer in layers)
    drawn = torch.rand(orders, units, generator=generator, dtype=torch.float64).argsort(1)
    return [UnitOrder(order, tuple(counts), tuple(widths), tuple(layers)) for order in drawn]


def each_alone(widths: Sequence[int], layer: int) -> list[UnitOrder]:
    """Orders of which the first units are all units of a layer, one after the other."""
    units = torch.arange(widths[layer])
    return [
        UnitOrder(units.roll(-unit), (1,), tuple(widths), (layer,)) for unit in range(len(units))
    ]


def equidistant_counts(units: int, increments: int) -> list[int]:
    """Numbers of units at equal distances from none to all, rounded, each once.

    Args:
        units: How many there are.
        increments: Number of distances.
    """
    counts = torch.linspace(0, units, increments + 1, dtype=torch.float64).round().long()
    return counts.unique().tolist()
