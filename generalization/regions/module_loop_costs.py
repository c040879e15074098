"""Cost of the loop of an image through a module, by which it is followed or sampled.

Like ``loop_costs`` it depends on the architecture alone, so that a value does not depend on the
machine.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from generalization.networks.modules import evaluation_mode
from generalization.regions.crossing_costs import LoopCosts, costs_of_layers
from generalization.regions.stages import can_be_followed, polyline_stages

# ASSUME: loops through a module of more work than this are sampled: about 10 s, since convolutions
# of a few channels reach a tenth of 10¹¹ operations a second.
MOST_MODULE_WORK = 1e11
# ASSUME: a loop of a module is sampled at 4,096 points, or at as many fewer as make it cost 2 s at
# 10¹¹ operations a second.
MOST_POINTS = 4096
MOST_SAMPLED_WORK = 2e11
# Operations for which one activation is computed and compared: 1 ns at 10¹¹ a second.
WORK_PER_ACTIVATION = 100


def module_loop_costs(module: nn.Module, inputs: Float[Tensor, "samples *features"]) -> LoopCosts:
    """Return the cost of solving for all crossings on a loop through a sequence of layers.

    A unit is the input of an activation or a window of a pooling at one position of one channel.
    """
    point = inputs[:1].to(next(module.parameters(), inputs))
    layers = [[0.0, 0.0]]  # Operations per breakpoint, and units that add breakpoints.
    with torch.inference_mode():
        for stage in polyline_stages(module):
            if stage.passes:
                point = stage.layer(point.clone())
            layers[-1][0] += _products(stage.layer, point) if stage.passes else 0.0
            if stage.bends:
                layers[-1][1] += point.numel()
                layers.append([0.0, 0.0])
    return costs_of_layers(layers, inputs.shape[-1])


def _products(layer: nn.Module, output: Tensor) -> float:
    """Return the operations of a layer for one input."""
    if isinstance(layer, nn.Linear):
        return 2.0 * layer.weight.numel() * output.numel() / output.shape[-1]
    positions = output.shape[2:].numel()
    return 2.0 * layer.weight.numel() * positions if isinstance(layer, nn.Conv2d) else 0.0


def is_module_followed(module: nn.Module, inputs: Float[Tensor, "samples *features"]) -> bool:
    """Return whether crossings are solved for: of known layers, at a bearable cost."""
    if not can_be_followed(module):
        return False
    return module_loop_costs(module, inputs).work <= MOST_MODULE_WORK


def loop_resolution(
    module: nn.Module, inputs: Float[Tensor, "samples *features"], evaluations: float
) -> int:
    """Return the number of points at which a loop of any module is sampled at a bearable cost.

    Args:
        module: Map from inputs to logits.
        evaluations: Evaluations of the module per point.

    Returns:
        A power of two up to ``MOST_POINTS``, and at least one point per translation.
    """
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
    work = evaluations * (flops.get_total_flops() + WORK_PER_ACTIVATION * sum(sizes))
    points, fewest = MOST_POINTS, inputs.shape[-1]
    while points * work > MOST_SAMPLED_WORK and points // 2 >= fewest:
        points //= 2
    return points
