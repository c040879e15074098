from math import pi

import pytest
import torch
from torch import Generator

from generalization.devices import BUDGETS, Budget
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.regions.ellipse_crossings import ellipse_crossings
from generalization.regions.sampled_ellipses import sampled_crossings
from generalization.regions.trajectories import ellipses_through, random_ellipses

PIECEWISE_LINEAR = ["relu", "relu6", "hardtanh", "hardsigmoid"]


def network_of(activation, seed=0):
    generator = Generator().manual_seed(seed)
    return initialize_fully_connected((12, 10, 10, 2), activation, [generator], init_scale=3.0)


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_fine_samples_find_every_crossing_within_their_distance(activation):
    network = network_of(activation)
    points = torch.randn(3, 3, 12, generator=Generator().manual_seed(1))
    ellipses = ellipses_through(points)
    exact = ellipse_crossings(network, ellipses)
    sampled = sampled_crossings(network, ellipses, 2**14)
    for (curve, angle), (near_curve, near_angle) in zip(exact, sampled, strict=True):
        for ellipse in range(3):
            here = angle[curve == ellipse].sort().values
            near = near_angle[near_curve == ellipse].sort().values
            assert torch.allclose(here, near, rtol=0, atol=pi / 2**14 + 1e-12)


def test_coarse_samples_miss_crossings_and_invent_none():
    network = network_of("hardtanh")
    ellipses = random_ellipses(4, (12,), Generator().manual_seed(1))
    found = [
        sum(len(angle) for _, angle in sampled_crossings(network, ellipses, 2**power))
        for power in range(2, 12, 3)
    ]
    assert found == sorted(found)
    assert found[0] < found[-1]


def test_first_tanh_layer_crosses_0_twice_on_an_ellipse_around_it():
    ellipses = random_ellipses(4, (12,), Generator().manual_seed(1))
    curve, _ = sampled_crossings(network_of("tanh"), ellipses, 512)[0]
    assert curve.bincount().tolist() == [20] * 4


def test_what_two_samples_have_in_between_is_not_seen():
    ellipses = random_ellipses(1, (12,), Generator().manual_seed(1))
    assert all(len(angle) == 0 for _, angle in sampled_crossings(network_of("tanh"), ellipses, 1))


@pytest.mark.parametrize("numbers", [1, 100])
def test_crossings_do_not_depend_on_the_blocks(monkeypatch, numbers):
    network = network_of("tanh")
    ellipses = random_ellipses(2, (12,), Generator().manual_seed(1))
    whole = sampled_crossings(network, ellipses, 300)
    monkeypatch.setitem(BUDGETS, "activations", Budget(4 * numbers, 4 * numbers))
    for some, others in zip(whole, sampled_crossings(network, ellipses, 300), strict=True):
        assert torch.equal(some[0], others[0])
        assert torch.equal(some[1], others[1])
