"""Properties of activation functions, one entry per function of stacks and per torch module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

aten = torch.ops.aten

Thresholds = tuple[float, ...]


def unknown_thresholds(module: nn.Module) -> Thresholds:
    """Return no thresholds."""
    return ()


@dataclass(frozen=True)
class ActivationModule:
    """A class of modules that apply an activation function elementwise.

    Attributes:
        kind: Class of the modules, including subclasses without an entry of their own.
        thresholds: Function from a module to the ascending preactivations at which the linear
            region of a unit changes; none if they are unknown.
        piecewise_linear: Whether activations are affine between thresholds.
        continuous: Whether the function is continuous.
        flat_below: Whether activations are constant up to the first threshold.
        falls: Function from a module to whether its activation function decreases anywhere.
    """

    kind: type[nn.Module]
    thresholds: Callable[[nn.Module], Thresholds] = unknown_thresholds
    piecewise_linear: bool = True
    continuous: bool = True
    flat_below: bool = True
    falls: Callable[[nn.Module], bool] = lambda module: False


@dataclass(frozen=True)
class ActivationFunction:
    """An activation function of stacks of networks.

    Attributes:
        function: Map from preactivations to activations. Its autograd slope at a threshold is that
            of ``derivative``.
        in_place: In-place version of ``function``, which saves memory traffic.
        derivative: Map from *activations* to the slope at their preactivations, which the
            activations must determine.
        thresholds: Ascending preactivations at which the linear region of a unit changes (Novak et
            al. 2018, §3). Tanh has no linear regions; its threshold 0 is a convention.
        gain: Numerator of the variance of initial weights, gain / fan_in (ibid., §A.5).
        module: Class in ``torch.nn`` that computes the function.
        arguments: Arguments of this class.
        offset: Number to add to preactivations before applying the module.
        slopes: Slope of each linear piece in ascending order; empty if the function is not
            piecewise linear.
        multiply_by_slope: Function that multiplies a gradient in place by the slope at given
            activations; by default it uses ``derivative``.
    """

    function: Callable[[Tensor], Tensor]
    in_place: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    thresholds: Thresholds
    gain: float
    module: ActivationModule
    arguments: tuple[float, ...] = ()
    offset: float = 0.0
    slopes: tuple[float, ...] = ()
    multiply_by_slope: Callable[[Tensor, Tensor], Tensor] | None = None

    @property
    def piecewise_linear(self) -> bool:
        """Whether activations are affine between thresholds."""
        return bool(self.slopes)

    def new_module(self) -> nn.Module:
        """Return a module that computes the function once ``offset`` is added to its input."""
        return self.module.kind(*self.arguments)

    def times_slope(self, gradient: Tensor, activations: Tensor) -> Tensor:
        """Multiply a gradient in place by the slope at these activations."""
        if self.multiply_by_slope is None:
            return gradient.mul_(self.derivative(activations))
        return self.multiply_by_slope(gradient, activations)


RELU = ActivationModule(nn.ReLU, lambda module: (0.0,))
LEAKY_RELU = ActivationModule(
    nn.LeakyReLU,
    lambda module: (0.0,),
    flat_below=False,
    falls=lambda module: module.negative_slope < 0,
)
PRELU = ActivationModule(
    nn.PReLU,
    lambda module: (0.0,),
    flat_below=False,
    falls=lambda module: bool((module.weight < 0).any()),
)
TANH = ActivationModule(nn.Tanh, lambda module: (0.0,), piecewise_linear=False)
RELU6 = ActivationModule(nn.ReLU6, lambda module: (module.min_val, module.max_val))
HARDTANH = ActivationModule(nn.Hardtanh, lambda module: (module.min_val, module.max_val))
HARDSIGMOID = ActivationModule(nn.Hardsigmoid, lambda module: (-3.0, 3.0))
# In eval mode: leaky, with the mean slope.
RRELU = ActivationModule(
    nn.RReLU,
    lambda module: (0.0,),
    flat_below=False,
    falls=lambda module: module.lower + module.upper < 0,
)
SOFTSHRINK = ActivationModule(
    nn.Softshrink, lambda module: (-module.lambd, module.lambd), flat_below=False
)
SMOOTH = (nn.Sigmoid, nn.LogSigmoid, nn.Softplus, nn.Softsign, nn.Tanhshrink, nn.ELU, nn.CELU)
SMOOTH += (nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish)

# Modules that measures accept, including functions that stacks do not offer.
MODULES = (
    *(RELU, LEAKY_RELU, PRELU, TANH, RELU6, HARDTANH, HARDSIGMOID, RRELU, SOFTSHRINK),
    *(ActivationModule(kind, continuous=False) for kind in (nn.Threshold, nn.Hardshrink)),
    *(ActivationModule(kind, piecewise_linear=False) for kind in SMOOTH),
)
MODULES_WITH_THRESHOLDS = ", ".join(
    entry.kind.__name__ for entry in MODULES if entry.thresholds is not unknown_thresholds
)


def clamped(
    low: float,
    high: float,
    *,
    gain: float,
    module: ActivationModule,
    arguments: tuple[float, ...] = (),
    offset: float = 0.0,
) -> ActivationFunction:
    """Return the function that adds an offset to preactivations and clamps the sum.

    Other arguments are attributes of ``ActivationFunction``.

    Args:
        low: Activation below the first threshold.
        high: Activation above the second threshold.
    """

    def function(z: Tensor) -> Tensor:
        # Unlike ``clamp``, its autograd slope is 0 at both ends.
        return functional.hardtanh(z + offset if offset else z, low, high)

    def in_place(z: Tensor) -> Tensor:
        return (z.add_(offset) if offset else z).clamp_(low, high)

    def multiply_by_slope(gradient: Tensor, activations: Tensor) -> Tensor:
        backward = aten.hardtanh_backward.grad_input
        return backward(gradient, activations, low, high, grad_input=gradient)

    return ActivationFunction(
        function=function,
        in_place=in_place,
        derivative=lambda activations: ((activations > low) & (activations < high)).to(
            activations.dtype
        ),
        thresholds=(low - offset, high - offset),
        gain=gain,
        module=module,
        arguments=arguments,
        offset=offset,
        slopes=(0.0, 1.0, 0.0),
        multiply_by_slope=multiply_by_slope,
    )


# Activation functions of Novak et al. 2018, §A.4.
ACTIVATION_FUNCTIONS = {
    "relu": ActivationFunction(
        function=torch.relu,
        in_place=torch.relu_,
        derivative=torch.sign,  # Applied to activations, which are nonnegative.
        thresholds=(0.0,),
        gain=2.0,
        module=RELU,
        slopes=(0.0, 1.0),
        multiply_by_slope=lambda gradient, activations: aten.threshold_backward.grad_input(
            gradient, activations, 0, grad_input=gradient
        ),
    ),
    "relu6": clamped(0.0, 6.0, gain=2.0, module=RELU6),
    "tanh": ActivationFunction(
        function=torch.tanh,
        in_place=torch.tanh_,
        derivative=lambda activations: 1 - activations.square(),
        thresholds=(0.0,),
        gain=1.0,
        module=TANH,
        multiply_by_slope=lambda gradient, activations: aten.tanh_backward.grad_input(
            gradient, activations, grad_input=gradient
        ),
    ),
    "hardtanh": clamped(-1.0, 1.0, gain=1.0, module=HARDTANH),
    # As in the paper, with slope 1 between −0.5 and 0.5; torch.nn.Hardsigmoid has slope 1/6.
    "hardsigmoid": clamped(0.0, 1.0, gain=2.0, module=HARDTANH, arguments=(0.0, 1.0), offset=0.5),
}


def activation_module(module: nn.Module) -> ActivationModule | None:
    """Return the entry for the class of a module; None if it is not an activation function."""
    known = {entry.kind: entry for entry in _entries()}
    kind = next((kind for kind in type(module).__mro__ if kind in known), None)
    # A class that computes something else is what the functions are that it calls.
    return known[kind] if kind and type(module).forward is kind.forward else None


def unit_thresholds(module: nn.Module) -> Thresholds:
    """Return the ascending preactivations at which linear regions meet; none if unknown."""
    entry = activation_module(module)
    return entry.thresholds(module) if entry else ()


def is_piecewise_linear(module: nn.Module) -> bool:
    """Return whether a module is a piecewise-linear activation function without parameters."""
    entry = activation_module(module)
    return (
        entry is not None
        and type(module) is entry.kind
        and entry.piecewise_linear
        and not any(True for _ in module.parameters())
    )


def _entries() -> Iterator[ActivationModule]:
    yield from MODULES
    yield from (function.module for function in ACTIVATION_FUNCTIONS.values())
