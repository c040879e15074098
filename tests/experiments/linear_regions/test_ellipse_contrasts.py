import numpy as np
import pandas as pd
import pytest

from generalization.experiments.linear_regions.ellipse_contrasts import COLUMNS, ellipse_contrasts
from generalization.statistics.resampling import Resampling

ANGLES = np.arange(72) * 2 * np.pi / 72
DIP = {"random": 1.0, "different": 0.2, "same": 0.5}
LEVEL = {"random": 8.0, "different": 4.0, "same": 3.0}


def made_profile(networks, dip=DIP, spread=0.0, generator=None):
    """Curves at a level of their kind, dipping by a known factor near the anchors.

    Untrained networks are flat. ``spread`` is that of the logarithm of the dip over networks.
    """
    anchors = np.abs(ANGLES[:, None] / (np.pi / 3) - [1, 3, 5]).min(1) < 0.2
    rows = []
    for ensemble, seed, step in networks:
        factor = np.exp(spread * generator.standard_normal()) if spread else 1.0
        for kind, level in LEVEL.items():
            depth = dip[kind] * factor if step else 1.0
            norm = level * np.where(anchors, depth, 1.0)
            rows.append(
                pd.DataFrame({
                    "ensemble": ensemble,
                    "seed": seed,
                    "step": step,
                    "kind": kind,
                    "angle": ANGLES,
                    "jacobian_norm": norm,
                    "transition_density": norm**2,
                })
            )
    return pd.concat(rows, ignore_index=True)


def made_training(networks, accuracy=1.0, dataset="mnist"):
    return pd.DataFrame([
        {
            "ensemble": ensemble,
            "seed": seed,
            "step": step,
            "final": step > 0,
            "status": "fitted",
            "dataset": dataset,
            "train_accuracy": accuracy if step else 0.1,
        }
        for ensemble, seed, step in networks
    ])


def networks_of(ensembles, seeds):
    return [(f"e{e}", s, step) for e in range(ensembles) for s in range(seeds) for step in (0, 50)]


def contrasts(profile, training, resamples=200, level=0.95, **settings):
    resampling = Resampling(np.random.default_rng(0), resamples, level)
    return ellipse_contrasts(profile, training, resampling=resampling, **settings)


def estimates(table, quantity="jacobian_norm", trained=True):
    rows = table[(table["quantity"] == quantity) & (table["trained"] == trained)]
    return rows.set_index("contrast")["estimate"].to_dict()


def test_ratios_are_those_that_were_made():
    networks = networks_of(2, 3)
    table = contrasts(made_profile(networks), made_training(networks))
    assert list(table) == COLUMNS
    # Of the 72 bins of 5°, the 5 within 10° of each of three anchors are dipped.
    share = 15 / 72
    mean = {kind: LEVEL[kind] * (1 - share + share * DIP[kind]) for kind in LEVEL}
    at_images = (LEVEL["different"] * DIP["different"] + LEVEL["same"] * DIP["same"]) / 2
    assert estimates(table) == pytest.approx({
        "near_anchors_vs_between_different": 0.2,
        "near_anchors_vs_between_same": 0.5,
        "data_vs_random": at_images / mean["random"],
        "same_vs_different": mean["same"] / mean["different"],
        "random_flat": 1.0,
    })
    squared = estimates(table, "transition_density")
    assert squared["near_anchors_vs_between_different"] == pytest.approx(0.04)
    assert (table["networks"] == 6).all()
    assert (table["ensembles"] == 2).all()
    assert (table["level"] == 0.95).all()


def test_untrained_networks_have_rows_of_their_own():
    networks = networks_of(2, 3)
    table = contrasts(made_profile(networks), made_training(networks))
    assert estimates(table, trained=False) == pytest.approx({
        "near_anchors_vs_between_different": 1.0,
        "near_anchors_vs_between_same": 1.0,
        "data_vs_random": 3.5 / 8,
        "same_vs_different": 3 / 4,
        "random_flat": 1.0,
    })


def test_estimate_is_the_geometric_mean_over_networks_within_its_interval():
    networks = networks_of(6, 4)
    profile = made_profile(networks, spread=0.5, generator=np.random.default_rng(1))
    training = made_training(networks)
    table = contrasts(profile, training, resamples=2000)
    row = table.query("trained and contrast == 'near_anchors_vs_between_same'").iloc[0]
    trained = profile[(profile["step"] > 0) & (profile["kind"] == "same")]
    ratios = trained.groupby(["ensemble", "seed"])["jacobian_norm"].apply(
        lambda curve: curve.iloc[12] / curve.iloc[0]
    )
    assert row["estimate"] == pytest.approx(np.exp(np.log(ratios).mean()))
    assert row["low"] < row["estimate"] < row["high"]
    # 24 independent networks: about ± 2 · 0.5 / √24 on the logarithm, ensembles being no different.
    assert np.log(row["high"] / row["low"]) == pytest.approx(4 * 0.5 / 24**0.5, rel=0.4)


def test_one_ensemble_has_the_interval_of_its_seeds():
    networks = networks_of(1, 12)
    profile = made_profile(networks, spread=0.5, generator=np.random.default_rng(1))
    row = contrasts(profile, made_training(networks)).query("trained").iloc[0]
    assert row["ensembles"] == 1
    assert 0.5 < np.log(row["high"] / row["low"]) / (4 * 0.5 / 12**0.5) < 1.5


def test_networks_that_did_not_fit_are_left_out_before_training_too():
    networks = networks_of(2, 3)
    training = made_training(networks)
    training.loc[(training["ensemble"] == "e1") & training["final"], "train_accuracy"] = 0.9
    table = contrasts(made_profile(networks), training)
    assert (table["networks"] == 3).all()
    assert set(table["trained"]) == {False, True}


def test_datasets_stay_apart():
    networks = networks_of(2, 3)
    training = made_training(networks)
    training.loc[training["ensemble"] == "e1", "dataset"] = "digits"
    table = contrasts(made_profile(networks), training)
    assert table.groupby("dataset").size().to_dict() == {"mnist": 20, "digits": 20}
    assert (table["networks"] == 3).all()


def test_a_new_row_changes_no_interval_of_another():
    networks = networks_of(3, 4)
    profile = made_profile(networks, spread=0.5, generator=np.random.default_rng(1))
    training = made_training(networks)
    whole, trained = (
        contrasts(rows, training).query("trained").reset_index(drop=True)
        for rows in (profile, profile[profile["step"] > 0])
    )
    pd.testing.assert_frame_equal(whole, trained)


def test_network_without_transitions_is_counted_out():
    networks = networks_of(1, 3)
    profile = made_profile(networks)
    profile.loc[(profile["seed"] == 0) & (profile["step"] > 0), "transition_density"] = 0.0
    table = contrasts(profile, made_training(networks)).query("trained")
    lost = table[table["quantity"] == "transition_density"]
    assert (lost["networks"] == 2).all()
    few = "1 of the 3 ensembles that an interval needs"
    assert set(lost["note"]) == {f"1 of 3 networks have no positive ratio; {few}"}
    assert (table.loc[table["quantity"] == "jacobian_norm", "networks"] == 3).all()


def test_one_network_has_no_interval():
    networks = networks_of(1, 1)
    row = contrasts(made_profile(networks), made_training(networks)).query("trained").iloc[0]
    assert row["estimate"] == pytest.approx(0.2)
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])
    assert row["note"] == "no interval of one network"


def test_no_fitted_network_has_no_row():
    networks = networks_of(1, 2)
    table = contrasts(made_profile(networks), made_training(networks, accuracy=0.5))
    assert table.empty
    assert list(table) == COLUMNS
