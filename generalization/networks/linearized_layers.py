"""Layers of a module that are locally linear, and their derivatives as linear maps."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from generalization.networks.activation_functions import is_piecewise_linear
from generalization.networks.modules import BATCH_NORMS

WITH_PARAMETERS = (nn.Linear, nn.Conv2d, *BATCH_NORMS)
# Layers that keep the number and the order of the features.
KEEPING_FEATURES = (nn.Identity, nn.Flatten, nn.Dropout, nn.Dropout1d, nn.Dropout2d)
LINEAR = (*KEEPING_FEATURES, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.ZeroPad2d)
KNOWN = (*WITH_PARAMETERS, *LINEAR, nn.MaxPool2d)

# Map from tangents of the input of a layer to tangents of its output, of shape
# (samples, directions, *shape).
LinearMap = Callable[[Tensor], Tensor]


def is_sequence_of_known_layers(module: nn.Module) -> bool:
    """Return whether a module is a sequence of layers that are linear around almost every input.

    Sequences may be nested. Layers must not share parameters, have hooks, or compute their weight
    from other parameters, as ``torch.nn.utils.weight_norm`` does.
    """
    layers = flat_layers(module)
    parameters = [id(parameter) for layer in layers for parameter in layer.parameters()]
    return all(_is_known(layer) for layer in layers) and len(parameters) == len(set(parameters))


def _is_known(layer: nn.Module) -> bool:
    """Return whether a layer is supported and unmodified."""
    names = {name for name, _ in layer.named_parameters()}
    hooks = layer._forward_hooks or layer._forward_pre_hooks
    known = type(layer) in KNOWN or is_piecewise_linear(layer)
    return known and names <= {"weight", "bias"} and not hooks


def flat_layers(module: nn.Module) -> list[nn.Module]:
    """List the layers of a sequence, nested ones included; any other module is one layer."""
    # A class of its own may override what a sequence does; hooks may change its outputs.
    known = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
    if not known or module._forward_hooks or module._forward_pre_hooks:
        return [module]
    return [layer for part in module for layer in flat_layers(part)]


def having_parameters(layers: Sequence[nn.Module]) -> dict[int, nn.Module]:
    """Return the layers with parameters, by their index."""
    return {i: layer for i, layer in enumerate(layers) if any(True for _ in layer.parameters())}


def linear_map(layer: nn.Module, values: Float[Tensor, "samples *features"]) -> LinearMap:
    """Return the derivative of a layer at given inputs.

    Args:
        layer: Layer of a sequence for which ``is_sequence_of_known_layers`` holds, in eval mode.
        values: Inputs of the layer, which are not modified.

    Returns:
        Map of tangents; at a kink of a unit, that of autograd.
    """
    if isinstance(layer, nn.Linear):
        return lambda changes: functional.linear(changes, layer.weight)
    if isinstance(layer, nn.Conv2d):
        return _over_directions(lambda changes: _convolution(layer, changes))
    if isinstance(layer, BATCH_NORMS):
        scale = (layer.running_var + layer.eps).rsqrt()
        scale = scale if layer.weight is None else scale * layer.weight
        return lambda changes: changes * scale.view(-1, *[1] * (values.dim() - 2))
    if isinstance(layer, nn.MaxPool2d):
        return _choice_of_maxima(layer, values)
    if is_piecewise_linear(layer):
        slope = _slope(layer, values).unsqueeze(1)
        return lambda changes: changes * slope
    return _over_directions(layer)


def padded(layer: nn.Conv2d, values: Float[Tensor, "batch *image"]) -> Float[Tensor, "batch *_"]:
    """Pad the inputs of a convolution."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return functional.pad(values, layer._reversed_padding_repeated_twice, mode=mode)


def _convolution(layer: nn.Conv2d, changes: Tensor) -> Tensor:
    """Apply a convolution without its bias."""
    images = padded(layer, changes)
    return functional.conv2d(
        images, layer.weight, None, layer.stride, 0, layer.dilation, layer.groups
    )


def _over_directions(function: Callable[[Tensor], Tensor]) -> LinearMap:
    """Apply a function to samples and directions as one batch."""
    return lambda changes: function(changes.flatten(0, 1)).unflatten(0, changes.shape[:2])


def _slope(layer: nn.Module, values: Tensor) -> Tensor:
    """Return the derivative of an elementwise function."""
    values = values.detach().requires_grad_()
    with torch.enable_grad():
        total = layer(values.clone()).sum()
    return torch.autograd.grad(total, values)[0]


def _choice_of_maxima(layer: nn.MaxPool2d, values: Tensor) -> LinearMap:
    """Return the map that selects tangents at the largest entry of each window."""
    maxima, chosen = functional.max_pool2d(
        values,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.ceil_mode,
        True,
    )

    def choose(changes: Tensor) -> Tensor:
        positions = chosen.flatten(2).unsqueeze(1).expand(-1, changes.shape[1], -1, -1)
        return changes.flatten(3).gather(3, positions).unflatten(3, maxima.shape[2:])

    return choose


def linearized(
    layers: Sequence[nn.Module], inputs: Float[Tensor, "samples *features"]
) -> tuple[list[LinearMap], list[Tensor]]:
    """Linearize consecutive layers; also return their outputs with the graph."""
    values, maps, given = inputs.detach().requires_grad_(), [], []
    for layer in layers:
        maps.append(linear_map(layer, values.detach()))
        with torch.enable_grad():
            values = layer(values.clone())  # Layers may operate in place.
        given.append(values)
    return maps, given
