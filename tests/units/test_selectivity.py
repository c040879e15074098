import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from generalization.units.selectivity import class_selectivities

LABELS = torch.arange(10).repeat(7)


def selectivity(of_classes, labels=LABELS):
    """Selectivity of a unit with equal activations for all samples of a class."""
    unit = torch.tensor(of_classes, dtype=torch.float64)[labels]
    return class_selectivities(unit.unsqueeze(1), labels).item()


@pytest.mark.parametrize(
    ("of_classes", "expected"),
    [
        ([2.0] * 10, 0),
        ([0.0] * 10, 0),
        ([0.0] * 3 + [5.0] + [0.0] * 6, 1),
        ([1.0] * 5 + [0.0] * 5, (1 - 4 / 9) / (1 + 4 / 9)),
        ([1.0] * 9 + [3.0], 0.5),
    ],
)
def test_closed_forms(of_classes, expected):
    assert selectivity(of_classes) == pytest.approx(expected)


@given(st.lists(st.integers(0, 1000), min_size=10, max_size=10), st.floats(0.01, 100))
def test_factor_changes_nothing_and_it_lies_between_0_and_1(of_classes, factor):
    plain = selectivity(of_classes)
    assert 0 <= plain <= 1
    assert selectivity([factor * mean for mean in of_classes]) == pytest.approx(plain)


def test_constant_added_makes_it_smaller():
    assert selectivity([1.0] * 9 + [3.0]) > selectivity([2.0] * 9 + [4.0]) > 0


def test_classes_count_equally_however_many_samples_they_have():
    labels = torch.tensor([0] * 50 + [1] * 2 + [2])
    expected = (3 - 1.5) / (3 + 1.5)
    assert selectivity([1.0, 3.0, 2.0], labels) == pytest.approx(expected)


def test_class_without_samples_is_left_out():
    labels = torch.tensor([0, 0, 3, 3])
    assert selectivity([1.0, 9.0, 9.0, 3.0], labels) == pytest.approx(0.5)


def test_one_class_has_no_other_to_differ_from():
    assert selectivity([1.0], torch.zeros(5).long()) == 1


def test_signed_activations_have_none():
    activations = torch.tensor([[1.0, 1.0], [-0.1, 0.0]])
    found = class_selectivities(activations, torch.tensor([0, 1]))
    assert_close(found, torch.tensor([torch.nan, 1.0]).double(), equal_nan=True)


def test_units_and_networks_are_processed_separately():
    generator = torch.Generator().manual_seed(0)
    activations = torch.rand(3, 70, 4, generator=generator)
    together = class_selectivities(activations, LABELS)
    alone = [
        [class_selectivities(one[:, [unit]], LABELS).item() for unit in range(4)]
        for one in activations
    ]
    assert_close(together, torch.tensor(alone, dtype=torch.float64))
