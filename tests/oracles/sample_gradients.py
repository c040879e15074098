"""Gradients at single points by autograd, slowly."""

import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch import nn

EXACT = {"rtol": 1e-12, "atol": 1e-15}
CASES = [(activation, biases) for activation in ("relu", "tanh") for biases in (False, True)]


def flat_gradient(module, value):
    """Gradient of a number by all parameters of a module, as one vector."""
    parameters = list(module.parameters())
    gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    return torch.cat([
        (torch.zeros_like(parameter) if gradient is None else gradient).flatten()
        for parameter, gradient in zip(parameters, gradients, strict=True)
    ])


def loss_gradients(module, inputs, labels):
    """Gradient of the cross-entropy at every point, (samples, parameters)."""
    losses = nn.functional.cross_entropy(module(inputs), labels, reduction="none")
    return torch.stack([flat_gradient(module, loss) for loss in losses])


def logit_gradients(module, inputs):
    """Gradient of every logit at every point, (samples, classes, parameters)."""
    return torch.stack([
        torch.stack([flat_gradient(module, logit) for logit in of_point])
        for of_point in module(inputs)
    ])


def gauss_newton_matrix(module, inputs):
    """Mean over points of Jᵀ (diag(σ) − σσᵀ) J."""
    jacobians = logit_gradients(module, inputs)
    probabilities = module(inputs).detach().softmax(-1)
    curvatures = torch.diag_embed(probabilities) - torch.einsum(
        "nk,nj->nkj", probabilities, probabilities
    )
    return torch.einsum("nkp,nkj,njq->pq", jacobians, curvatures, jacobians) / len(inputs)


def data(count=8, features=5):
    """Inputs and labels of three classes."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, features, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (count,), generator=generator)


def stack(activation="relu", biases=True):
    """Two networks of three layers."""
    return random_networks((5, 6, 4, 3), activation, count=2, biases=biases)


def modules(networks):
    """Networks of a stack, one module each."""
    return [PlainNetwork(networks, member) for member in range(len(networks))]


def convolutional():
    """Module for images of 1 × 3 × 3."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 2, 2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2, 3)]
    return nn.Sequential(*layers).double()
