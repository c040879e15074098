import numpy as np
import pytest
from oracles.ablation_tables import STEPS, made_curves, made_training

from generalization.experiments.single_directions.early_stopping import (
    COLUMNS,
    STATISTICS,
    early_stopping,
)
from generalization.statistics.resampling import Resampling


@pytest.fixture(scope="module")
def training():
    return made_training(steps=STEPS, dropouts=(0.0,), corruptions=2)


def found(training, curves=None):
    generator = np.random.default_rng(0)
    curves = made_curves(training) if curves is None else curves
    table = early_stopping(curves, training, resampling=Resampling(generator, 200))
    assert list(table) == COLUMNS
    return table


def test_area_that_is_largest_where_the_loss_is_least(training):
    table = found(training)
    all_networks = table[table["label_corruption"].isna()].set_index("statistic")["estimate"]
    assert all_networks.to_dict() == pytest.approx({
        "step_of_largest_area": 40,
        "step_of_least_loss": 40,
        "log2_ratio_of_steps": 0,
        "area_against_loss": -1,
        "log_loss_saved": np.log(1 + np.log(8)),
        "log_loss_left": 0,
    })


def test_area_that_is_largest_too_late(training):
    curves = made_curves(training)
    late = curves.assign(accuracy=1 / (1 + abs(np.log2(curves["step"] / 80))))
    table = found(training, late)
    row = table[table["label_corruption"].isna()].set_index("statistic")["estimate"]
    assert row["step_of_largest_area"] == pytest.approx(80)
    assert row["log2_ratio_of_steps"] == pytest.approx(1)
    assert row["log_loss_left"] == pytest.approx(np.log(1 + np.log(2)))
    assert -1 < row["area_against_loss"] < 0


def test_area_that_only_grows(training):
    curves = made_curves(training)
    grown = found(training, curves.assign(accuracy=curves["step"] / 1000))
    row = grown[grown["label_corruption"].isna()].set_index("statistic")["estimate"]
    assert row["step_of_largest_area"] == pytest.approx(320)
    assert row["log2_ratio_of_steps"] == pytest.approx(3)
    assert row["area_against_loss"] == pytest.approx(1)
    assert row["log_loss_saved"] == 0
    assert row["log_loss_left"] == pytest.approx(np.log(1 + np.log(8)))


def test_label_corruptions_are_also_taken_by_themselves(training):
    table = found(training)
    assert table["statistic"].tolist() == 3 * list(STATISTICS)
    assert table["label_corruption"].dropna().tolist() == [0.0] * 6 + [1.0] * 6
    assert table["networks"].tolist() == [6] * 6 + [3] * 12
    one = training[training["label_corruption"] == 0]
    assert found(one)["label_corruption"].tolist() == [0.0] * 6


def test_networks_that_were_kept_seldom_do_not_count(training):
    assert found(
        training[training["step"] > 20], made_curves(training[training["step"] > 20])
    ).empty
