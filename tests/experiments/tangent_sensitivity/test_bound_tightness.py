import numpy as np
import pandas as pd
import pytest

from generalization.experiments.tangent_sensitivity.bound_tightness import COLUMNS, bound_tightness
from generalization.statistics.resampling import Resampling

SEEDS = 4


def made_training(depths=(2, 5), widths=(10, 20), seeds=SEEDS, dataset="mnist"):
    """Rows of ``training.csv``: an ensemble for every depth and width, at steps 0 and 50."""
    return pd.DataFrame([
        {
            "ensemble": f"{dataset}-{depth}-{width}",
            "seed": seed,
            "step": step,
            "final": step == 50,
            "dataset": dataset,
            "depth": depth,
            "width": width,
        }
        for depth in depths
        for width in widths
        for seed in range(seeds)
        for step in (0, 50)
    ])


def made_profile(training, noise=0.0):
    """ln(value / first bound) is −depth − width / 10 after training; there is none before."""
    generator = np.random.default_rng(1)
    parts = []
    for bound, factor in (("layerwise", 1.0), ("theorem_3_1", -2.0)):
        trained = training["step"] > 0
        tightness = -factor * (training["depth"] + training["width"] / 10) * trained
        tightness += noise * generator.standard_normal(len(training))
        rows = training[["ensemble", "seed", "step"]].assign(bound=bound, log_tightness=tightness)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def tightness(profile, training, resamples=200, level=0.95):
    resampling = Resampling(np.random.default_rng(0), resamples, level)
    return bound_tightness(profile, training, resampling=resampling)


def estimates(table, bound="layerwise", trained=True):
    rows = table[(table["bound"] == bound) & (table["trained"] == trained)]
    keys = rows["hyperparameter"].fillna("all") + rows["value"].map("{:g}".format)
    return dict(zip(keys, rows["estimate"], strict=True))


def test_means_are_those_that_were_made():
    training = made_training()
    table = tightness(made_profile(training), training)
    assert list(table) == COLUMNS
    expected = {"allnan": -5, "depth2": -3.5, "depth5": -6.5, "width10": -4.5, "width20": -5.5}
    assert estimates(table) == pytest.approx(expected)
    above = {key: -2 * value for key, value in expected.items()}
    assert estimates(table, "theorem_3_1") == pytest.approx(above)
    assert estimates(table, trained=False) == dict.fromkeys(expected, 0)
    everything = table["hyperparameter"].isna()
    assert (table.loc[everything, "networks"] == 4 * SEEDS).all()
    assert (table.loc[everything, "ensembles"] == 4).all()
    assert (table.loc[~everything, "networks"] == 2 * SEEDS).all()
    assert (table["level"] == 0.95).all()
    few = "4 of the 5 ensembles that a verdict needs"
    assert (table.loc[everything, "note"] == few).all()
    few = "2 of the 5 ensembles that a verdict needs"
    assert (table.loc[~everything, "note"] == few).all()


def test_networks_above_the_bound_are_counted():
    training = made_training()
    table = tightness(made_profile(training), training)
    above = table["trained"] & (table["bound"] == "theorem_3_1")
    assert (table.loc[above, "exceptions"] == table.loc[above, "networks"]).all()
    assert (table.loc[~above, "exceptions"] == 0).all()


def test_what_attains_the_bound_up_to_rounding_is_not_above():
    training = made_training()
    table = tightness(made_profile(training).assign(log_tightness=1e-7), training)
    assert (table["exceptions"] == 0).all()


def test_steps_between_do_not_count():
    training = made_training()
    between = training[training["step"] == 50].assign(step=20, final=False)
    both = pd.concat([training, between], ignore_index=True)
    whole = tightness(made_profile(both), both)
    pd.testing.assert_frame_equal(whole, tightness(made_profile(training), training))


def test_interval_is_of_networks_in_ensembles():
    # Fifty seeds of one ensemble tell nothing of another.
    training = made_training(depths=(3,), widths=(10,), seeds=50)
    row = tightness(made_profile(training, noise=0.7), training).iloc[0]
    assert row[["low", "high"]].isna().all()

    # Networks of an ensemble that are all alike tell no more than one of them.
    training = made_training(depths=tuple(range(2, 22)), widths=(10,), seeds=10)
    profile = made_profile(training)
    one = profile["seed"] == 0
    (_, all_seeds), (_, one_seed) = (
        next(tightness(rows, training, resamples=4000).query("trained").iterrows())
        for rows in (profile, profile[one])
    )
    width = all_seeds["high"] - all_seeds["low"]
    assert width == pytest.approx(one_seed["high"] - one_seed["low"], rel=0.1)


def test_one_depth_and_width_have_no_rows_of_their_own():
    training = made_training(depths=(3,), widths=(10,))
    table = tightness(made_profile(training), training)
    assert len(table) == 4
    assert table["hyperparameter"].isna().all()


def test_datasets_stay_apart():
    training = pd.concat(
        [made_training(dataset=name, widths=(10,)) for name in ("mnist", "digits")],
        ignore_index=True,
    )
    table = tightness(made_profile(training), training)
    assert table.groupby("dataset").size().to_dict() == {"mnist": 12, "digits": 12}
    assert table["ensembles"].max() == 2


def test_a_new_row_changes_no_interval_of_another():
    training = made_training()
    profile = made_profile(training, noise=0.5)
    alone = tightness(profile[profile["bound"] == "layerwise"], training)
    whole = tightness(profile, training).query("bound == 'layerwise'").reset_index(drop=True)
    pd.testing.assert_frame_equal(whole, alone)


def test_ratios_that_are_not_finite_are_counted_out():
    training = made_training(depths=(3,), widths=(10,))
    profile = made_profile(training)
    trained = (profile["step"] == 50) & (profile["bound"] == "layerwise")
    profile.loc[trained, "log_tightness"] = [np.nan, -np.inf, np.inf, -1.0]
    row = tightness(profile, training).query("trained and bound == 'layerwise'").iloc[0]
    assert row[["estimate", "networks", "exceptions"]].tolist() == [-1, 1, 1]
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])
    assert row["note"] == (
        "3 of 4 networks have no finite ratio; 1 of the 5 ensembles that a verdict needs"
    )
    profile.loc[trained, "log_tightness"] = np.nan
    row = tightness(profile, training).query("trained and bound == 'layerwise'").iloc[0]
    assert np.isnan(row["estimate"])
    assert row["note"] == "4 of 4 networks have no finite ratio; no network is left"


def test_no_network_has_no_row():
    training = made_training()
    empty = made_profile(training)[:0]
    for profile in (empty, empty.astype(object)):  # As read from a file without rows.
        table = tightness(profile, training)
        assert table.empty
        assert list(table) == COLUMNS
