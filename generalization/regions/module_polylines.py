"""Breakpoints of a sequence of layers along polylines, propagated as whole feature maps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from generalization.networks.activation_functions import unit_thresholds
from generalization.networks.linearized_layers import flat_layers
from generalization.regions.breakpoints import (
    Breakpoints,
    blocks,
    curve_at,
    curve_ends,
    edge_crossings,
    interpolated,
    new_breakpoints,
    old_breakpoints,
)
from generalization.regions.maxima import maxima_changes
from generalization.regions.stages import Stage, constant_up_to, polyline_stages

# Receives what a stage adds: the stage, the positions of its crossings or changes (the index of
# the breakpoint before, plus the fraction of the way to the next one), and the coordinates of all
# breakpoints.
Sink = Callable[[Stage, Tensor, Tensor], None]


def crossings_per_activation(
    module: nn.Module, vertices: Float[Tensor, "curves vertices *features"]
) -> Int[Tensor, "curves activations"]:
    """Count threshold crossings along polylines in input space, without sampling.

    This is ``crossings_per_layer`` for modules. The input of an activation at one position of one
    channel counts as a unit. Max-pooling has no thresholds, hence no transitions, but the layers
    above it have a breakpoint where the largest entry of a window changes.

    Returns:
        Number of crossings of the units of every activation, in the order of the sequence.
    """
    stages = polyline_stages(module)
    counted = [position for position, stage in enumerate(stages) if stage.number is not None]
    counts = torch.zeros(len(counted), len(vertices), dtype=torch.int32, device=vertices.device)

    def count(stage: Stage, positions: Tensor, coordinates: Tensor) -> None:
        if stage.number is not None:
            curve = curve_at(coordinates[positions.long()], vertices.shape[1])
            counts[stage.number] += curve.bincount(minlength=len(vertices))

    if counted:
        *below, last = stages[: counted[-1] + 1]
        follow([*below, replace(last, bends=False)], vertices, count)
    return counts.T


def borders_of_regions(
    module: nn.Module, vertices: Float[Tensor, "curves vertices *features"]
) -> Float64[Tensor, "borders"]:
    """Find the coordinates at which polylines leave the linear regions of a module.

    Returns:
        Ascending coordinates, those of the vertices included.
    """
    count = vertices.shape[:2].numel()
    found = [torch.arange(count, dtype=torch.float64, device=vertices.device)]

    def record(_: Stage, positions: Tensor, coordinates: Tensor) -> None:
        found.extend(interpolated(positions, coordinates))

    stages = [replace(stage, number=None) for stage in polyline_stages(module) if stage.passes]
    follow(stages, vertices, record)
    return torch.cat(found).unique()


def numbers_per_point(module: nn.Module, inputs: Float[Tensor, "samples *features"]) -> int:
    """Return the size of the widest layer of a sequence, its input included."""
    point = inputs.new_zeros(1, *inputs.shape[1:])
    numbers = [point.numel()]
    with torch.inference_mode():
        for layer in flat_layers(module):
            point = layer(point.clone())
            numbers.append(point.numel())
    return max(numbers)


def follow(
    stages: Sequence[Stage], vertices: Float[Tensor, "curves vertices *features"], record: Sink
) -> None:
    """Propagate polylines through consecutive stages."""
    points = vertices.flatten(0, 1)
    coordinates = torch.arange(len(points), dtype=torch.float64, device=points.device)
    _find(stages, points, coordinates, vertices.shape[1], record)


@torch.inference_mode()
def _find(
    stages: Sequence[Stage],
    values: Float[Tensor, "breakpoints *features"],
    coordinates: Float64[Tensor, "breakpoints"],
    vertices: int,
    record: Sink,
) -> None:
    """Find the breakpoints that the remaining stages add.

    Args:
        stages: Remaining stages.
        values: Inputs of the first of them at consecutive breakpoints.
    """
    for position, stage in enumerate(stages):
        above = stages[position + 1 :]
        if stage.bends or stage.number is not None:
            ends, floor = curve_ends(coordinates, vertices), constant_up_to(above)
            found = _breakpoints(stage, values, ends, floor)
            record(stage, found[0], coordinates)
        if stage.bends:
            for new_values, new_coordinates in _with_breakpoints(values, coordinates, found):
                _find(above, stage.layer(new_values), new_coordinates, vertices, record)
            return
        if stage.passes:
            values = stage.layer(values)


def _breakpoints(
    stage: Stage,
    values: Float[Tensor, "breakpoints *features"],
    ends: Int[Tensor, "_"],
    floor: float,
) -> Breakpoints:
    """Find the breakpoints that an activation or a max-pooling adds."""
    flat = values.flatten(1)
    if isinstance(stage.layer, nn.MaxPool2d):
        positions = maxima_changes(stage.layer, values, ends, floor)
        (first,) = interpolated(positions, flat[:, 0])
        return positions, torch.zeros_like(positions, dtype=torch.int64), first
    found = [
        new_breakpoints(flat, edge_crossings(flat, threshold, ends), threshold)
        for threshold in unit_thresholds(stage.layer)
    ]
    return tuple(map(torch.cat, zip(*found, strict=True)))


def _with_breakpoints(
    values: Float[Tensor, "breakpoints *features"],
    coordinates: Float64[Tensor, "breakpoints"],
    found: Breakpoints,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield values and coordinates at old and new breakpoints, block by block."""
    flat = values.flatten(1)
    positions, units, exact = map(torch.cat, zip(old_breakpoints(flat), found, strict=True))
    # Convolutions are fastest on larger blocks than matrix products are.
    for block in blocks(positions.argsort(), max(1, flat.shape[1] // 4)):
        new_values, new_coordinates = interpolated(positions[block], flat, coordinates)
        new_values.scatter_(1, units[block].unsqueeze(1), exact[block].unsqueeze(1))
        yield new_values.view(-1, *values.shape[1:]), new_coordinates
