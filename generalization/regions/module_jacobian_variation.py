"""Variation of the logit Jacobian of a module along polylines."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from generalization.derivatives.row_sketch import roots
from generalization.devices import SAMPLES_PER_CHUNK, items_at_once, samples_at_once
from generalization.networks.differentiability import needs_derivatives
from generalization.networks.modules import module_logits
from generalization.regions.breakpoints import curve_at, interpolated
from generalization.regions.module_polylines import borders_of_regions
from generalization.regions.trajectories import equidistant_points

# Function of a number of curves, and a tensor like its result, that draws m orthonormal vectors u
# for each curve: curves × m × classes.
DrawVectors = Callable[[int, Tensor], Tensor]


def module_jacobian_variation(
    module: nn.Module,
    vertices: Float[Tensor, "curves vertices *features"],
    draw: DrawVectors | None = None,
) -> Float64[Tensor, "curves _"]:
    """Return the total variation of f' = ∂f/∂x along polylines in input space, without sampling.

    Computed by its definition: f' is constant within a linear region, so that autograd evaluates it
    in the middle of every region, and the variation is the sum of differences between neighboring
    regions. Stacks have a faster route, ``jacobian_variation``.

    Args:
        draw: Function that draws the rows by which ‖Δf'‖_F is estimated, see ``row_sketch``; by
            default all rows.

    Returns:
        Σ ‖Δf'‖_F over the region boundaries that each polyline crosses, and where rows are drawn,
        the same with each of them left out.
    """
    curves, count = vertices.shape[:2]
    borders = borders_of_regions(module, vertices)
    middles = (borders[1:] + borders[:-1]) / 2
    # No edge joins the last vertex of a curve and the first vertex of the next curve.
    middles = middles[middles - count * curve_at(middles, count) < count - 1]
    curve = curve_at(middles, count)
    rows = _rows(module, vertices[:, 0], draw)
    total = _nothing(rows, curves, drawn=draw is not None)
    for block in _blocks(module, vertices[0, :1], len(middles) - 1):
        (points,) = interpolated(middles[block], vertices.flatten(0, 1))
        of_block = curve[block]
        joined = of_block[1:] == of_block[:-1]
        of_points = rows if draw is None else rows[of_block]
        changes = _changes(module, points, of_points, drawn=draw is not None)
        total.index_add_(0, of_block[1:], changes.where(joined.unsqueeze(1), 0))
    return total


def sampled_jacobian_variation(
    module: nn.Module,
    loops: Float[Tensor, "samples vertices *features"],
    points: int,
    draw: DrawVectors | None = None,
) -> Float64[Tensor, "samples _"]:
    """Return Σ ‖f'(z_{i+1}) − f'(z_i)‖_F over equidistant points of closed equilateral polygons.

    Arguments and results are those of ``module_jacobian_variation``.

    Args:
        module: Map from inputs to logits, in eval mode, in the dtype of the loops.
        loops: Vertices of each polygon.
    """
    rows = _rows(module, loops[:, 0], draw)
    total = _nothing(rows, len(loops), drawn=draw is not None)
    for number, (loop, sum_of_loop) in enumerate(zip(loops, total, strict=True)):
        of_loop = rows if draw is None else rows[[number]]
        for block in _blocks(module, loop[:1], points):
            sampled = equidistant_points(loop.unsqueeze(0), points, block.start, block.stop)
            changes = _changes(module, sampled.squeeze(0), of_loop, drawn=draw is not None)
            sum_of_loop += changes.sum(0)
    return total


def _rows(
    module: nn.Module, points: Float[Tensor, "curves *features"], draw: DrawVectors | None
) -> Float[Tensor, "_curves rows classes"]:
    """Return the rows that are backpropagated: all, the same on every curve, or those drawn."""
    logits = module_logits(module, points[:1]).detach()
    if draw is None:
        return torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device).unsqueeze(0)
    return draw(len(points), logits)


def _nothing(rows: Tensor, curves: int, *, drawn: bool) -> Float64[Tensor, "curves _"]:
    sums = 1 + rows.shape[1] * drawn
    return torch.zeros(curves, sums, dtype=torch.float64, device=rows.device)


def _blocks(module: nn.Module, point: Float[Tensor, "1 *features"], edges: int) -> Iterator[slice]:
    """Split the points at the ends of edges into blocks; consecutive blocks share one point."""
    numbers_per_point = point.numel() * module_logits(module, point).shape[1]
    size = items_at_once("polygons", numbers_per_point, point.device)
    size = max(1, min(size, samples_at_once(SAMPLES_PER_CHUNK) - 1))  # And one point more.
    for first in range(0, edges, size):
        yield slice(first, min(first + size, edges) + 1)


def _changes(
    module: nn.Module,
    points: Float[Tensor, "points *features"],
    rows: Float[Tensor, "_points rows classes"],
    *,
    drawn: bool,
) -> Float64[Tensor, "edges _"]:
    """Return ‖Δf'‖_F between consecutive points, by all rows or by those drawn."""
    needs_derivatives("inputs")
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        logits = module_logits(module, points)
    gradients = (
        torch.autograd.grad(logits, points, row.expand_as(logits), retain_graph=True)[0]
        for row in rows.unbind(1)
    )
    norms = [gradient.flatten(1).diff(dim=0).norm(dim=1).double() for gradient in gradients]
    if not drawn:
        return torch.stack(norms).norm(dim=0).unsqueeze(1)
    norm, left_out = roots(torch.stack(norms).square(), 0, logits.shape[1])
    return torch.cat([norm.unsqueeze(0), left_out]).mT
