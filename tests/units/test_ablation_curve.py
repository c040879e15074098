import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.networks.sequences import sequence_of
from generalization.units.ablation_curve import ablation_curve, area_under


def curve(networks, **settings):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(30, 9, generator=generator, dtype=torch.float64)
    labels = torch.randint(4, (30,), generator=generator)
    chosen = {"orders": 3, "increments": 5} | settings
    return ablation_curve(networks, inputs, labels, generator, **chosen)


def test_fractions_are_those_that_are_ablated():
    networks = random_networks((9, 7, 4, 4), count=2)
    fractions, accuracies = curve(networks, increments=4)
    # A quarter and three quarters of 11 units, 2.75 and 8.25, are rounded.
    assert_close(fractions, torch.tensor([0, 3, 6, 8, 11]).double() / 11)
    assert accuracies.shape == (2, 3, 5)
    fractions, _ = curve(networks, layer=1, increments=20)
    assert_close(fractions, torch.linspace(0, 1, 5, dtype=torch.float64))


def test_orders_are_those_of_the_generator():
    networks = random_networks((9, 7, 8, 4), count=2)
    for part, same in zip(curve(networks), curve(networks), strict=True):
        assert torch.equal(part, same)
    assert_close(curve(sequence_of(networks[:1]))[1], curve(networks)[1][:1])


def test_area_is_the_mean_over_the_range():
    amounts = torch.tensor([0.0, 1.0, 4.0])
    accuracies = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.75, 0.0]])
    assert area_under(amounts, accuracies).tolist() == pytest.approx([1, (0.875 + 1.125) / 4])
