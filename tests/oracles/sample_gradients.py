"""Gradients at single points by autograd, slowly."""

import torch
from torch import nn


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
