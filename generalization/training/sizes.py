"""How much one matrix product takes, by size and device. It changes no result but by rounding."""

from itertools import pairwise

import torch

from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import Architecture
from generalization.networks.stacked_networks import AnyArchitecture, StackedNetworks

# Bytes. The best stacks of six shapes from 64-50-10 to 784-200-200-200-10 took 1.5 to 4.5 MiB.
CACHE = 2**22
ACTIVATIONS_ON_CPU, ACTIVATIONS_ON_GPU = 2**20, 2**28  # Per layer: 4 MiB and 1 GiB.


def networks_at_once(
    networks: int,
    architecture: AnyArchitecture,
    hyperparameters: Hyperparameters,
    device: torch.device,
) -> int:
    """How many of the networks of an ensemble train as one stack.

    A GPU takes all, because there the launch of a kernel is dear. A CPU takes as many as stay in
    its cache, with their weights, gradients and the activations of a batch: a wide network trains
    alone. L-BFGS searches a line for every network alone. Convolutional networks of a stack take
    turns, so that only what an optimizer does is done at once.
    """
    if hyperparameters.optimizer == "lbfgs":
        return 1
    if device.type != "cpu" or isinstance(architecture, Architecture):
        return networks
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(architecture))
    activations = hyperparameters.batch_size * sum(architecture)
    return min(networks, max(1, CACHE // (4 * 2 * (weights + activations))))


def samples_at_once(networks: StackedNetworks) -> int:
    """How many samples per network a stack takes at once, at least 256."""
    on_cpu = networks.weights[0].device.type == "cpu"
    activations = ACTIVATIONS_ON_CPU if on_cpu else ACTIVATIONS_ON_GPU
    return max(256, activations // (len(networks) * max(networks.widths)))
