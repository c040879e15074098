from itertools import pairwise

import pytest
import torch
from torch import nn

from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import POOLINGS, architecture_of
from generalization.networks.convolutional import initialize_convolutional
from generalization.networks.sequences import sequence_of
from generalization.regions.crossing_costs import convolutional_layers, loop_costs
from generalization.regions.module_loop_costs import (
    evaluation_work,
    layers_of_loops,
    loop_resolution,
    module_loop_costs,
)


def perceptron(*widths):
    layers = [nn.Flatten()]
    for below, units in pairwise(widths):
        layers += [nn.Linear(below, units), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_a_perceptron_costs_as_much_as_a_stack_of_its_widths():
    found = module_loop_costs(perceptron(64, 20, 30, 10), torch.zeros(2, 1, 8, 8))
    expected = loop_costs((64, 20, 30, 10), 8)
    assert found == expected


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


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("architecture", "depth"), [("convolutional", 5), ("vgg", 4)])
def test_layers_that_are_planned_are_those_of_the_module(architecture, depth, pooling):
    one = Hyperparameters(
        dataset="digits", architecture=architecture, depth=depth, width=40, pooling=pooling
    )
    planned = architecture_of(one, (1, 16, 16), 10)
    network = initialize_convolutional(planned, "relu", [torch.Generator().manual_seed(0)])
    found = layers_of_loops(sequence_of(network), torch.zeros(1, 1, 16, 16))
    assert found == list(convolutional_layers(planned))


@pytest.mark.parametrize(("most", "points"), [(1e12, 4096), (64 * 2560, 64), (1, 8)])
def test_points_are_halved_until_a_loop_is_cheap_enough(most, points):
    assert loop_resolution(2560, 8, most) == points


def test_work_of_an_evaluation_counts_products_and_activations():
    # Flattened images, and logits.
    assert evaluation_work(perceptron(64, 10), torch.zeros(3, 1, 8, 8)) == 1280 + 100 * (64 + 10)
