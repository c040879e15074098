import math

import pytest
import torch
from oracles.flat_networks import learnt, linear, one_point, seeded

from generalization.measures import worst_case_flatness as module
from generalization.measures.pac_bayes import pac_bayes_flatness
from generalization.measures.worst_case_flatness import (
    magnitude_aware_worst_case_flatness,
    magnitude_aware_worst_case_from_initialization,
    magnitude_aware_worst_case_from_origin,
    worst_case_flatness,
    worst_case_from_initialization,
    worst_case_from_origin,
    worst_case_level,
)
from generalization.networks.error_rise import level_of_rise
from generalization.networks.sharing import sharing_results


def test_worst_case_is_the_corner_of_the_box():
    # The margin w − v is at least w − v − 2α, or w − v − α (w + v) if the box is relative.
    networks = linear((0.3, 0.0), (2.0, 1.0))
    inputs, labels = one_point(4)
    values = worst_case_flatness(networks, inputs, labels)
    assert values.tolist() == pytest.approx([1 / 0.15**2, 4], rel=1e-3)
    relative = magnitude_aware_worst_case_flatness(linear((2.0, 1.0)), inputs, labels)
    assert relative.item() == pytest.approx(9, rel=1e-3)
    assert worst_case_level(networks, inputs, labels).standard_error.tolist() == [0, 0]


def test_worst_changes_raise_the_error_more_than_random_ones():
    networks, inputs, labels = learnt()
    networks = networks[:1]
    worst = worst_case_flatness(networks, inputs, labels)
    assert (worst > 4 * pac_bayes_flatness(networks, inputs, labels, seeded())).all()


def test_bounds_are_their_formulas_in_the_flatness():
    networks, inputs, labels = learnt()
    networks = networks[:1]
    initial = networks.map(lambda part: 0.5 * part.roll(1, -1))
    w, begun = (
        torch.cat([weight.flatten() for weight in one.weights]).double()
        for one in (networks, initial)
    )
    changes, samples, doubled = w - begun, len(inputs), math.log(2 * len(w))
    alpha = worst_case_flatness(networks, inputs, labels).rsqrt()
    relative = magnitude_aware_worst_case_flatness(networks, inputs, labels).rsqrt()

    def isotropic(v):
        return v.square().sum() * doubled / (4 * alpha**2) + (samples / alpha).log() + 10

    def aware(v):
        above = 1e-6 + (relative**2 + 4 * doubled) * v.square().sum() / len(w)
        below = 1e-6 + relative**2 * changes.square()
        return (above / below).log().sum() / 4 + (samples / relative).log() + 10

    given = inputs, labels
    for found, expected in (
        (worst_case_from_initialization(networks, initial, *given), isotropic(changes)),
        (worst_case_from_origin(networks, *given), isotropic(w)),
        (magnitude_aware_worst_case_from_initialization(networks, initial, *given), aware(changes)),
        (magnitude_aware_worst_case_from_origin(networks, initial, *given), aware(w)),
    ):
        assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_measures_of_one_job_seek_each_box_once(monkeypatch):
    networks, inputs, labels = learnt()
    initial = networks.map(lambda part: 0.5 * part.roll(1, -1))
    sought = []

    def counted(*given):
        sought.append(given)
        return level_of_rise(*given)

    def values():
        given = inputs, labels
        return [
            worst_case_flatness(networks, *given),
            worst_case_from_initialization(networks, initial, *given),
            worst_case_from_origin(networks, *given),
            magnitude_aware_worst_case_flatness(networks, *given),
            magnitude_aware_worst_case_from_initialization(networks, initial, *given),
            magnitude_aware_worst_case_from_origin(networks, initial, *given),
        ]

    monkeypatch.setattr(module, "level_of_rise", counted)
    alone = values()
    assert len(sought) == 6
    with sharing_results({}):
        together = values()
    assert len(sought) == 6 + 2
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))
