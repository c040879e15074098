from math import log, log2

import pytest
import torch
from sklearn.metrics import mutual_info_score
from torch.testing import assert_close

from generalization.units.information import class_information, quantile_bins

LABELS = torch.arange(10).repeat(50)


def information(unit, labels=LABELS, *, bins=20, corrected=False):
    return class_information(unit.unsqueeze(1), labels, bins=bins, corrected=corrected).item()


def entropy(share):
    return -share * log2(share) - (1 - share) * log2(1 - share)


@pytest.mark.parametrize(
    ("of_classes", "expected"),
    [
        (torch.ones(10), 0),
        (torch.eye(10)[3], entropy(0.1)),
        (torch.tensor([1.0] * 5 + [0.0] * 5), 1),
        (torch.arange(10.0), log2(10)),
    ],
)
def test_closed_forms(of_classes, expected):
    assert information(of_classes[LABELS]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("bins", [2, 7, 20])
def test_equals_that_of_scikit_learn(bins):
    unit = torch.randn(500, generator=torch.Generator().manual_seed(0)) + LABELS
    expected = mutual_info_score(LABELS, quantile_bins(unit.unsqueeze(1), bins)[:, 0]) / log(2)
    assert information(unit, bins=bins) == pytest.approx(expected)


def test_correction_is_that_of_miller():
    unit = torch.randn(500, generator=torch.Generator().manual_seed(0))
    plain, corrected = (information(unit, corrected=chosen) for chosen in (False, True))
    assert plain - corrected == pytest.approx(19 * 9 / (2 * 500) / log(2))


def test_bins_and_classes_that_do_not_occur_are_no_bias():
    unit = (LABELS == 0).double()
    labels = 2 * LABELS
    plain, corrected = (information(unit, labels, corrected=chosen) for chosen in (False, True))
    assert plain - corrected == pytest.approx(1 * 9 / (2 * 500) / log(2))


def test_noise_is_uninformative_on_average():
    units = torch.randn(500, 400, generator=torch.Generator().manual_seed(0))
    plain = class_information(units, LABELS, bins=20, corrected=False).mean()
    corrected = class_information(units, LABELS, bins=20).mean()
    assert plain > 0.25
    assert abs(corrected) < 0.04


def test_increasing_maps_change_nothing():
    unit = torch.randn(500, generator=torch.Generator().manual_seed(0)) + LABELS
    assert information(unit.exp()) == information(unit)


def test_several_orders_of_labels_are_processed_together():
    generator = torch.Generator().manual_seed(0)
    units = torch.randn(500, 3, generator=generator)
    orders = torch.stack([LABELS, LABELS.flip(0), LABELS.roll(3)])
    alone = [class_information(units, labels, bins=5) for labels in orders]
    assert_close(class_information(units, orders, bins=5), torch.stack(alone))


def test_bins_hold_equally_many_different_values():
    unit = torch.randperm(100, generator=torch.Generator().manual_seed(0)).double()
    found = quantile_bins(unit.unsqueeze(1), 5)[:, 0]
    assert torch.equal(found, unit.long() // 20)


def test_equal_values_share_a_bin():
    unit = torch.tensor([0.0] * 70 + [1.0] * 30).unsqueeze(1)
    assert quantile_bins(unit, 10).unique().numel() == 2


def test_fewer_samples_than_bins():
    assert quantile_bins(torch.tensor([[0.0], [1.0], [2.0]]), 20)[:, 0].unique().numel() == 3
