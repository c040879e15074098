"""Variation of the logit Jacobian of a module along polylines."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from generalization.devices import items_at_once
from generalization.networks.modules import module_logits
from generalization.regions.breakpoints import curve_at, interpolated
from generalization.regions.module_polylines import borders_of_regions
from generalization.regions.trajectories import equidistant_points


def module_jacobian_variation(
    module: nn.Module, vertices: Float[Tensor, "curves vertices *features"]
) -> Float64[Tensor, "curves"]:
    """Return the total variation of f' = ∂f/∂x along polylines in input space, without sampling.

    Computed by its definition: f' is constant within a linear region, so that autograd evaluates it
    in the middle of every region, and the variation is the sum of differences between neighboring
    regions. Stacks have a faster route, ``jacobian_variation``.

    Returns:
        Σ ‖Δf'‖_F over the region boundaries that each polyline crosses.
    """
    curves, count = vertices.shape[:2]
    borders = borders_of_regions(module, vertices)
    middles = (borders[1:] + borders[:-1]) / 2
    # No edge joins the last vertex of a curve and the first vertex of the next curve.
    middles = middles[middles - count * curve_at(middles, count) < count - 1]
    curve = curve_at(middles, count)
    total = torch.zeros(curves, dtype=torch.float64, device=vertices.device)
    for block in _blocks(module, vertices[0, :1], len(middles) - 1):
        (points,) = interpolated(middles[block], vertices.flatten(0, 1))
        of_block = curve[block]
        joined = of_block[1:] == of_block[:-1]
        total.index_add_(0, of_block[1:], _changes(module, points).where(joined, 0))
    return total


def sampled_jacobian_variation(
    module: nn.Module,
    loops: Float[Tensor, "samples vertices *features"],
    points: int,
) -> Float64[Tensor, "samples"]:
    """Return Σ ‖f'(z_{i+1}) − f'(z_i)‖_F over equidistant points of closed equilateral polygons.

    Args:
        module: Map from inputs to logits, in eval mode, in the dtype of the loops.
        loops: Vertices of each polygon.
    """
    total = torch.zeros(len(loops), dtype=torch.float64, device=loops.device)
    for loop, sum_of_loop in zip(loops, total, strict=True):
        for block in _blocks(module, loop[:1], points):
            sampled = equidistant_points(loop.unsqueeze(0), points, block.start, block.stop)
            sum_of_loop += _changes(module, sampled.squeeze(0)).sum()
    return total


def _blocks(module: nn.Module, point: Float[Tensor, "1 *features"], edges: int) -> Iterator[slice]:
    """Split the points at the ends of edges into blocks; consecutive blocks share one point."""
    numbers_per_point = point.numel() * module_logits(module, point).shape[1]
    size = items_at_once("polygons", numbers_per_point, point.device)
    for first in range(0, edges, size):
        yield slice(first, min(first + size, edges) + 1)


def _changes(
    module: nn.Module, points: Float[Tensor, "points *features"]
) -> Float64[Tensor, "edges"]:
    """Return ‖Δf'‖_F between consecutive points."""
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        sums = module_logits(module, points).sum(0).unbind()
    gradients = (torch.autograd.grad(one, points, retain_graph=True)[0] for one in sums)
    norms = [gradient.flatten(1).diff(dim=0).norm(dim=1).double() for gradient in gradients]
    return torch.stack(norms).norm(dim=0)
