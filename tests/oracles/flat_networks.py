"""Networks whose flatness is known, or that classify all their points as labelled."""

import torch
from oracles.softmax_jacobian import random_networks

from generalization.networks.fully_connected import FullyConnectedNetworks


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def linear(*weights):
    """Networks of one layer, whose logits at 1 are (w, v), one for each pair."""
    weight = torch.tensor(weights).double().unsqueeze(2)
    return FullyConnectedNetworks((weight,), "relu")


def one_point(count=1):
    return torch.ones(count, 1).double(), torch.zeros(count, dtype=torch.int64)


def learnt(count=60):
    """Two networks, and points with the labels that the first one gives them."""
    networks = random_networks((5, 8, 7, 3), count=2, biases=True)
    inputs = torch.randn(count, 5, generator=seeded(1), dtype=torch.float64)
    return networks, inputs, networks.logits(inputs)[0].argmax(1)
