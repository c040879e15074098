import pytest
import torch
from torch import nn

from generalization.regions.stages import Stage, can_be_followed, constant_up_to, polyline_stages


def test_maximum_is_taken_before_an_activation_that_was_below_it():
    conv, relu, pool, linear = nn.Conv2d(1, 2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Linear(2, 2)
    stages = [
        Stage(conv),
        Stage(relu, number=0),
        Stage(pool, bends=True),
        Stage(relu, bends=True),
        Stage(linear),
        Stage(relu, bends=True, number=1),
    ]
    assert polyline_stages(nn.Sequential(conv, relu, pool, linear, relu)) == stages
    assert [stage.passes for stage in stages] == [True, False, True, True, True, True]


def test_activation_that_falls_stays_below_the_maximum():
    fall, pool = nn.LeakyReLU(-0.5), nn.MaxPool2d(2)
    stages = [Stage(fall, bends=True, number=0), Stage(pool, bends=True)]
    assert polyline_stages(nn.Sequential(fall, pool)) == stages


@pytest.mark.parametrize(
    "activation", [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-2, 1), nn.Hardsigmoid()]
)
def test_numbers_up_to_the_floor_become_one(activation):
    floor = constant_up_to([Stage(activation)])
    at, below, above = activation(torch.tensor([floor, floor - 1, floor + 0.1]))
    assert at == below != above


@pytest.mark.parametrize("layers", [[], [nn.LeakyReLU()], [nn.Linear(2, 2), nn.ReLU()]])
def test_no_floor(layers):
    assert constant_up_to([Stage(layer) for layer in layers]) == -torch.inf


def test_jumps_cannot_be_followed():
    assert can_be_followed(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    assert not can_be_followed(nn.Sequential(nn.Linear(2, 2), nn.Threshold(0.1, 2.0)))
    assert not can_be_followed(nn.Sequential(nn.Linear(2, 2), nn.Tanh()))
