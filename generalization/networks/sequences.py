"""A network of a stack as a sequence of torch's layers."""

import torch
from torch import Tensor, nn

from generalization.networks.batch_normalization import EPSILON, BatchNormalization
from generalization.networks.fully_connected import FullyConnectedNetworks

# HardSigmoid takes what is ½ more, which biases or shifts of the same layer have.
ACTIVATIONS = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "tanh": nn.Tanh,
    "hardtanh": nn.Hardtanh,
    "hardsigmoid": lambda: nn.Hardtanh(0.0, 1.0),
}


def sequence_of(network: FullyConnectedNetworks) -> nn.Sequential:
    """The same function in eval mode, of ``nn.Linear`` and, where it has them, ``nn.BatchNorm1d``.

    Args:
        network: A stack of one.

    Returns:
        A module in eval mode that shares no memory with the stack. Its parameters are those of the
        network: what it needs beside these is a buffer.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for layer, weight in enumerate(network.weights):
        hidden = layer < network.depth - 1
        raised = 0.5 if hidden and network.activation == "hardsigmoid" else 0.0
        normalizations = network.normalizations[layer : layer + 1]
        bias = network.biases[layer][0] if network.biases else None
        layers.append(_linear(weight[0], bias, 0.0 if normalizations else raised))
        layers += [_batch_norm(normalization, raised) for normalization in normalizations]
        if hidden:
            layers.append(ACTIVATIONS[network.activation]())
    return nn.Sequential(*layers).eval()


def _linear(weight: Tensor, bias: Tensor | None, raised: float) -> nn.Linear:
    """A layer with this weight, and with this bias raised by so much."""
    layer = nn.Linear(*weight.T.shape, bias is not None, weight.device, weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias + raised)
    if bias is None and raised:
        # No parameter, since the network has none.
        del layer.bias
        layer.register_buffer("bias", weight.new_full(weight.shape[:1], raised))
    return layer


def _batch_norm(normalization: BatchNormalization, raised: float) -> nn.BatchNorm1d:
    """The normalization of a layer, with its shift raised by so much."""
    scale = normalization.scale[0]
    layer = nn.BatchNorm1d(len(scale), eps=EPSILON, dtype=scale.dtype, device=scale.device)
    with torch.no_grad():
        layer.weight.copy_(scale)
        layer.bias.copy_(normalization.shift[0] + raised)
    layer.running_mean.copy_(normalization.mean[0])
    layer.running_var.copy_(normalization.variance[0])
    return layer
