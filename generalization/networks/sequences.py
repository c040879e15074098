"""A network of a stack as a sequence of torch's layers."""

import torch
from torch import Tensor, nn

from generalization.networks.batch_normalization import EPSILON, BatchNormalization
from generalization.networks.fully_connected import FullyConnectedNetworks

# HardSigmoid is this one plus ½, which the biases above it take up.
ACTIVATIONS = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "tanh": nn.Tanh,
    "hardtanh": nn.Hardtanh,
    "hardsigmoid": lambda: nn.Hardtanh(-0.5, 0.5),
}


def sequence_of(network: FullyConnectedNetworks) -> nn.Sequential:
    """The same function in eval mode, of ``nn.Linear`` and, where it has them, ``nn.BatchNorm1d``.

    Args:
        network: A stack of one.

    Returns:
        A module in eval mode that shares no memory with the stack. Where units have no biases,
        those of the module are constants.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for layer, weight in enumerate(network.weights):
        bias = network.biases[layer][0] if network.biases else weight.new_zeros(weight.shape[1])
        if layer and network.activation == "hardsigmoid":
            bias = bias + weight[0].sum(1) / 2
        layers.append(_linear(weight[0], bias))
        if layer < network.depth - 1:
            layers += [_batch_norm(one) for one in network.normalizations[layer : layer + 1]]
            layers.append(ACTIVATIONS[network.activation]())
    return nn.Sequential(*layers).eval()


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(*weight.T.shape, dtype=weight.dtype, device=weight.device)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


def _batch_norm(normalization: BatchNormalization) -> nn.BatchNorm1d:
    scale = normalization.scale[0]
    layer = nn.BatchNorm1d(len(scale), eps=EPSILON, dtype=scale.dtype, device=scale.device)
    with torch.no_grad():
        layer.weight.copy_(scale)
        layer.bias.copy_(normalization.shift[0])
    layer.running_mean.copy_(normalization.mean[0])
    layer.running_var.copy_(normalization.variance[0])
    return layer
