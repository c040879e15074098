import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks

from generalization.measures.random_number import random_number


def test_generator_decides():
    networks = random_networks((2, 2), count=3)
    first = random_number(networks, torch.Generator().manual_seed(1))
    again = random_number(networks, torch.Generator().manual_seed(1))
    other = random_number(networks, torch.Generator().manual_seed(2))
    assert first.tolist() == again.tolist()
    assert len({*first.tolist(), *other.tolist()}) == 6


def test_uniform_between_zero_and_one():
    networks = random_networks((1, 1), count=100_000)
    values = random_number(networks, torch.Generator().manual_seed(0))
    assert 0 <= values.min() < 1e-4
    assert 1 - 1e-4 < values.max() < 1
    assert values.mean().item() == pytest.approx(1 / 2, abs=0.005)
    assert values.var().item() == pytest.approx(1 / 12, abs=0.002)


def test_module_is_one_network():
    module = PlainNetwork(random_networks((2, 2)))
    assert random_number(module, torch.Generator().manual_seed(1)).shape == (1,)
