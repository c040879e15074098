"""Numbers of networks and samples to process at once, which change results only by rounding."""

from itertools import pairwise

import torch

from generalization.devices import items_at_once
from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import AnyArchitecture, Architecture
from generalization.networks.foreign_architecture import ForeignArchitecture
from generalization.networks.module_networks import reason_apart, template_of
from generalization.networks.stacked_networks import StackedNetworks


def networks_at_once(
    networks: int,
    architecture: AnyArchitecture,
    hyperparameters: Hyperparameters,
    device: torch.device,
) -> int:
    """Return the number of networks of an ensemble that train as one stack.

    On a CPU these are as many as fit in its cache with their weights, gradients and the activations
    of a batch: wide networks train alone. On a GPU all networks train at once. L-BFGS, whose line
    search is per network, trains one at a time. For convolutional networks, which are
    backpropagated one by one, only the optimizer works on the whole stack.
    """
    if hyperparameters.optimizer == "lbfgs":
        return 1
    if isinstance(architecture, ForeignArchitecture):
        return modules_at_once(networks, architecture, hyperparameters.batch_size, device)
    if isinstance(architecture, Architecture):
        return networks
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(architecture))
    activations = hyperparameters.batch_size * sum(architecture)
    return min(networks, items_at_once("training", 4 * 2 * (weights + activations), device))


def modules_at_once(
    networks: int, architecture: ForeignArchitecture, batch_size: int, device: torch.device
) -> int:
    """Return the number of networks of a user's module that train as one stack.

    Those that are computed one after the other also train so.
    """
    if reason_apart(architecture, device):
        return 1
    template = template_of(architecture)
    weights = sum(one.numel() for one in template.module.parameters())
    size = 4 * 2 * (weights + batch_size * sum(template.widths))
    return min(networks, items_at_once("training", size, device))


def samples_at_once(networks: StackedNetworks) -> int:
    """Return the number of samples per network to process at once, at least 256."""
    numbers_per_sample = len(networks) * max(networks.widths)
    return max(256, items_at_once("activations", numbers_per_sample, networks.weights[0].device))
