import numpy as np
import pandas as pd
import pytest
import scipy.stats
from oracles.frozen import training_of

from generalization.experiments.similarity.freezing_courses import freezing_courses
from generalization.experiments.similarity.freezing_effects import COLUMNS, freezing_effects
from generalization.statistics.resampling import Resampling

RESAMPLING = Resampling(np.random.default_rng(0), level=0.9)
PLAIN = [0.1, 0.4, 0.6, 0.7, 0.8]


def effects(trainings):
    training = pd.concat(trainings, ignore_index=True)
    courses = freezing_courses(training, {"digits": (1, 8, 8)}, {"digits": 10})
    return courses, freezing_effects(courses, resampling=RESAMPLING)


def setting(rate, gain):
    frozen = [*PLAIN[:-1], PLAIN[-1] + gain]
    return training_of(learning_rate=rate, accuracies={"none": PLAIN, "bottom_up": frozen})


def test_gain_of_accuracy_is_the_mean_over_settings():
    gains = {0.01: 0.02, 0.02: 0.05, 0.03: -0.01, 0.04: 0.03, 0.05: 0.01}
    _, table = effects([setting(*one) for one in gains.items()])
    (row,) = table[table["statistic"] == "accuracy_gain"].to_dict("records")
    assert list(table) == COLUMNS
    values = np.array(list(gains.values()))
    half = scipy.stats.t.ppf(0.95, 4) * values.std(ddof=1) / np.sqrt(5)
    assert row["estimate"] == pytest.approx(values.mean())
    assert [row["low"], row["high"]] == pytest.approx([values.mean() - half, values.mean() + half])
    assert (row["networks"], row["ensembles"]) == (20, 5)


def test_cost_ratio_is_that_of_the_schedule():
    _, table = effects([setting(0.01 * one, 0.0) for one in range(1, 6)])
    (row,) = table[table["statistic"] == "cost_ratio"].to_dict("records")
    # A digit has 64 pixels; two layers of 100 units; the first takes no gradient of its inputs.
    first, second, last = 6400, 10000, 1000
    whole = 3 * (first + second + last) - first
    without_first = first + second + last + (second + last) + last
    without_second = first + second + last + last
    expected = (whole + without_first + without_second) / (3 * whole)
    assert row["estimate"] == pytest.approx(expected)
    assert [row["low"], row["high"]] == pytest.approx([expected, expected])


def test_at_equal_cost_networks_that_learn_in_all_layers_have_made_fewer_steps():
    courses, table = effects([setting(0.01, 0.0)])
    (row,) = table[table["statistic"] == "accuracy_gain_at_equal_cost"].to_dict("records")
    ends = courses[courses["final"]].groupby("freeze_layers")["flops"].mean()
    steps = 12 * ends["bottom_up"] / ends["none"]
    assert 6 < steps < 9
    share = np.log(steps / 6) / np.log(9 / 6)
    assert row["estimate"] == pytest.approx(0.8 - (0.6 + share * 0.1))
    assert np.isnan(row["low"])
    assert row["note"]


def test_several_schedules_are_each_compared_with_none():
    half = training_of(kinds=["bottom_up"], freeze_until=0.5)
    _, table = effects([training_of(), half])
    costs = table[table["statistic"] == "cost_ratio"].set_index("freeze_until")["estimate"]
    assert costs[0.5] < costs[1.0] < 1


def test_without_frozen_networks_there_is_no_row():
    courses, table = effects([training_of(kinds=["none"])])
    assert courses.empty
    assert table.empty
    assert list(table) == COLUMNS
