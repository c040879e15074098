import math

import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch import nn
from torch.testing import assert_close

from generalization.measures.training_loss import training_loss
from generalization.networks.fully_connected import FullyConnectedNetworks


def linear(*rows):
    """A network whose logits at input 1 are these."""
    weight = torch.tensor(rows, dtype=torch.float64).reshape(1, -1, 1)
    return FullyConnectedNetworks((weight,), "relu")


def test_equals_cross_entropy_of_every_network_alone():
    networks = random_networks((9, 7, 4), count=3, biases=True)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(50, 9, generator=generator, dtype=torch.float64)
    labels = torch.randint(4, (50,), generator=generator)
    expected = [
        nn.functional.cross_entropy(logits, labels).item() for logits in networks.logits(inputs)
    ]
    assert training_loss(networks, inputs, labels).tolist() == pytest.approx(expected)
    by_module = training_loss(PlainNetwork(networks, 2), inputs, labels)
    assert by_module.tolist() == pytest.approx(expected[2:])


def test_undecided_network_has_the_logarithm_of_the_number_of_classes():
    loss = training_loss(linear(7, 7, 7, 7), torch.ones(2, 1).double(), torch.tensor([0, 3]))
    assert loss.item() == pytest.approx(math.log(4))


@pytest.mark.parametrize("margin", [20, 50, 300])
def test_certain_network_keeps_its_digits(margin):
    networks = linear(margin, 0, 0)
    right = training_loss(networks, torch.ones(1, 1).double(), torch.tensor([0])).item()
    assert right == pytest.approx(2 * math.exp(-margin), rel=1e-8, abs=0)
    wrong = training_loss(networks, torch.ones(1, 1).double(), torch.tensor([1])).item()
    assert wrong == pytest.approx(margin)


def test_float32_network_is_summed_in_float64():
    networks = linear(20, 0).to(torch.float32)
    loss = training_loss(networks, torch.ones(1, 1), torch.tensor([0]))
    assert_close(loss, torch.tensor([math.exp(-20)]).double())


def test_module_is_evaluated_in_eval_mode():
    module = nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.9))
    inputs, labels = torch.ones(20, 5), torch.zeros(20, dtype=torch.int64)
    expected = nn.functional.cross_entropy(module[0](inputs), labels).double()
    assert_close(training_loss(module, inputs, labels)[0], expected, rtol=1e-6, atol=0)
