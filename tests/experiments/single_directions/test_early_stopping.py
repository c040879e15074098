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


def test_stopping_at_a_random_step_is_the_control(training):
    rows = found(training).query("statistic == 'log_loss_saved'")
    every = rows[rows["label_corruption"].isna()].squeeze()
    # The loss is 1 + |ln(step / 40)|, least where the area is largest, at steps 20, 40, … 320.
    losses = training[(training["step"] > 0) & (training["seed"] == 1)]
    losses = losses[losses["ensemble"] == losses["ensemble"].iloc[0]]["test_loss"]
    at_random = np.log(losses.iloc[-1] / losses).mean()
    assert every["over_random_step"] == pytest.approx(every["estimate"] - at_random)
    assert every["over_random_step"] > 0


def test_signal_that_says_nothing_saves_no_more_than_a_random_step(training):
    """Every stop before the last step saves loss where the loss rises throughout."""
    steps = sorted(set(training["step"]) - {0})
    # The area is largest where the loss is nearest to its mean logarithm.
    places = {0: 0.0} | {step: float(place) for place, step in enumerate(steps)}
    rising = training.assign(test_loss=np.exp(training["step"].map(places)))
    middle = steps[len(steps) // 2]
    curves = made_curves(rising)
    curves = curves.assign(accuracy=1 / (1 + abs(np.log2((curves["step"] + 1) / (middle + 1)))))
    row = found(rising, curves).query("statistic == 'log_loss_saved'").iloc[0]
    assert row["estimate"] > 0
    assert abs(row["over_random_step"]) <= 0.5
