"""Norms of the softmax's Jacobian by its definition, slowly."""

from itertools import pairwise

import mpmath
import torch
from torch import nn
from torch.func import jacrev, vmap

from generalization.networks.fully_connected import FullyConnectedNetworks


class PlainNetwork(nn.Module):
    """One network of a stack as a module that shares nothing with the stack's own methods."""

    def __init__(self, networks: FullyConnectedNetworks, member: int = 0) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for layer, weight in enumerate(networks.weights):
            linear = nn.Linear(*weight.shape[:0:-1], bias=bool(networks.biases), dtype=weight.dtype)
            linear.weight.data = weight[member].clone()
            if networks.biases:
                linear.bias.data = networks.biases[layer][member].clone()
            self.layers.append(linear)
        self.activation = {
            "relu": nn.ReLU(),
            "relu6": nn.ReLU6(),
            "tanh": nn.Tanh(),
            "hardtanh": nn.Hardtanh(),
            "hardsigmoid": lambda z: (z + 0.5).clamp(0, 1),
        }[networks.activation]

    def forward(self, inputs):
        activations = inputs.flatten(1)
        for layer in self.layers[:-1]:
            activations = self.activation(layer(activations))
        return self.layers[-1](activations)


def logit_jacobians(module, inputs):
    """∂f/∂x of every point, (samples, classes, features), by reverse passes."""
    return vmap(jacrev(lambda x: module(x.unsqueeze(0))[0]))(inputs).flatten(2)


def softmax_jacobian_norms(module, inputs):
    """‖∂σ(f)/∂x‖_F of every point by autograd. Wrong for confident networks, in any precision."""
    jacobians = vmap(jacrev(lambda x: module(x.unsqueeze(0))[0].softmax(-1)))(inputs)
    return jacobians.flatten(1).norm(dim=1)


def exact_softmax_jacobian_norm(networks: FullyConnectedNetworks, point, *, digits: int = 400):
    """‖∂σ(f)/∂x‖_F of a bias-free ReLU network at one point, to as many digits as it takes."""
    with mpmath.workdps(digits):
        activations = mpmath.matrix(point.double().tolist())
        jacobian = mpmath.eye(len(activations))
        for layer, weight in enumerate(networks.weights):
            weight = mpmath.matrix(weight[0].double().tolist())
            activations, jacobian = weight * activations, weight * jacobian
            if layer < networks.depth - 1:
                for unit in range(len(activations)):
                    if activations[unit] <= 0:
                        activations[unit] = mpmath.mpf(0)
                        jacobian[unit, :] = mpmath.zeros(1, jacobian.cols)
        exponentials = [mpmath.exp(logit) for logit in activations]
        probabilities = [exponential / sum(exponentials) for exponential in exponentials]
        mean = mpmath.matrix([probabilities]) * jacobian
        squares = [
            (probability * (jacobian[k, column] - mean[0, column])) ** 2
            for k, probability in enumerate(probabilities)
            for column in range(jacobian.cols)
        ]
        return float(mpmath.sqrt(sum(squares)))


def random_networks(widths, activation="relu", *, count=1, biases=False, dtype=torch.float64):
    """A stack whose biases, if it has any, are not zero."""
    generator = torch.Generator().manual_seed(0)
    weights = [
        torch.randn(count, fan_out, fan_in, generator=generator, dtype=dtype) * (2 / fan_in) ** 0.5
        for fan_in, fan_out in pairwise(widths)
    ]
    offsets = [
        torch.randn(count, units, generator=generator, dtype=dtype) / 2
        for units in widths[1:]
        if biases
    ]
    return FullyConnectedNetworks(tuple(weights), activation, tuple(offsets))
