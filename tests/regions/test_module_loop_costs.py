from itertools import pairwise

import pytest
import torch
from torch import nn

from generalization.regions import module_loop_costs as costs
from generalization.regions.crossing_costs import loop_costs
from generalization.regions.module_loop_costs import loop_resolution, module_loop_costs


def perceptron(*widths):
    layers = [nn.Flatten()]
    for below, units in pairwise(widths):
        layers += [nn.Linear(below, units), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_a_perceptron_costs_as_much_as_a_stack_of_its_widths():
    found = module_loop_costs(perceptron(64, 20, 30, 10), torch.zeros(2, 1, 8, 8))
    expected = loop_costs((64, 20, 30, 10), 8)
    # The logits are evaluated at the breakpoints, too.
    logits = (8 + 0.3 * 8 * 50) * 2 * 30 * 10
    assert found.flops == pytest.approx(expected.flops + logits)
    assert found.numbers == expected.numbers


def test_a_convolution_costs_its_products_at_every_position():
    layers = (
        nn.Conv2d(1, 3, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 5, 3),
        nn.ReLU(),
    )
    found = module_loop_costs(nn.Sequential(*layers), torch.zeros(1, 1, 8, 8))
    windows = 8 + 0.3 * 8 * 3 * 16
    units = windows + 0.3 * 8 * 3 * 16
    assert found.flops == pytest.approx(8 * 2 * 27 * 64 + units * 2 * 135 * 4)


@pytest.mark.parametrize(("most", "points"), [(1e12, 4096), (64 * 2560, 64), (1, 8)])
def test_points_are_halved_until_a_loop_is_cheap_enough(monkeypatch, most, points):
    monkeypatch.setattr(costs, "MOST_SAMPLED_WORK", most)
    monkeypatch.setattr(costs, "WORK_PER_ACTIVATION", 0)
    # A point takes 2 · 64 · 10 operations, twice.
    assert loop_resolution(perceptron(64, 10), torch.zeros(3, 1, 8, 8), 2) == points
