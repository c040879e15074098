import numpy as np
import pandas as pd
import pytest
import scipy.stats

from generalization.experiments.linear_regions.ellipse_contrasts import COLUMNS, ellipse_contrasts
from generalization.statistics.resampling import Resampling

ANGLES = np.arange(72) * 2 * np.pi / 72
DIP = {"random": 1.0, "different": 0.2, "same": 0.5}
LEVEL = {"random": 8.0, "different": 4.0, "same": 3.0}


def made_profile(networks, dip=DIP, spread=0.0, generator=None, ellipses=5, of_ellipses=0.0):
    """Curves at a level of their kind, dipping by a known factor near the anchors.

    Untrained networks are flat. ``spread`` is that of the logarithm of the dip over networks,
    ``of_ellipses`` that over ellipses, which is the same in all networks, before training too.
    """
    anchors = np.abs(ANGLES[:, None] / (np.pi / 3) - [1, 3, 5]).min(1) < 0.2
    generator = generator or np.random.default_rng(0)
    shared = np.exp(of_ellipses * generator.standard_normal((3, ellipses)))
    rows = []
    for ensemble, seed, step in networks:
        factor = np.exp(spread * generator.standard_normal()) if spread else 1.0
        for kind, (name, level) in enumerate(LEVEL.items()):
            for ellipse in range(ellipses):
                depth = shared[kind, ellipse] * (dip[name] * factor if step else 1.0)
                norm = level * np.where(anchors, depth, 1.0)
                about = {"ensemble": ensemble, "seed": seed, "step": step, "kind": name}
                columns = {"angle": ANGLES, "jacobian_norm": norm, "transition_density": norm**2}
                rows.append(pd.DataFrame(about | {"ellipse": ellipse} | columns))
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
    ratios = rows[rows["contrast"] != "unevenness_random_over_data"]
    return ratios.set_index("contrast")["estimate"].to_dict()


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
    table = table[table["contrast"] != "unevenness_random_over_data"]
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
    # t with 5 degrees of freedom times the standard error of 6 means; ellipses are all alike.
    means = np.log(ratios).groupby("ensemble").mean()
    half = scipy.stats.t.ppf(0.975, 5) * means.std() / 6**0.5
    assert np.log(row["high"] / row["low"]) == pytest.approx(2 * half)


def test_one_ensemble_has_no_interval_however_many_seeds():
    networks = networks_of(1, 12)
    profile = made_profile(networks, spread=0.5, generator=np.random.default_rng(1))
    row = contrasts(profile, made_training(networks)).query("trained").iloc[0]
    assert row["ensembles"] == 1
    assert np.isnan(row["low"])
    assert row["note"] == "1 of the 5 ensembles that a verdict needs"


def test_what_all_networks_share_widens_the_interval():
    """Networks that differ in nothing still leave the sample of ellipses."""
    networks = networks_of(8, 1)
    profile = made_profile(networks, ellipses=12, of_ellipses=0.3)
    table = contrasts(profile, made_training(networks)).query("trained").set_index("contrast")
    row = table.loc["near_anchors_vs_between_same"].iloc[0]
    dips = profile.query("step > 0 and kind == 'same' and ensemble == 'e0'")
    dips = dips.groupby("ellipse")["jacobian_norm"].min() / LEVEL["same"]
    # Of the logarithm of a mean of 12 dips.
    error = dips.std() / 12**0.5 / dips.mean()
    width = 2 * scipy.stats.t.ppf(0.975, 11) * error
    assert np.log(row["high"] / row["low"]) == pytest.approx(width, rel=0.1)
    assert row["shared"] == 12


def test_few_ellipses_are_reported():
    networks = networks_of(5, 1)
    table = contrasts(made_profile(networks, ellipses=4), made_training(networks))
    table = table[table["contrast"] != "unevenness_random_over_data"]
    assert set(table["note"]) == {"4 of the 5 shared inputs that a verdict needs"}


def over_untrained(table, contrast, quantity="jacobian_norm"):
    rows = table.query("trained and quantity == @quantity and contrast == @contrast")
    return rows[["over_untrained", "over_untrained_low", "over_untrained_high"]].iloc[0]


def test_contrast_to_untrained_networks_is_of_the_same_networks_and_ellipses():
    """Ellipses differ by a factor e^±0.5, which cancels: it is the same before training."""
    networks = networks_of(8, 2)
    profile = made_profile(networks, of_ellipses=0.5)
    table = contrasts(profile, made_training(networks))
    found = over_untrained(table, "near_anchors_vs_between_same")
    assert found.tolist() == pytest.approx([0.5] * 3)
    assert table.query("not trained")["over_untrained"].isna().all()


def test_ellipses_that_show_the_same_before_training_are_no_effect_of_it():
    """The dip is where the ellipses lie: below 1 with certainty, and nothing over untrained."""
    networks = networks_of(8, 2)
    generator = np.random.default_rng(1)
    steps = [(ensemble, seed, 1) for ensemble, seed, _ in networks]
    profile = made_profile(steps, spread=0.1, generator=generator)
    profile["step"] = np.repeat([step for *_, step in networks], len(profile) // len(networks))
    table = contrasts(profile, made_training(networks))
    row = table.query("trained and contrast == 'near_anchors_vs_between_same'").iloc[0]
    assert row["high"] < 1
    assert row["over_untrained_low"] < 1 < row["over_untrained_high"]


def test_unevenness_is_that_of_the_definition():
    networks = networks_of(5, 1)
    generator = np.random.default_rng(0)
    profile = made_profile(networks)
    for quantity in ("jacobian_norm", "transition_density"):
        profile[quantity] *= np.exp(generator.normal(size=len(profile)))
    profile.loc[profile["angle"] < 0.2, "transition_density"] = 0
    table = contrasts(profile, made_training(networks))
    least = {"jacobian_norm": 0, "transition_density": 0.5 / (2 * np.pi / 24)}
    for quantity, least_of in least.items():
        curves = profile[profile["step"] > 0].groupby(["ensemble", "kind", "ellipse"])[quantity]
        sectors = curves.apply(lambda curve: curve.to_numpy().reshape(24, 3).mean(1))
        spread = sectors.map(lambda means, least=least_of: np.log(np.maximum(means, least)).std())
        spread = np.log(spread).groupby("kind").mean()
        data = (spread["different"] + spread["same"]) / 2
        row = table.query(
            "trained and quantity == @quantity and contrast == 'unevenness_random_over_data'"
        )
        assert row["estimate"].item() == pytest.approx(np.exp(spread["random"] - data))


def test_flat_random_ellipses_beside_dips_are_even():
    """Planted: the data dips ten times as deep as random ellipses do."""
    networks = networks_of(6, 2)
    profile = made_profile(networks, dip={"random": 0.9, "different": 0.1, "same": 0.1})
    row = over_untrained(contrasts(profile, made_training(networks)), "unevenness_random_over_data")
    assert row.isna().all()  # Untrained networks are flat, and have no unevenness.
    table = contrasts(profile, made_training(networks))
    row = table.query("trained and contrast == 'unevenness_random_over_data'").iloc[0]
    assert row["high"] < 0.1


def test_networks_that_did_not_fit_are_left_out_before_training_too():
    networks = networks_of(2, 3)
    training = made_training(networks)
    training.loc[(training["ensemble"] == "e1") & training["final"], "train_accuracy"] = 0.9
    table = contrasts(made_profile(networks), training)
    table = table[table["contrast"] != "unevenness_random_over_data"]
    assert (table["networks"] == 3).all()
    assert set(table["trained"]) == {False, True}


def test_datasets_stay_apart():
    networks = networks_of(2, 3)
    training = made_training(networks)
    training.loc[training["ensemble"] == "e1", "dataset"] = "digits"
    table = contrasts(made_profile(networks), training)
    assert table.groupby("dataset").size().to_dict() == {"mnist": 24, "digits": 24}
    table = table[table["contrast"] != "unevenness_random_over_data"]
    assert (table["networks"] == 3).all()


def test_a_new_row_changes_no_interval_of_another():
    networks = networks_of(3, 4)
    profile = made_profile(networks, spread=0.5, generator=np.random.default_rng(1))
    training = made_training(networks)
    whole, trained = (
        contrasts(rows, training).query("trained").reset_index(drop=True).iloc[:, :-3]
        for rows in (profile, profile[profile["step"] > 0])
    )
    pd.testing.assert_frame_equal(whole, trained)


def test_network_without_transitions_is_counted_out():
    networks = networks_of(1, 3)
    profile = made_profile(networks)
    profile.loc[(profile["seed"] == 0) & (profile["step"] > 0), "transition_density"] = 0.0
    table = contrasts(profile, made_training(networks)).query("trained")
    table = table[table["contrast"] != "unevenness_random_over_data"]
    lost = table[table["quantity"] == "transition_density"]
    assert (lost["networks"] == 2).all()
    few = "1 of the 5 ensembles that a verdict needs"
    assert set(lost["note"]) == {f"1 of 3 networks have no positive ratio; {few}"}
    assert (table.loc[table["quantity"] == "jacobian_norm", "networks"] == 3).all()


def test_one_network_has_no_interval():
    networks = networks_of(1, 1)
    row = contrasts(made_profile(networks), made_training(networks)).query("trained").iloc[0]
    assert row["estimate"] == pytest.approx(0.2)
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])
    assert row["note"] == "1 of the 5 ensembles that a verdict needs"


def test_no_fitted_network_has_no_row():
    networks = networks_of(1, 2)
    table = contrasts(made_profile(networks), made_training(networks, accuracy=0.5))
    assert table.empty
    assert list(table) == COLUMNS
