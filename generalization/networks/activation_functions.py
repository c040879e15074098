"""The activation functions of Novak et al. 2018, §A.4, and where they bend."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ActivationFunction:
    """A function applied to every unit.

    Attributes:
        function: From preactivations to activations.
        in_place: The same, written over the preactivations, which saves memory traffic.
        derivative: From *activations* to the slope at the preactivation they came from, which
            every function here allows: the slope is 1 strictly between the two saturated values.
        thresholds: Preactivations at which the linear region of the unit changes, ascending
            (Novak et al. 2018, §3). Tanh has no linear regions; its threshold 0 is a convention.
        gain: Numerator of the variance of initial weights, gain / fan_in (ibid., §A.5).
        piecewise_linear: Whether activations are affine between thresholds.
    """

    function: Callable[[Tensor], Tensor]
    in_place: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    thresholds: tuple[float, ...]
    gain: float
    piecewise_linear: bool = True


ACTIVATION_FUNCTIONS = {
    "relu": ActivationFunction(
        function=torch.relu,
        in_place=torch.relu_,
        derivative=torch.sign,  # of activations, which are not negative
        thresholds=(0.0,),
        gain=2.0,
    ),
    "relu6": ActivationFunction(
        function=lambda preactivations: preactivations.clamp(0, 6),
        in_place=lambda preactivations: preactivations.clamp_(0, 6),
        derivative=lambda activations: ((activations > 0) & (activations < 6)).to(
            activations.dtype
        ),
        thresholds=(0.0, 6.0),
        gain=2.0,
    ),
    "tanh": ActivationFunction(
        function=torch.tanh,
        in_place=torch.tanh_,
        derivative=lambda activations: 1 - activations.square(),
        thresholds=(0.0,),
        gain=1.0,
        piecewise_linear=False,
    ),
    "hardtanh": ActivationFunction(
        function=lambda preactivations: preactivations.clamp(-1, 1),
        in_place=lambda preactivations: preactivations.clamp_(-1, 1),
        derivative=lambda activations: (activations.abs() < 1).to(activations.dtype),
        thresholds=(-1.0, 1.0),
        gain=1.0,
    ),
    # The paper's: slope 1 between -0.5 and 0.5. torch.nn.Hardsigmoid has slope 1/6.
    "hardsigmoid": ActivationFunction(
        function=lambda preactivations: (preactivations + 0.5).clamp(0, 1),
        in_place=lambda preactivations: preactivations.add_(0.5).clamp_(0, 1),
        derivative=lambda activations: ((activations > 0) & (activations < 1)).to(
            activations.dtype
        ),
        thresholds=(-0.5, 0.5),
        gain=2.0,
    ),
}
