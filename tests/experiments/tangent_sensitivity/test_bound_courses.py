import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from generalization.experiments import claims_of
from generalization.experiments.tangent_sensitivity.bound_courses import (
    COLUMNS,
    FEWEST_CHANGES,
    bound_courses,
)
from generalization.statistics.claims import claims
from generalization.statistics.resampling import Resampling
from generalization.statistics.verdicts import (
    CONTROL_SHOWS_IT,
    MAYBE_CONTROL,
    REPLICATES,
    UNDECIDED,
)


def made(norm_of, *, ensembles=8, epochs=30, seeds=2, noise=0.01):
    """Networks whose layer-wise norm is a function of the gap, the epoch, and numbers at random."""
    generator = np.random.default_rng(0)
    profile, training = [], []
    for ensemble in range(ensembles):
        for seed in range(seeds):
            steps = np.arange(epochs + 1) * 10
            gap = np.cumsum(generator.random(epochs + 1))
            norm = norm_of(gap, steps, generator) + noise * generator.normal(size=epochs + 1)
            for step, here, norm_here in zip(steps, gap, norm, strict=True):
                network = {"ensemble": f"e{ensemble}", "seed": seed, "step": step}
                columns = {f"log_{name}_test": 1.0 for name in ("maximal", "empirical")}
                profile.append(network | {"log_norm": norm_here} | columns)
                about = {"final": step == steps[-1], "dataset": "mnist", "label_corruption": 0.0}
                losses = {"train_loss": 0.1, "test_loss": 0.1 + here}
                accuracies = {"train_accuracy": 1.0, "test_accuracy": 1 - here / 100}
                row = network | about | {"randomization": "none"} | losses | accuracies
                training.append(row)
    return pd.DataFrame(profile), pd.DataFrame(training)


def courses(study):
    return bound_courses(*study, resampling=Resampling(np.random.default_rng(0)))


def of(table, statistic, quantity="loss", measure="log_norm"):
    keys = ["statistic", "quantity", "measure"]
    return table[(table[keys] == [statistic, quantity, measure]).all(axis=1)].squeeze()


def verdicts(study):
    about = list(claims_of({"daroczy_2020": ["tangent_sensitivity"]}))
    table = claims(about, {"bound_courses": courses(study)})
    norms = table[table["claim"].str.contains("layer-wise norm")]
    return norms.set_index("claim")["verdict"].filter(like="gap in loss").to_list()


def test_correlations_are_those_of_scipy_from_the_first_epoch_on():
    profile, training = made(lambda gap, _, generator: gap + generator.normal(size=len(gap)))
    expected = {"gap_change_spearman": [], "gap_level_spearman": []}
    rows = profile.merge(training, on=["ensemble", "seed", "step"])
    for _, course in rows[rows["step"] > 0].groupby(["ensemble", "seed"]):
        gap = course["test_loss"] - course["train_loss"]
        pairs = (course["log_norm"].diff()[1:], gap.diff()[1:]), (course["log_norm"], gap)
        for name, (x, y) in zip(expected, pairs, strict=True):
            expected[name].append(spearmanr(x, y).statistic)
    table = courses((profile, training))
    assert list(table) == COLUMNS
    for name, values in expected.items():
        row = of(table, name)
        assert row["estimate"] == pytest.approx(np.mean(values)), name
        assert (row["networks"], row["ensembles"]) == (16, 8)
        assert of(table, name, "accuracy")["estimate"] == pytest.approx(np.mean(values)), name


def test_measure_that_follows_the_gap_replicates():
    assert verdicts(made(lambda gap, *_: gap**2 / 10))[0] == REPLICATES


def test_measure_that_only_grows_replicates_nothing():
    changes, levels = verdicts(made(lambda _, steps, __: steps / 10.0, noise=0.1))
    assert changes == UNDECIDED
    assert levels in (CONTROL_SHOWS_IT, MAYBE_CONTROL)


def test_measure_that_grows_alone_is_no_better_than_the_epoch():
    row = of(courses(made(lambda _, steps, __: steps / 10.0)), "gap_level_spearman")
    assert row["estimate"] > 0.9
    assert row["over_epoch"] == pytest.approx(0, abs=0.01)


def test_what_cannot_be_correlated_does_not_count():
    row = of(courses(made(lambda gap, *_: gap)), "gap_change_spearman", measure="log_maximal_test")
    assert np.isnan(row["estimate"])
    assert row["note"] == "16 of 16 networks have no correlation; no network is left"
    short = made(lambda gap, *_: gap, epochs=FEWEST_CHANGES)
    assert of(courses(short), "gap_change_spearman")["networks"] == 0
    assert of(courses(short), "gap_level_spearman")["networks"] == 16
    profile, training = made(lambda gap, *_: gap)
    corrupted = training.assign(label_corruption=0.5)
    assert courses((profile, corrupted)).empty
