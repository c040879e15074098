from math import log2

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.measures.class_information import class_information
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.sequences import sequence_of
from generalization.units.information import class_information as of_units


def images(count=200):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, 1, 3, 3, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(4, (count,), generator=generator)


def test_is_the_mean_over_units_not_over_layers():
    networks, (inputs, labels) = random_networks((9, 7, 20, 4), count=2), images()
    layers = [z.relu() for z in networks.preactivations(inputs[:100])[:-1]]
    expected = [
        torch.cat([of_units(layer[network], labels[:100], bins=5) for layer in layers]).mean()
        for network in range(2)
    ]
    found = class_information(networks, inputs, labels, train_samples=100, bins=5)
    assert_close(found, torch.stack(expected))


def test_detector_of_a_class_tells_that_class():
    eye = torch.eye(10, dtype=torch.float64)[None]
    labels = torch.arange(10).repeat(1000)
    found = class_information(
        FullyConnectedNetworks((eye, eye), "relu"), eye[0][labels], labels, train_samples=10_000
    )
    assert found.item() == pytest.approx(-0.1 * log2(0.1) - 0.9 * log2(0.9), abs=1e-3)


def test_module_is_a_stack_of_one():
    networks = random_networks((9, 7, 8, 4))
    expected = class_information(networks, *images())
    assert_close(class_information(sequence_of(networks), *images()), expected)


@pytest.mark.parametrize("name", ["train_samples", "bins"])
def test_nothing_to_count_is_refused(name):
    with pytest.raises(ValueError, match=rf"^{name} must be at least 1, not 0\.$"):
        class_information(random_networks((9, 7, 4)), *images(), **{name: 0})
