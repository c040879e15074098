"""Output sensitivity as the authors compute it: a loop over networks and draws, with NumPy."""

import numpy as np
import torch
from oracles.softmax_jacobian import PlainNetwork


def output_changes(networks, inputs, noise, generator, draws=1):
    """f(x + ε) − f(x) of modules made of a stack, (networks, draws, samples, classes).

    Args:
        networks: A stack.
        inputs: Points.
        noise: Standard deviation of ε at every point, in units of inputs.
        generator: Of the noise, in single precision, a draw of all points after the other.
        draws: How many.
    """
    scales = noise.view(-1, *[1] * (inputs.dim() - 1))
    noisy = [
        inputs + scales * torch.randn(inputs.shape, generator=generator).to(inputs)
        for _ in range(draws)
    ]
    modules = [PlainNetwork(networks, member) for member in range(len(networks))]
    with torch.no_grad():
        changes = [[module(x) - module(inputs) for x in noisy] for module in modules]
    return torch.stack([torch.stack(of_network) for of_network in changes]).numpy()


def mean_output_sensitivity(changes):
    """Mean over outputs first, then the variance of all points and draws."""
    return np.var(changes.mean(-1), axis=(1, 2))


def output_sensitivity_per_output(changes):
    return np.var(changes, axis=(1, 2)).mean(-1)


def centered_output_sensitivity(changes):
    centered = changes - changes.mean(-1, keepdims=True)
    return np.var(centered, axis=(1, 2)).sum(-1) / (changes.shape[-1] - 1)
