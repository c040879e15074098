import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.errors import NoValue
from generalization.measures.class_selectivity import class_selectivity
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.sequences import sequence_of
from generalization.units.selectivity import class_selectivities


def images(count=30):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, 1, 3, 3, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(4, (count,), generator=generator)


def test_is_the_mean_over_units_not_over_layers():
    networks, (inputs, labels) = random_networks((9, 7, 20, 4), count=2), images()
    activations = [z.relu() for z in networks.preactivations(inputs[:20])[:-1]]
    of_units = [class_selectivities(layer, labels[:20]) for layer in activations]
    expected = (7 * of_units[0].mean(-1) + 20 * of_units[1].mean(-1)) / 27
    assert_close(class_selectivity(networks, inputs, labels, train_samples=20), expected)


def test_detectors_of_classes_are_selective():
    eye = torch.eye(10, dtype=torch.float64)[None]
    networks = FullyConnectedNetworks((eye, eye), "relu")
    assert class_selectivity(networks, eye[0], torch.arange(10)).item() == 1


def test_signed_activations_have_none():
    with pytest.warns(NoValue, match=r"^needs hidden activations of at least 0, not -"):
        found = class_selectivity(random_networks((9, 7, 4), "tanh"), *images())
    assert found.isnan().all()


def test_module_is_a_stack_of_one():
    networks = random_networks((9, 7, 8, 4))
    expected = class_selectivity(networks, *images())
    assert_close(class_selectivity(sequence_of(networks), *images()), expected)


def test_no_points_are_refused():
    with pytest.raises(ValueError, match=r"^train_samples must be at least 1, not 0\.$"):
        class_selectivity(random_networks((9, 7, 4)), *images(), train_samples=0)
