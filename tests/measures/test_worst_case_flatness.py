import pytest
from oracles.flat_networks import learnt, linear, one_point, seeded

from generalization.measures.pac_bayes import pac_bayes_flatness
from generalization.measures.worst_case_flatness import (
    magnitude_aware_worst_case_flatness,
    worst_case_flatness,
    worst_case_level,
)


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
