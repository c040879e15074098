import pandas as pd
import pytest
import torch
from oracles.frozen import training_of
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from generalization.experiments.similarity.freezing_courses import freezing_courses

IMAGES, CLASSES = {"digits": (1, 8, 8)}, {"digits": 10}


def flops_of_steps(frozen, crop=8):
    """FLOPs of every step of three linear layers, with requires_grad off, as torch counts them."""
    network = nn.Sequential(nn.Linear(crop * crop, 20), nn.Linear(20, 20), nn.Linear(20, 10))
    total = [0]
    for layers in frozen:
        for layer in network[:layers]:
            layer.requires_grad_(False)
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(50, crop * crop)).sum().backward()
        total.append(total[-1] + counter.get_total_flops())
    return total


@pytest.mark.parametrize("crop", [None, 6])
def test_cost_is_that_of_steps_without_the_gradients_of_frozen_layers(crop):
    training = training_of(width=20, max_steps=12, batch_size=50, crop=crop)
    courses = freezing_courses(training, IMAGES, CLASSES)
    # Layers 1 and 2 of 3 are frozen after a third and two thirds of the steps.
    expected = {"none": [0] * 12, "bottom_up": [0] * 4 + [1] * 4 + [2] * 4}
    for kind, frozen in expected.items():
        rows = courses[(courses["freeze_layers"] == kind) & (courses["seed"] == 1)]
        total = flops_of_steps(frozen, crop or 8)
        assert rows["flops"].tolist() == [total[step] for step in rows["step"]]
        assert rows["frozen"].tolist() == [[*frozen, frozen[-1]][step] for step in rows["step"]]


def test_settings_without_frozen_networks_are_left_out():
    both = training_of(learning_rate=0.1)
    alone = training_of(learning_rate=0.2, kinds=["none"])
    courses = freezing_courses(pd.concat([both, alone]), IMAGES, CLASSES)
    assert set(courses["learning_rate"]) == {0.1}
    assert len(courses) == len(both)
    nothing = freezing_courses(alone, IMAGES, CLASSES)
    assert nothing.empty
    assert {"frozen", "flops"} <= set(nothing)


def test_networks_of_a_foreign_architecture_are_left_out():
    both = training_of()
    foreign = training_of(architecture="my_networks:build", kinds=["none"])
    courses = freezing_courses(pd.concat([both, foreign]), IMAGES, CLASSES)
    assert set(courses["architecture"]) == {"fully_connected"}
