import pytest
import torch
from oracles.ablations import slow_accuracies
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.measures.ablation_auc import ablation_auc
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.sequences import sequence_of
from generalization.units.unit_orders import random_orders


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=30):
    inputs = torch.randn(count, 1, 3, 3, generator=seeded(1), dtype=torch.float64)
    return inputs, torch.randint(4, (count,), generator=seeded(2))


def identity(classes=10):
    """One detector per class."""
    eye = torch.eye(classes, dtype=torch.float64)[None]
    return FullyConnectedNetworks((eye, eye), "relu")


@pytest.mark.parametrize("mode", ["zero", "mean", "class_mean"])
def test_area_by_its_definition(mode):
    networks, (inputs, labels) = random_networks((9, 7, 8, 4), count=2), images()
    found = ablation_auc(networks, inputs, labels, seeded(), orders=3, increments=5, mode=mode)
    orders = random_orders((7, 8), (0, 1), (0, 3, 6, 9, 12, 15), 3, seeded())
    curves = slow_accuracies(networks, inputs, labels, orders, mode).mean(1)
    assert_close(found, (curves[:, 0] / 2 + curves[:, 1:-1].sum(1) + curves[:, -1] / 2) / 5)


def test_identity_detectors_have_an_area_of_055():
    inputs, labels = torch.eye(10).double(), torch.arange(10)
    found = ablation_auc(identity(), inputs, labels, seeded(), orders=5000)
    assert found.item() == pytest.approx(0.55, abs=2e-3)


def test_area_lies_between_the_smallest_and_the_largest_accuracy():
    networks, (inputs, labels) = random_networks((9, 7, 4), count=5, biases=True), images()
    areas = ablation_auc(networks, inputs, labels, seeded(), orders=3, increments=7)
    orders = random_orders((7,), (0,), range(8), 3, seeded())
    curves = slow_accuracies(networks, inputs, labels, orders, "zero").mean(1)
    assert (areas > curves.amin(1)).all()
    assert (areas < curves.amax(1)).all()


def test_first_training_inputs_are_used():
    networks, (inputs, labels) = random_networks((9, 7, 4)), images()
    some = ablation_auc(networks, inputs, labels, seeded(), train_samples=12)
    assert_close(some, ablation_auc(networks, inputs[:12], labels[:12], seeded()))
    all_of_them = ablation_auc(networks, inputs, labels, seeded(), train_samples=99)
    assert_close(all_of_them, ablation_auc(networks, inputs, labels, seeded(), train_samples=30))


def test_module_is_a_stack_of_one():
    networks, data = random_networks((9, 7, 8, 4)), images()
    expected = ablation_auc(networks, *data, seeded())
    assert_close(ablation_auc(sequence_of(networks), *data, seeded()), expected)


@pytest.mark.parametrize("name", ["train_samples", "orders", "increments"])
def test_nothing_to_average_is_refused(name):
    with pytest.raises(ValueError, match=rf"^{name} must be at least 1, not 0\.$"):
        ablation_auc(random_networks((9, 7, 4)), *images(), seeded(), **{name: 0})
