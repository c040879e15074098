import dataclasses

import pytest
import torch

from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import architecture_of
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.training.sizes import networks_at_once, samples_at_once

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "widths", "settings", "at_once"),
    [
        (CPU, (64, 100, 100, 10), {}, 9),
        (CPU, (64, 100, 100, 10), {"batch_size": 1}, 29),
        (CPU, (784, 200, 200, 200, 10), {"batch_size": 256}, 1),
        (CPU, (3072, 2**16, 10), {}, 1),
        (CPU, (64, 2, 10), {"batch_size": 1}, 32),
        (GPU, (784, 200, 200, 200, 10), {"batch_size": 256}, 32),
        (CPU, (64, 2, 10), {"optimizer": "lbfgs"}, 1),
        (GPU, (64, 2, 10), {"optimizer": "lbfgs"}, 1),
    ],
)
def test_as_many_networks_as_suit_the_device(device, widths, settings, at_once):
    hyperparameters = Hyperparameters(dataset="digits", **settings)
    assert networks_at_once(32, widths, hyperparameters, device) == at_once


@pytest.mark.parametrize("device", [CPU, GPU])
def test_convolutional_networks_take_turns_in_one_stack(device):
    hyperparameters = Hyperparameters(dataset="digits", architecture="vgg", width=64)
    architecture = architecture_of(hyperparameters, (1, 28, 28), 10)
    assert networks_at_once(32, architecture, hyperparameters, device) == 32
    alone = dataclasses.replace(hyperparameters, optimizer="lbfgs")
    assert networks_at_once(32, architecture, alone, device) == 1


@pytest.mark.parametrize(("networks", "widest", "at_once"), [(1, 1024, 1024), (8, 10_000, 256)])
def test_wide_networks_take_fewer_samples_at_once(networks, widest, at_once):
    stack = FullyConnectedNetworks((torch.empty(networks, 2, widest),), "relu")
    assert samples_at_once(stack) == at_once
