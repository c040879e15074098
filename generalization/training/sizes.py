"""How many networks and samples to process at once. It changes results by rounding only."""

from itertools import pairwise

import torch

from generalization.devices import items_at_once
from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import AnyArchitecture, Architecture
from generalization.networks.stacked_networks import StackedNetworks


def networks_at_once(
    networks: int,
    architecture: AnyArchitecture,
    hyperparameters: Hyperparameters,
    device: torch.device,
) -> int:
    """Return the number of networks of an ensemble that train as one stack.

    A CPU takes as many as stay in its cache, with their weights, gradients and the activations of
    a batch: a wide network trains alone. A GPU takes all. L-BFGS searches a line for every network
    alone. Convolutional networks of a stack take turns, so that only what an optimizer does is done
    at once.
    """
    if hyperparameters.optimizer == "lbfgs":
        return 1
    if isinstance(architecture, Architecture):
        return networks
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(architecture))
    activations = hyperparameters.batch_size * sum(architecture)
    return min(networks, items_at_once("training", 4 * 2 * (weights + activations), device))


def samples_at_once(networks: StackedNetworks) -> int:
    """Return the number of samples per network that a stack takes at once, at least 256."""
    numbers_per_sample = len(networks) * max(networks.widths)
    return max(256, items_at_once("activations", numbers_per_sample, networks.weights[0].device))
