"""Curvature: total variation of the logit Jacobian around the translations of an image."""

import math
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor
from torch.nn import Module

from generalization.derivatives.input_jacobian import logits_and_slopes
from generalization.derivatives.preactivation_jacobians import without_features
from generalization.derivatives.row_counts import ROWS
from generalization.derivatives.row_sketch import (
    Norms,
    Rows,
    jackknifed,
    told_mean,
    vectors_of_curves,
)
from generalization.devices import items_at_once
from generalization.errors import warn_of_method
from generalization.measures.sampled_transitions import nan_if_diverged
from generalization.networks.differentiability import needs_logits
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, refuse_statistics_of_batches
from generalization.networks.reading import reads_networks
from generalization.regions.crossing_costs import MOST_CURVATURE_WORK
from generalization.regions.jacobian_jumps import jacobian_variation
from generalization.regions.module_jacobian_variation import (
    module_jacobian_variation,
    sampled_jacobian_variation,
)
from generalization.regions.module_loop_costs import is_module_curvature_followed
from generalization.regions.module_polylines import numbers_per_point
from generalization.regions.polylines import around_translations
from generalization.regions.trajectories import equidistant_points, translation_loops
from generalization.samples import Images

FEW = 2  # Images on which the gain of more points is estimated.


@reads_networks
def curvature(
    networks: Networks,
    inputs: Images,
    *,
    generator: Generator | None = None,
    dtype: torch.dtype = torch.float32,
    grid_points: int = 4096,
    most_work: float = MOST_CURVATURE_WORK,
    rows: int | str = ROWS,
) -> Float64[Tensor, "networks samples"]:
    """Total variation of the logit Jacobian along the translation loop of each image.

    ``C(x) = ∮ ‖∂f'(z)/∂(dz)‖_F dz`` around the closed polygon through all horizontal translations
    of x, with f' the Jacobian of the logits (Novak et al. 2018, §3, "Interpretation"). The paper's
    sum for this integral, ``½ Σ_i ‖f'(z_i) − f'(z_{i+1 mod k})‖_F``, converges to half of it:
    around the closed curve −1 → 1 → −1 the slope of a ReLU goes from 0 to 1 and back, so that C is
    2 and the sum is 1. Networks rank equally by either.

    A piecewise-linear network has a constant f' between transitions, so that C is the sum of
    ‖Δf'‖_F over transitions. At a transition the slope of one unit j of one layer l changes by 1,
    hence f' by the outer product of ∂f/∂a_l[j] and ∂z_l[j]/∂x, and

        C(x) = Σ_transitions ‖∂f/∂a_l[j]‖₂ ‖∂z_l[j]/∂x‖₂.

    With all terms equal to 1 the sum is ``transitions``. See ``jacobian_variation`` for the
    computation.

    float32 is sufficient: on 32 loops of a network that fits MNIST, the relative error is at most
    2e-5. Sampling is not: 4,096 points on the same loops capture only four fifths of C.

    Modules that are sequences of piecewise-linear layers, including convolutions and max-pooling,
    are computed by the definition, Σ ‖Δf'‖_F over the boundaries of linear regions, with autograd.

    For tanh, whose f' changes everywhere, C is sampled as the sum of ‖f'(z_{i+1}) − f'(z_i)‖_F over
    equidistant points. The sum is a lower bound on C, and close to it because f' is smooth. All
    other modules are sampled too, and sequences whose regions take more than ``most_work``; for
    those with linear regions the sum may miss much of C. A warning says so, and how much the sum
    of a module grew when the points were doubled.

    Args:
        networks: A stack of R networks, or a module from images to logits (R = 1), in eval mode.
        generator: Source on the CPU of the rows that are drawn; all are computed without one.
        grid_points: Number of points on a loop where C is sampled; otherwise unused.
        most_work: Operations per image, at 10¹¹ a second, up to which all regions of a module are
            found.
        rows: Number of rows of the Jacobian, one backward pass each, that are drawn for every loop
            of a module with more than 128 classes; ``all`` for the exact sum. See ``row_sketch``.

    Returns:
        R × N sums, in logits per unit of input; NaN where the logits are not finite.

    Raises:
        InputError: If a module normalizes by the statistics of a batch.
        ValueError: If the inputs are not images, or grid_points is less than 2.
    """  # noqa: DOC502
    if grid_points < 2:
        raise ValueError(f"grid_points must be at least 2, not {grid_points!r}.")
    needs_logits()
    inputs = inputs.to(dtype)
    if isinstance(networks, Module):
        refuse_statistics_of_batches(networks)
        networks = deepcopy(networks).to(dtype).eval().requires_grad_(False)
        sums = _module_curvature(networks, inputs, grid_points, most_work, Rows(rows, generator))
    else:
        networks = networks.to(dtype)
        if not networks.phi.piecewise_linear:
            warn_of_method("sampled", f"sampled at {grid_points} points")
        sums = torch.stack([_stack_curvature(one, inputs, grid_points) for one in networks])
    return nan_if_diverged(sums.unsqueeze(2), networks, inputs).squeeze(2)


def _stack_curvature(
    network: FullyConnectedNetworks, inputs: Images, grid_points: int
) -> Float64[Tensor, "samples"]:
    """Return the curvatures of a stack of one."""
    if not network.phi.piecewise_linear:
        # ASSUME: the curvature of tanh, which has no linear regions, is sampled at 4,096 points.
        return _sampled(network, inputs, grid_points)
    variation = partial(jacobian_variation, network)
    return around_translations(variation, inputs, max(network.widths))


def _module_curvature(
    module: Module, inputs: Images, grid_points: int, most_work: float, rows: Rows
) -> Float64[Tensor, "1 samples"]:
    """Return the curvatures of a module, and tell how they are approximated."""
    drawn = rows.drawn(module, inputs)
    draw = again = None
    if drawn:
        draw, again = (
            partial(vectors_of_curves, drawn.rows, generator)
            for generator in (rows.generator, rows.generator.clone_state())
        )
    clauses = []
    if is_module_curvature_followed(module, inputs, most_work, drawn.rows if drawn else "all"):
        variation = partial(module_jacobian_variation, module, draw=draw)
        sums = around_translations(variation, inputs, numbers_per_point(module, inputs))
    else:
        sums = sampled_jacobian_variation(module, translation_loops(inputs), grid_points, draw)
        few, half = translation_loops(inputs[:FEW]), max(2, grid_points // 2)
        fewer = sampled_jacobian_variation(module, few, half, again)
        gain = float(sums[:FEW, 0].sum() / fewer[:, 0].sum() - 1)
        how = f"sampled at {grid_points} points"
        clauses.append(how + f", {gain:.1%} more than at half as many" * math.isfinite(gain))
    if drawn:
        values, variances = jackknifed(sums[:, 0], sums[:, 1:].mT, drawn.classes)
        how = ", ".join([*clauses, drawn.how])
        return told_mean(Norms(values.unsqueeze(0), variances.unsqueeze(0), how))
    if clauses:
        warn_of_method("sampled", *clauses)
    return sums.mT


@torch.inference_mode()
def _sampled(
    network: FullyConnectedNetworks, inputs: Images, grid_points: int
) -> Float64[Tensor, "samples"]:
    """Sum over the points of one network, block by block; blocks share their end points."""
    numbers_per_point = network.widths[-1] * max(network.widths[1:])
    block = items_at_once("operation", numbers_per_point, inputs.device)
    factor = without_features(network.weights[0][0])
    sums = torch.zeros(len(inputs), dtype=torch.float64, device=inputs.device)
    for loop, total in zip(translation_loops(inputs), sums, strict=True):
        for first in range(0, grid_points, block):
            last = min(first + block, grid_points) + 1
            sampled = equidistant_points(loop.unsqueeze(0), grid_points, first, last)
            changes = _to_first_layer(network, sampled.squeeze(0)).diff(dim=0) @ factor
            total += changes.flatten(1).norm(dim=1).sum(dtype=torch.float64)
    return sums


def _to_first_layer(
    network: FullyConnectedNetworks, points: Float[Tensor, "points *features"]
) -> Float[Tensor, "points classes units"]:
    """Return ∂f/∂z_1 at every point."""
    logits, slopes = logits_and_slopes(network, points.flatten(1))
    classes = logits.shape[-1]
    rows = torch.eye(classes, dtype=logits.dtype, device=logits.device).expand(len(points), -1, -1)
    for weight, slope in zip(network.weights[:0:-1], slopes[::-1], strict=True):
        rows = (rows @ weight) * slope.squeeze(0).unsqueeze(1)
    return rows
