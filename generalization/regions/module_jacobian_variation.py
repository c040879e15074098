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
    """Total variation of f' = ∂f/∂x along polylines in input space, without sampling.

    Between neighbouring borders of linear regions f' is constant: what it is there by autograd, at
    the middle, is subtracted from what it is behind the border. That is the definition; a stack has
    a faster way, ``jacobian_variation``.

    Returns:
        Σ ‖Δf'‖_F over the borders that every polyline passes.
    """
    curves, count = vertices.shape[:2]
    borders = borders_of_regions(module, vertices)
    middles = (borders[1:] + borders[:-1]) / 2
    # Between the last vertex of a curve and the first one of the next there is no line.
    middles = middles[middles - count * curve_at(middles, count) < count - 1]
    curve = curve_at(middles, count)
    total = torch.zeros(curves, dtype=torch.float64, device=vertices.device)
    for piece in _blocks(module, vertices[0, :1], len(middles) - 1):
        (points,) = interpolated(middles[piece], vertices.flatten(0, 1))
        of_piece = curve[piece]
        joined = of_piece[1:] == of_piece[:-1]
        total.index_add_(0, of_piece[1:], _changes(module, points).where(joined, 0))
    return total


def sampled_jacobian_variation(
    module: nn.Module,
    loops: Float[Tensor, "samples vertices *features"],
    points: int,
) -> Float64[Tensor, "samples"]:
    """Σ ‖f'(z_{i+1}) − f'(z_i)‖_F over equidistant points of closed polygons of equal edges.

    Args:
        module: From inputs to logits, in eval mode, in the dtype of the loops.
        loops: Vertices of every polygon.
        points: On every polygon.
    """
    total = torch.zeros(len(loops), dtype=torch.float64, device=loops.device)
    for loop, sum_of_loop in zip(loops, total, strict=True):
        for piece in _blocks(module, loop[:1], points):
            sampled = equidistant_points(loop.unsqueeze(0), points, piece.start, piece.stop)
            sum_of_loop += _changes(module, sampled.squeeze(0)).sum()
    return total


def _blocks(module: nn.Module, point: Float[Tensor, "1 *features"], edges: int) -> Iterator[slice]:
    """Points between which there are so many edges, some at a time; blocks share their ends."""
    numbers_per_point = point.numel() * module_logits(module, point).shape[1]
    size = items_at_once("polygons", numbers_per_point, point.device)
    for first in range(0, edges, size):
        yield slice(first, min(first + size, edges) + 1)


def _changes(
    module: nn.Module, points: Float[Tensor, "points *features"]
) -> Float64[Tensor, "edges"]:
    """‖Δf'‖_F from each point to the next."""
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        sums = module_logits(module, points).sum(0).unbind()
    gradients = (torch.autograd.grad(one, points, retain_graph=True)[0] for one in sums)
    norms = [gradient.flatten(1).diff(dim=0).norm(dim=1).double() for gradient in gradients]
    return torch.stack(norms).norm(dim=0)
