"""Cost of the loop of an image through a module, by which it is followed or sampled.

Like ``loop_costs`` it depends on the architecture alone, so that a value does not depend on the
machine. Work is in operations of large products of matrices, 10¹¹ a second.

Args:
    most_work: Most work for one image.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from generalization.derivatives.row_counts import computed_rows
from generalization.networks.modules import evaluation_mode
from generalization.regions.crossing_costs import (
    WORK_PER_ACTIVATION,
    LoopCosts,
    are_layers_followed,
    costs_of_layers,
    is_curvature_followed,
)
from generalization.regions.stages import can_be_followed, polyline_stages

MOST_POINTS = 4096


def layers_of_loops(
    module: nn.Module, inputs: Float[Tensor, "samples *features"]
) -> list[tuple[float, float]]:
    """Return operations and units of what adds breakpoints to loops, see ``costs_of_layers``.

    A unit is the input of an activation or a window of a pooling at one position of one channel.

    Args:
        module: A sequence for which ``can_be_followed`` holds.
    """
    point = inputs[:1].to(next(module.parameters(), inputs))
    layers, products = [], 0.0
    with torch.inference_mode():
        for stage in polyline_stages(module):
            if stage.passes:
                point = stage.layer(point.clone())
                products += _products(stage.layer, point)
            if stage.bends:
                layers.append((products, point.numel()))
                products = 0.0
    return layers


def module_loop_costs(module: nn.Module, inputs: Float[Tensor, "samples *features"]) -> LoopCosts:
    """Return the cost of solving for all crossings on a loop through a sequence of layers."""
    return costs_of_layers(layers_of_loops(module, inputs), inputs.shape[-1])


def _products(layer: nn.Module, output: Tensor) -> float:
    """Return the operations of a layer for one input."""
    if isinstance(layer, nn.Linear):
        return 2.0 * layer.weight.numel() * output.numel() / output.shape[-1]
    positions = output.shape[2:].numel()
    return 2.0 * layer.weight.numel() * positions if isinstance(layer, nn.Conv2d) else 0.0


def is_module_followed(
    module: nn.Module, inputs: Float[Tensor, "samples *features"], most_work: float
) -> bool:
    """Return whether crossings are solved for: of known layers, at a bearable cost."""
    if not can_be_followed(module):
        return False
    return are_layers_followed(layers_of_loops(module, inputs), inputs.shape[-1], most_work)


def is_module_curvature_followed(
    module: nn.Module,
    inputs: Float[Tensor, "samples *features"],
    most_work: float,
    rows: int | str = "all",
) -> bool:
    """Return whether all regions are found and their Jacobians computed, at a bearable cost.

    Args:
        rows: Number of rows of a Jacobian that are computed where there are many classes.
    """
    if not can_be_followed(module):
        return False
    with evaluation_mode(module), torch.no_grad():
        classes = computed_rows(module(inputs[:1]).shape[-1], rows)
    layers = layers_of_loops(module, inputs)
    return is_curvature_followed(
        layers, inputs.shape[-1], classes, most_work, convolves=convolves(module)
    )


def convolves(module: nn.Module) -> bool:
    """Return whether some layers are convolutions."""
    return any(isinstance(part, nn.Conv2d) for part in module.modules())


def evaluation_work(module: nn.Module, inputs: Float[Tensor, "samples *features"]) -> float:
    """Return the work of the logits of one input, for any module."""
    sizes: list[int] = []
    leaves = [one for one in module.modules() if not next(one.children(), None)]

    def count(_: nn.Module, __: object, output: object) -> None:
        sizes.append(output.numel() if isinstance(output, Tensor) else 0)

    hooks = [one.register_forward_hook(count) for one in leaves]
    try:
        # With gradients, since fused kernels of attention hide their products.
        with evaluation_mode(module), torch.enable_grad(), FlopCounterMode(display=False) as flops:
            module(inputs[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return flops.get_total_flops() + WORK_PER_ACTIVATION * sum(sizes)


def loop_resolution(work_per_point: float, translations: int, most_work: float) -> int:
    """Return the number of points at which a loop of any module is sampled at a bearable cost.

    Args:
        work_per_point: Work of the evaluations of the module at one point.
        translations: Width of an image in pixels.

    Returns:
        A power of two up to 4,096, and at least one point per translation.
    """
    points = MOST_POINTS
    while points * work_per_point > most_work and points // 2 >= translations:
        points //= 2
    return points
