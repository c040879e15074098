import math

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.measures.local_learning_coefficient import local_learning_coefficient
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.sequences import sequence_of


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def data(count=30):
    inputs = torch.randn(count, 5, generator=seeded(1), dtype=torch.float64)
    return inputs, torch.randint(3, (count,), generator=seeded(2))


@pytest.mark.parametrize("localization", [1.0, 20.0])
def test_coefficient_of_a_quadratic_minimum(localization):
    # Half of the points have either label, so that w = 0 is a minimum; the Hessian of the loss by
    # the two weights is (1, −1; −1, 1) / 4, with eigenvalues 1/2 and 0.
    networks = FullyConnectedNetworks((torch.zeros(1, 2, 1).double(),), "relu")
    inputs, labels = torch.ones(200, 1).double(), torch.arange(200) % 2
    step_size = 0.004
    value = local_learning_coefficient(
        networks,
        inputs,
        labels,
        seeded(),
        chains=50,
        chain_steps=1500,
        batch_size=200,
        step_size=step_size,
        localization=localization,
    )
    half = 200 / math.log(200) / 2
    total = half + localization
    expected = half / total / 2 / (1 - step_size * total / 4)
    assert value.item() == pytest.approx(expected, rel=0.1)
    assert expected == pytest.approx(0.5, rel=0.08) or localization > 1


def test_network_is_measured_as_if_it_were_alone_and_as_a_module():
    networks, (inputs, labels) = random_networks((5, 6, 3), count=2, biases=True), data()
    settings = {"chain_steps": 6, "batch_size": 20}
    together = local_learning_coefficient(networks, inputs, labels, seeded(), **settings)
    alone = local_learning_coefficient(networks[1:], inputs, labels, seeded(), **settings)
    assert_close(together[1:], alone)
    module = sequence_of(networks[1:])
    of_module = local_learning_coefficient(module, inputs, labels, seeded(), **settings)
    assert_close(of_module, alone)


def test_step_of_one_chain():
    networks, (inputs, labels) = random_networks((5, 3)), data(10)
    value = local_learning_coefficient(
        networks, inputs, labels, seeded(), chains=1, chain_steps=2, step_size=0.01
    )
    generator, weight = seeded(), networks.weights[0].clone().requires_grad_()

    def loss(weight):
        return torch.nn.functional.cross_entropy(inputs @ weight[0].T, labels)

    torch.randperm(10, generator=generator)
    (gradient,) = torch.autograd.grad(loss(weight), weight)
    noise = torch.randn(1, 3, 5, generator=generator).double()
    moved = weight - 0.005 * 10 / math.log(10) * gradient + 0.1 * noise
    expected = 10 / math.log(10) * (loss(moved) - loss(weight)).item()
    assert value.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"chains": 0}, "chains must be at least 1, not 0."),
        ({"chain_steps": 1}, "chain_steps must be at least 2, not 1."),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0."),
    ],
)
def test_too_small_settings_are_refused(settings, sentence):
    networks, (inputs, labels) = random_networks((5, 3)), data()
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        local_learning_coefficient(networks, inputs, labels, seeded(), **settings)


def test_a_single_training_input_is_refused():
    networks, (inputs, labels) = random_networks((5, 3)), data(1)
    sentence = r"^The number of training inputs must be at least 2, not 1\.$"
    with pytest.raises(ValueError, match=sentence):
        local_learning_coefficient(networks, inputs, labels, seeded())
