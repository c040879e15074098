"""Polylines on their way through a sequence of layers, whole feature maps at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from generalization.networks.activation_functions import unit_thresholds
from generalization.networks.linearized_layers import flat_layers
from generalization.regions.breakpoints import (
    Breakpoints,
    curve_at,
    edge_crossings,
    interpolated,
    new_breakpoints,
    not_joined,
    old_breakpoints,
    pieces,
)
from generalization.regions.maxima import maxima_changes
from generalization.regions.steps import Step, constant_up_to, polyline_steps

# Told of what is found: the step, the positions of it (the number of the breakpoint before, plus
# the fraction of the way to the next), and the places of all breakpoints (the number of the vertex
# before, through all curves, plus the fraction of the way to the next).
Sink = Callable[[Step, Tensor, Tensor], None]


def crossings_per_activation(
    module: nn.Module, vertices: Float[Tensor, "curves vertices *features"]
) -> Int[Tensor, "curves activations"]:
    """Count threshold crossings along polylines in input space, without sampling.

    As ``crossings_per_layer`` does for a stack: a unit is what enters an activation at one position
    of one channel. Max-pooling has no thresholds, hence no transitions, but where the largest entry
    of a window changes, the layers above it have a breakpoint.

    Returns:
        Crossings of the units of every activation, in the order of the sequence.
    """
    steps = polyline_steps(module)
    told = [position for position, step in enumerate(steps) if step.number is not None]
    counts = torch.zeros(len(told), len(vertices), dtype=torch.int32, device=vertices.device)

    def count(step: Step, positions: Tensor, places: Tensor) -> None:
        if step.number is not None:
            curve = curve_at(places[positions.long()], vertices.shape[1])
            counts[step.number] += curve.bincount(minlength=len(vertices))

    if told:
        *below, last = steps[: told[-1] + 1]
        follow([*below, replace(last, bends=False)], vertices, count)
    return counts.T


def borders_of_regions(
    module: nn.Module, vertices: Float[Tensor, "curves vertices *features"]
) -> Float64[Tensor, "borders"]:
    """Find where polylines leave the regions on which a module is affine, vertices included.

    Returns:
        Ascending places: the number of the vertex before, through all curves, plus the fraction of
        the way to the next.
    """
    count = vertices.shape[:2].numel()
    found = [torch.arange(count, dtype=torch.float64, device=vertices.device)]

    def note(_: Step, positions: Tensor, places: Tensor) -> None:
        found.extend(interpolated(positions, places))

    steps = [replace(step, number=None) for step in polyline_steps(module) if step.passes]
    follow(steps, vertices, note)
    return torch.cat(found).unique()


def numbers_per_point(module: nn.Module, inputs: Float[Tensor, "samples *features"]) -> int:
    """Size of the widest layer of a sequence, its input included."""
    point = inputs.new_zeros(1, *inputs.shape[1:])
    numbers = [point.numel()]
    with torch.inference_mode():
        for layer in flat_layers(module):
            point = layer(point.clone())
            numbers.append(point.numel())
    return max(numbers)


def follow(
    steps: Sequence[Step], vertices: Float[Tensor, "curves vertices *features"], tell: Sink
) -> None:
    """Follow polylines through some steps.

    Args:
        steps: One after the other.
    """
    points = vertices.flatten(0, 1)
    places = torch.arange(len(points), dtype=torch.float64, device=points.device)
    _find(steps, points, places, vertices.shape[1], tell)


@torch.inference_mode()
def _find(
    steps: Sequence[Step],
    values: Float[Tensor, "breakpoints *features"],
    places: Float64[Tensor, "breakpoints"],
    vertices: int,
    tell: Sink,
) -> None:
    """Find the breakpoints that some steps add.

    Args:
        steps: Those that are left.
        values: What the first of them is given, at breakpoints in their order.
        tell: Called once for each step that finds some.
    """
    for position, step in enumerate(steps):
        above = steps[position + 1 :]
        if step.bends or step.number is not None:
            found = _breakpoints(step, values, not_joined(places, vertices), constant_up_to(above))
            tell(step, found[0], places)
        if step.bends:
            for there, its_places in _with_breakpoints(values, places, found):
                _find(above, step.layer(there), its_places, vertices, tell)
            return
        if step.passes:
            values = step.layer(values)


def _breakpoints(
    step: Step,
    values: Float[Tensor, "breakpoints *features"],
    apart: Int[Tensor, "_"],
    floor: float,
) -> Breakpoints:
    """Find the breakpoints that an activation or a max-pooling adds."""
    flat = values.flatten(1)
    if isinstance(step.layer, nn.MaxPool2d):
        positions = maxima_changes(step.layer, values, apart, floor)
        (first,) = interpolated(positions, flat[:, 0])
        return positions, torch.zeros_like(positions, dtype=torch.int64), first
    found = [
        new_breakpoints(flat, edge_crossings(flat, threshold, apart), threshold)
        for threshold in unit_thresholds(step.layer)
    ]
    return tuple(map(torch.cat, zip(*found, strict=True)))


def _with_breakpoints(
    values: Float[Tensor, "breakpoints *features"],
    places: Float64[Tensor, "breakpoints"],
    found: Breakpoints,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Values and places at old and new breakpoints, some at a time. Values are affine between."""
    flat = values.flatten(1)
    positions, units, exact = map(torch.cat, zip(old_breakpoints(flat), found, strict=True))
    # Convolutions like larger blocks than products of matrices do.
    for piece in pieces(positions.argsort(), max(1, flat.shape[1] // 4)):
        there, its_places = interpolated(positions[piece], flat, places)
        there.scatter_(1, units[piece].unsqueeze(1), exact[piece].unsqueeze(1))
        yield there.view(-1, *values.shape[1:]), its_places
