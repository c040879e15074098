"""Fragility is what its definition says, pair by pair, and says why where there is none."""

from itertools import combinations, product
from math import log, sqrt
from statistics import mean, stdev

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from generalization.statistics.fragility import (
    COLUMNS,
    CONSTANT,
    NO_EQUAL_GAPS,
    NO_NOISE,
    NO_PAIR,
    NO_VALUE,
    fragility,
)

NUISANCE = ("optimizer", "learning_rate", "width")
SEEDS = 3


def study(seeds=SEEDS, generator=None):
    """Ensembles that differ in rate, width and labels; labels decide the gap, rates do a little."""
    generator = generator or np.random.default_rng(0)
    rows = []
    grid = product((0.01, 0.1), (50, 100, 200), (0.0, 1.0))
    for position, (rate, width, corruption) in enumerate(grid):
        for seed in range(seeds):
            gap = 0.1 + 0.5 * corruption + 0.02 * (rate == 0.1) + 0.02 * generator.normal()
            noise = np.exp(0.1 * generator.normal())
            values = {
                "of_width": width * noise,
                "of_gap": gap + 1,
                "signed": 100 * corruption - width + generator.normal(),
                "constant": 3.0,
                "lost": np.nan,
            }
            rows += [
                {
                    "ensemble": f"digits-{position:08x}",
                    "seed": seed,
                    "step": 100,
                    "final": True,
                    "status": "fitted",
                    "reason": np.nan,
                    "measure": name,
                    "value": value,
                    "dataset": "digits",
                    "crop": np.nan,
                    "optimizer": "momentum",
                    "learning_rate": rate,
                    "width": width,
                    "label_corruption": corruption,
                    "kept_steps": "[0]",
                    "train_accuracy": 1.0,
                    "generalization_gap": gap,
                }
                for name, value in values.items()
            ]
    return pd.DataFrame(rows)


def slow_fragility(measures, name, settings):
    """Fragility, its noise and numbers of pairs, by loops over pairs."""
    about, gaps, values = {}, {}, {}
    for row in measures.query("measure == @name and final").to_dict("records"):
        if row["train_accuracy"] < 0.999:
            continue
        one = row["ensemble"]
        about[one] = {
            key: row[key] for key in ("dataset", "learning_rate", "width", "label_corruption")
        }
        gaps.setdefault(one, []).append(row["generalization_gap"])
        values.setdefault(one, []).append(row["value"])
    positive = all(mean(some) > 0 for some in values.values())
    levels = {one: log(mean(some)) if positive else mean(some) for one, some in values.items()}
    scale = stdev(levels.values())
    squares = sum((gap - mean(some)) ** 2 for some in gaps.values() for gap in some)
    freedom = sum(len(some) - 1 for some in gaps.values())
    changes, noises, candidates = [], [], 0
    for one, other in combinations(about, 2):
        different = [key for key in about[one] if about[one][key] != about[other][key]]
        if len(different) != 1 or different[0] not in settings:
            continue
        candidates += 1
        error = sqrt(squares / freedom * (1 / len(gaps[one]) + 1 / len(gaps[other])))
        statistic = abs(mean(gaps[one]) - mean(gaps[other])) / error
        if 2 * scipy.stats.t.sf(statistic, freedom) < 0.05:
            continue
        changes.append((levels[one] - levels[other]) / scale)
        errors = [
            stdev(some) / sqrt(len(some)) / (mean(some) if positive else 1)
            for some in (values[one], values[other])
        ]
        noises.append(sum(error**2 for error in errors) / scale**2)
    rms = [sqrt(mean(change**2 for change in changes)), sqrt(mean(noises))]
    return [*rms, len(changes), candidates, scale]


@pytest.mark.parametrize("name", ["of_width", "of_gap", "signed"])
@pytest.mark.parametrize("setting", ["learning_rate", "width", "any"])
def test_fragility_is_that_of_its_definition(name, setting):
    measures = study()
    # Three networks of one ensemble have not fitted, one has not in another.
    unfitted = (measures["ensemble"] == "digits-00000004") & (measures["seed"] == 1)
    unfitted |= measures["ensemble"] == "digits-00000007"
    measures.loc[unfitted, "train_accuracy"] = 0.9
    rows = fragility(measures, NUISANCE).set_index(["measure", "setting"])
    found = rows.loc[name, setting]
    expected = slow_fragility(measures, name, NUISANCE if setting == "any" else [setting])
    columns = ["fragility", "noise", "pairs", "candidate_pairs", "deviation"]
    assert found[columns].tolist() == pytest.approx(expected)
    assert found["scale"] == ("linear" if name == "signed" else "ln")


def test_a_measure_of_a_nuisance_is_fragile_to_it_alone():
    rows = fragility(study(), NUISANCE).set_index(["measure", "setting"])["fragility"]
    assert rows["of_width", "width"] > 1
    assert rows["of_width", "learning_rate"] < 0.3
    assert rows["of_gap", "width"] < 0.3
    noise = fragility(study(), NUISANCE).set_index(["measure", "setting"])["noise"]
    assert rows["of_width", "learning_rate"] == pytest.approx(
        noise["of_width", "learning_rate"], rel=0.7
    )


def test_rows_are_of_measures_and_swept_settings():
    rows = fragility(study(), NUISANCE)
    assert list(rows) == COLUMNS
    assert rows["setting"].unique().tolist() == ["learning_rate", "width", "any"]
    assert len(rows) == 5 * 3


@pytest.mark.parametrize(
    ("changes", "name", "note"),
    [
        ({}, "constant", CONSTANT),
        ({}, "lost", NO_VALUE),
        ({"train_accuracy": 0.5}, "of_width", NO_VALUE),
        ({"dataset": lambda rows: rows["ensemble"]}, "of_width", NO_VALUE),
        ({"depth": lambda rows: rows["ensemble"].str[-1]}, "of_width", NO_PAIR),
        (
            {
                "generalization_gap": lambda rows: (
                    rows["ensemble"].str[-1].apply(int, base=16) + rows["seed"] / 1e6
                )
            },
            "of_width",
            NO_EQUAL_GAPS,
        ),
    ],
)
def test_a_fragility_that_does_not_exist_says_why(changes, name, note):
    rows = fragility(study().assign(**changes), NUISANCE).set_index(["measure", "setting"])
    found = rows.loc[name, "any"]
    assert found["note"] == note
    assert np.isnan(found["fragility"])


def test_the_noise_of_a_gap_is_unknown_of_one_seed():
    rows = fragility(study(seeds=1), NUISANCE)
    assert set(rows.query("measure == 'of_width'")["note"]) == {NO_NOISE}


def test_deviations_are_those_within_a_dataset():
    one = study()
    other = study(generator=np.random.default_rng(1))
    other = other.assign(dataset="mnist", ensemble=other["ensemble"].str.replace("digits", "mnist"))
    other["value"] *= 1000
    rows = [
        fragility(some, NUISANCE).set_index(["measure", "setting"]).loc["of_width", "width"]
        for some in (one, other, pd.concat([one, other]))
    ]
    assert rows[2]["pairs"] == pytest.approx(rows[0]["pairs"] + rows[1]["pairs"], abs=2)
    assert rows[2]["fragility"] < 1.1 * max(rows[0]["fragility"], rows[1]["fragility"])


@pytest.mark.parametrize(("factor", "pairs"), [(0.99, 12), (1.01, 4)])
def test_gaps_are_equal_up_to_the_two_sample_t_test(factor, pairs):
    """Of three widths, that of 100 has another gap; 4 ensembles each, of 3 seeds."""
    limit = scipy.stats.t.ppf(0.975, 24) * np.sqrt(1 / 3 + 1 / 3)
    rows = study().query("measure == 'of_width'")
    rows = rows.assign(generalization_gap=rows["seed"] + factor * limit * (rows["width"] == 100))
    found = fragility(rows, NUISANCE).set_index(["measure", "setting"])
    assert found.loc[("of_width", "width"), "candidate_pairs"] == 12
    assert found.loc[("of_width", "width"), "pairs"] == pairs


def test_a_measure_that_is_constant_in_one_dataset_has_no_fragility():
    one = study().query("measure == 'of_width'")
    other = one.assign(dataset="mnist", ensemble=one["ensemble"].str.replace("digits", "mnist"))
    rows = pd.concat([one, other.assign(value=3.0)])
    found = fragility(rows, NUISANCE).set_index(["measure", "setting"])
    assert found.loc[("of_width", "any"), "note"] == CONSTANT


def test_a_setting_that_some_ensembles_lack_is_swept():
    measures = study()
    crop = measures["learning_rate"].where(measures["learning_rate"] == 0.1)
    rows = fragility(measures.assign(crop=crop, learning_rate=0.01), ("crop",))
    assert rows["setting"].unique().tolist() == ["crop", "any"]
    found = rows.set_index(["measure", "setting"]).loc[("of_width", "crop")]
    same = fragility(measures, ("learning_rate",)).set_index(["measure", "setting"])
    assert found["fragility"] == same.loc[("of_width", "learning_rate"), "fragility"]
