"""Numbers of networks and samples to process at once, which change results only by rounding.

Args:
    architecture: Architecture of an ensemble; the widths if its networks are fully connected.
    copies: Number of tensors in the shape of the weights that training takes at its peak.
"""

from itertools import pairwise
from math import prod

import torch

from generalization.devices import items_at_once, usable_memory
from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import AnyArchitecture, Architecture
from generalization.networks.foreign_architecture import ForeignArchitecture
from generalization.networks.module_networks import reason_apart, template_of
from generalization.networks.stacked_networks import StackedNetworks

# Share of the memory of a GPU for the networks in training; evaluations and the data take the rest.
SHARE_OF_STACK = 0.75


def networks_at_once(
    networks: int,
    architecture: AnyArchitecture,
    hyperparameters: Hyperparameters,
    device: torch.device,
    *,
    copies: int = 4,
) -> int:
    """Return the number of networks of an ensemble that train as one stack.

    On a CPU these are as many as fit in its cache with their weights, gradients and the activations
    of a batch: wide networks train alone. On a GPU all networks that its memory holds train at
    once. L-BFGS, whose line search is per network, trains one at a time. For convolutional
    networks, which are backpropagated one by one, only the optimizer works on the whole stack.

    Args:
        networks: Number of networks of the ensemble.
    """
    if hyperparameters.optimizer == "lbfgs":
        return 1
    if isinstance(architecture, ForeignArchitecture) and reason_apart(architecture, device):
        return 1  # Those that are computed one after the other also train so.
    if device.type != "cpu":
        size = bytes_of_training(architecture, hyperparameters, copies)
        return max(1, min(networks, int(SHARE_OF_STACK * usable_memory(device)) // size))
    if isinstance(architecture, ForeignArchitecture):
        return modules_at_once(networks, architecture, hyperparameters.batch_size, device)
    if isinstance(architecture, Architecture):
        return networks
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(architecture))
    activations = hyperparameters.batch_size * sum(architecture)
    return min(networks, items_at_once("training", 4 * 2 * (weights + activations), device))


def bytes_of_training(
    architecture: AnyArchitecture, hyperparameters: Hyperparameters, copies: int
) -> int:
    """Return the bytes that a network of a stack takes in training."""
    if isinstance(architecture, ForeignArchitecture):
        template = template_of(architecture)
        weights = sum(one.numel() for one in template.module.parameters())
        per_sample = 3 * sum(template.widths)
    elif isinstance(architecture, Architecture):
        weights = sum(prod(layer.weight_shape) for layer in architecture.weighted)
        inputs, *hidden, classes = architecture.widths
        # Networks take turns: of every one only the batch and its masks are there all the time.
        per_sample = inputs + 2 * sum(hidden) * (hyperparameters.dropout > 0)
    else:
        weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(architecture))
        inputs, *hidden, classes = architecture
        kept = 1 + (hyperparameters.normalization == "batch") + 2 * (hyperparameters.dropout > 0)
        scratch = 3 * max([0, *hidden])
        # The last batch of an epoch, which may be smaller, has buffers of its own.
        per_sample = 2 * (inputs + kept * sum(hidden) + scratch + 4 * classes)
    return 4 * (copies * weights + hyperparameters.batch_size * per_sample)


def modules_at_once(
    networks: int, architecture: ForeignArchitecture, batch_size: int, device: torch.device
) -> int:
    """Return the number of networks of a user's module that train as one stack on a CPU."""
    template = template_of(architecture)
    weights = sum(one.numel() for one in template.module.parameters())
    size = 4 * 2 * (weights + batch_size * sum(template.widths))
    return min(networks, items_at_once("training", size, device))


def samples_at_once(networks: StackedNetworks) -> int:
    """Return the number of samples per network to process at once, at least 256."""
    numbers_per_sample = len(networks) * max(networks.widths)
    return max(256, items_at_once("activations", numbers_per_sample, networks.weights[0].device))


def samples_per_backward(networks: StackedNetworks) -> int:
    """Return the number of samples per network to backpropagate at once, at least 256.

    The activations of all layers are kept until then. On a CPU, where blocks are small anyway, the
    widest layer decides, as in an evaluation.
    """
    device = networks.weights[0].device
    if device.type == "cpu":
        return samples_at_once(networks)
    numbers_per_sample = len(networks) * (sum(networks.widths) + 2 * max(networks.widths))
    return max(256, items_at_once("activations", numbers_per_sample, device))
