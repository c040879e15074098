"""Arcs of ellipses."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import torch
from jaxtyping import Float64, Int
from torch import Tensor

# Indices of arcs, and the angles on them at which a unit crosses a threshold.
CrossedArcs = tuple[Int[Tensor, "crossings"], Float64[Tensor, "crossings"]]


@dataclass(frozen=True)
class Arcs:
    """Arcs of ellipses, in any order.

    Attributes:
        curve: Index of the ellipse of each arc.
        begin: Angle at which each arc begins.
        end: Angle at which each arc ends, larger than ``begin``.
    """

    curve: Int[Tensor, "arcs"]
    begin: Float64[Tensor, "arcs"]
    end: Float64[Tensor, "arcs"]

    def __getitem__(self, chosen: Tensor) -> Arcs:
        return Arcs(self.curve[chosen], self.begin[chosen], self.end[chosen])

    @property
    def middle(self) -> Float64[Tensor, "arcs"]:
        """Angle halfway between begin and end."""
        return (self.begin + self.end) / 2


def quarters(curves: int, device: torch.device) -> Arcs:
    """Return the quarters of every ellipse; shorter than half an ellipse, as crossings require.

    Args:
        curves: Number of ellipses.
        device: Device of the arcs.
    """
    angles = torch.linspace(0, 2 * pi, 5, dtype=torch.float64, device=device)
    curve = torch.arange(curves, device=device).repeat_interleave(4)
    return Arcs(curve, angles[:-1].repeat(curves), angles[1:].repeat(curves))


def divided(
    arcs: Arcs, arc: Int[Tensor, "crossings"], angle: Float64[Tensor, "crossings"]
) -> tuple[Int[Tensor, "parts"], Arcs]:
    """Divide arcs at angles.

    Args:
        arcs: Arcs to divide.
        arc: Index of the arc to divide, for each angle.
        angle: Angles between the begin and the end of their arcs, in any order.

    Returns:
        Index of the arc that each part comes from, and the nonempty parts.
    """
    parent = torch.cat((torch.arange(len(arcs.curve), device=arc.device), arc))
    begin = torch.cat((arcs.begin, angle))
    order = begin.argsort(stable=True)
    order = order[parent[order].argsort(stable=True)]
    parent, begin = parent[order], begin[order]
    last = torch.cat((parent[1:] != parent[:-1], torch.ones_like(parent[:1], dtype=torch.bool)))
    end = arcs.end[parent].where(last, begin.roll(-1))
    some = end > begin
    return parent[some], Arcs(arcs.curve[parent], begin, end)[some]
