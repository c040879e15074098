"""Conversion of the networks of a stack to sequences of torch layers."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from generalization.networks.architectures import Architecture, Convolution, Linear, Pooling
from generalization.networks.batch_normalization import EPSILON, BatchNormalization
from generalization.networks.module_networks import ModuleNetworks
from generalization.networks.stacked_networks import StackedNetworks

POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


def module_of(network: StackedNetworks | ModuleNetworks) -> nn.Module:
    """Convert a stack of one network to a module in eval mode that shares no memory with it."""
    if isinstance(network, ModuleNetworks):
        (module,) = network.modules()
        return module
    return sequence_of(network)


def sequence_of(network: StackedNetworks) -> nn.Sequential:
    """Convert a network to an equivalent sequence of torch layers such as ``nn.Linear``.

    Normalizations become ``nn.BatchNorm1d`` or ``nn.BatchNorm2d``, poolings ``nn.MaxPool2d`` or
    ``nn.AvgPool2d``.

    Returns:
        A module in eval mode that shares no memory with the stack. Its parameters are those of the
        network; anything else it needs is a buffer.
    """
    return nn.Sequential(*_modules(network)).eval()


def _modules(network: StackedNetworks) -> Iterator[nn.Module]:
    depth, flat = 0, False
    for layer in _network_layers(network):
        if isinstance(layer, Pooling):
            yield POOLINGS[layer.kind](layer.window)
            continue
        if isinstance(layer, Linear) and not flat:
            yield nn.Flatten()
            flat = True
        hidden = depth < network.depth - 1
        # The offset of an activation function is added to the biases or shifts below it.
        raised = network.phi.offset if hidden else 0.0
        normalization = network.normalizations[depth] if hidden and network.normalizations else None
        weight = network.weights[depth][0]
        bias = network.biases[depth][0] if network.biases else None
        yield _affine(layer, weight, bias, 0.0 if normalization else raised)
        if normalization:
            yield _batch_norm(normalization, layer, raised)
        if hidden:
            yield network.phi.new_module()
        depth += 1


def _network_layers(network: StackedNetworks) -> tuple[Convolution | Pooling | Linear, ...]:
    """Return the layers of a network; fully connected networks have one per weight."""
    if isinstance(network.architecture, Architecture):
        return network.architecture.layers
    return tuple(Linear(*weight.shape[:0:-1]) for weight in network.weights)


def _affine(
    layer: Convolution | Linear, weight: Tensor, bias: Tensor | None, raised: float
) -> nn.Module:
    """Build a layer with this weight, and with this bias plus an offset."""
    made = {"bias": bias is not None, "dtype": weight.dtype, "device": weight.device}
    if isinstance(layer, Linear):
        module = nn.Linear(layer.features, layer.units, **made)
    else:
        channels, kernel = (layer.channels_in, layer.channels_out), weight.shape[2:]
        placing = {"stride": layer.stride, "padding": layer.padding}
        module = nn.Conv2d(*channels, tuple(kernel), **placing, **made)
    with torch.no_grad():
        module.weight.copy_(weight)
        if bias is not None:
            module.bias.copy_(bias + raised)
    if bias is None and raised:
        # A buffer, since the network has no such parameter.
        del module.bias
        module.register_buffer("bias", weight.new_full(weight.shape[:1], raised))
    return module


def _batch_norm(
    normalization: BatchNormalization, layer: Convolution | Linear, raised: float
) -> nn.BatchNorm1d | nn.BatchNorm2d:
    """Build the normalization of a layer, with an offset added to its shift."""
    kind = nn.BatchNorm1d if isinstance(layer, Linear) else nn.BatchNorm2d
    scale = normalization.scale[0]
    module = kind(len(scale), eps=EPSILON, dtype=scale.dtype, device=scale.device)
    with torch.no_grad():
        module.weight.copy_(scale)
        module.bias.copy_(normalization.shift[0] + raised)
    module.running_mean.copy_(normalization.mean[0])
    module.running_var.copy_(normalization.variance[0])
    return module
