from itertools import product

import numpy as np
import pandas as pd
import pytest

from generalization.statistics.packed_errors import packed_text
from generalization.statistics.population import population

NAN = np.nan
# Ensembles a, b and c of up to two seeds: gap and norm of every network at its last step.
NETWORKS = pd.DataFrame({
    "ensemble": ["a", "a", "b", "b", "c"],
    "seed": [1, 2, 1, 2, 1],
    "generalization_gap": [0.1, 0.3, 0.4, 0.6, 0.9],
    "train_accuracy": [1.0, 1.0, 0.9, 1.0, 1.0],
    "train_loss": [0.1, 0.4, 0.0, 0.2, 0.3],
    "norm": [1.0, 3.0, 5.0, 7.0, NAN],
    "dataset": "digits",
    "depth": [2, 2, 2, 2, 3],
    "width": [10, 10, 20, 20, 20],
})


def table(networks=NETWORKS, measures=("norm", "loss")):
    networks = networks.assign(step=9, final=True, loss=networks["seed"], status="fitted")
    rows = [
        networks.drop(columns=["norm", "loss"]).assign(measure=one, value=networks[one])
        for one in measures
    ]
    before = rows[0].assign(step=0, final=False, value=100.0)
    return pd.concat([before, *rows], ignore_index=True)


def of(networks=NETWORKS, selection="all", **settings):
    generator = np.random.default_rng(0)
    settings = {"fitted_accuracy": 1.0, "baselines": ["loss"]} | settings
    return population(table(networks), selection, generator=generator, **settings)


def test_networks_are_arranged_by_ensemble_and_seed():
    found = of()
    assert found.gap.tolist()[:2] == [[0.1, 0.3], [0.4, 0.6]]
    assert found.gap[2, 0] == 0.9
    assert np.isnan(found.gap[2, 1])
    assert found.mean_gap == pytest.approx([0.2, 0.5, 0.9])
    assert found.measures[:4] == ["norm", "loss", "depth", "width"]
    assert found.kinds[:4] == ["candidate", "baseline", "factor", "factor"]
    assert found.values[0, :2].tolist() == [[1, 3], [5, 7]]
    assert found.means[:2] == pytest.approx(np.array([[2, 6, NAN], [1.5, 1.5, 1]]), nan_ok=True)
    assert found.networks()[:2].tolist() == [4, 5]
    assert found.ensembles()[:2].tolist() == [2, 3]


def test_training_losses_are_averaged_as_logarithms():
    found = of()
    assert found.train_loss[1].tolist() == [0, 0.2]
    assert found.mean_log_loss == pytest.approx([np.log(0.2), -np.inf, np.log(0.3)])


def test_measures_of_ensembles_are_means_over_pairs_of_networks_that_are_left():
    pairs = pd.DataFrame({
        "ensemble": ["a", "a", "b", "c", "b"],
        "seed_a": [1, 1, 1, 1, 1],
        "seed_b": [2, 2, 2, 2, 2],
        "measure": ["distance", "angle", "distance", "distance", "angle"],
        "value": [4.0, 1.0, 6.0, 8.0, NAN],
    })
    found = of(ensemble_measures=pairs, baselines=["angle"])
    assert found.measures[:4] == ["norm", "loss", "distance", "angle"]
    assert found.kinds[:4] == ["candidate", "candidate", "candidate", "baseline"]
    # Network 2 of ensemble c does not exist, and a pair without a value does not count.
    assert found.means[2:4] == pytest.approx(np.array([[4, 6, NAN], [1, NAN, NAN]]), nan_ok=True)
    assert found.pairs()[:4].tolist() == [0, 0, 2, 1]
    assert found.networks()[:4].tolist() == [4, 5, 4, 2]
    assert found.of_ensembles[:5].tolist() == [False, False, True, True, False]
    # Network 1 of ensemble b has not fitted.
    fitted = of(ensemble_measures=pairs, selection="fitted")
    assert fitted.pairs()[:4].tolist() == [0, 0, 1, 1]


def test_candidates_and_baselines_are_told_apart():
    found = of()
    assert found.candidates.tolist() == [0]
    assert found.baselines.tolist() == [1]
    assert of(baselines=[]).candidates.tolist() == [0, 1]


def test_fitted_networks_are_those_that_reach_the_accuracy():
    assert np.isnan(of(selection="fitted").gap).sum() == 2
    assert np.isnan(of(selection="fitted", fitted_accuracy=0.9).gap).sum() == 1


def test_levels_are_codes_in_the_order_of_values_and_a_missing_value_is_the_last():
    assert of().factors == ["depth", "width"]
    assert of().levels.tolist() == [[0, 0], [0, 1], [1, 1]]
    missing = of(NETWORKS.assign(width=[NAN, NAN, 20, 20, 10]))
    assert missing.levels[:, missing.factors.index("width")].tolist() == [2, 1, 0]
    # As a measure, a factor has its level in every network that there is.
    as_measure = of().values[3]
    assert as_measure[:2].tolist() == [[0, 0], [1, 1]]
    assert np.isnan(as_measure[2]).tolist() == [False, True]


def test_dominant_factor_is_not_the_dataset():
    two = NETWORKS[:4].assign(dataset=["digits"] * 2 + ["mnist"] * 2)
    assert of(two).factors == ["dataset", "width"]
    assert of(two).dominant() == "width"
    assert of(NETWORKS[:4].assign(width=10)).dominant() == ""
    assert of(NETWORKS[:2]).dominant() == ""
    assert of(NETWORKS.assign(generalization_gap=0.1)).dominant() == ""
    gap = [0.1, 0.1, 0.1, 0.1, 0.9]
    six = pd.concat([
        NETWORKS.assign(ensemble=NETWORKS["ensemble"] + end, generalization_gap=gap) for end in "12"
    ])
    assert of(six).dominant() == "depth"


def test_dominant_factor_is_the_one_within_datasets():
    """Between datasets the gap differs by 10, so that pooled, the depth has the smallest share."""
    gap = [0.0, 0.1, 0.2, 0.3, 0.0, 0.1, 0.2, 0.3]
    eight = pd.DataFrame({
        "ensemble": list("abcdefgh"),
        "seed": 1,
        "generalization_gap": np.array(gap) + np.repeat([0, 10], 4),
        "train_accuracy": 1.0,
        "train_loss": 0.1,
        "norm": 1.0,
        "dataset": ["digits"] * 4 + ["mnist"] * 4,
        "depth": [2, 2, 3, 3] * 2,
        "width": [10, 20] * 3 + [10, 30],  # a level that one dataset has is all but its mean
    })
    assert of(eight).dominant() == "depth"
    assert of(eight).gap_within_datasets == pytest.approx(np.array(gap) - 0.15)


def test_controls_are_three_of_a_kind_and_an_oracle_with_a_tenth_of_noise():
    many = pd.DataFrame({
        "ensemble": [f"{place:04}" for place in range(3000)],
        "seed": 1,
        "generalization_gap": np.random.default_rng(1).normal(size=3000),
        "train_accuracy": 1.0,
        "train_loss": 0.1,
        "norm": 1.0,
        "dataset": "digits",
        "width": np.arange(3000) % 3,
    })
    found = of(many)
    controls = [
        name for name, kind in zip(found.measures, found.kinds, strict=True) if kind == "control"
    ]
    assert controls == ["noisy_oracle"] + [
        f"random_{kind}_{draw}"
        for kind in ("main_effects", "per_ensemble", "per_network")
        for draw in (1, 2, 3)
    ]
    noise = found.values[found.measures.index("noisy_oracle")] - found.gap
    assert noise.std() == pytest.approx(0.1 * found.gap.std(), rel=0.05)
    effects = found.values[found.measures.index("random_main_effects_1"), :, 0]
    assert len(np.unique(effects)) == 3


def test_test_points_are_those_of_the_dataset():
    assert of(test_sizes={"digits": 297}).test_sizes.tolist() == [297] * 3
    assert of().test_sizes.tolist() == [10_000] * 3


def test_image_errors_are_those_of_the_networks_that_are_left():
    generator = np.random.default_rng(0)
    wrong = {key: generator.random(20) < 0.5 for key in product("abc", (1, 2))}
    errors = pd.DataFrame(
        [(ensemble, seed, 9, 20, packed_text(one)) for (ensemble, seed), one in wrong.items()],
        columns=["ensemble", "seed", "step", "test_images", "misclassified"],
    )
    found = of(image_errors=errors).errors
    every = np.array([True, True])
    np.testing.assert_array_equal(
        found.correct(0, every), ~np.stack([wrong["a", 1], wrong["a", 2]])
    )
    # The second network of c does not exist.
    assert found.wrong.tolist() == [
        [wrong["a", 1].sum(), wrong["a", 2].sum()],
        [wrong["b", 1].sum(), wrong["b", 2].sum()],
        [wrong["c", 1].sum(), 0],
    ]
    some = of(image_errors=errors).sample(2, np.random.default_rng(0))
    places = np.flatnonzero(np.isin(of().gap[:, 0], some.gap[:, 0]))
    np.testing.assert_array_equal(some.errors.bits, found.bits[places])
    lacking = of(image_errors=errors.iloc[1:])
    assert lacking.errors is None
    assert lacking.without_errors == 1
    assert of().errors is None
    assert of().without_errors == 0


def test_a_sample_has_some_ensembles_in_their_order():
    whole = of()
    assert whole.sample(3, np.random.default_rng(0)) is whole
    some = whole.sample(2, np.random.default_rng(0))
    (places,) = np.nonzero(np.isin(whole.gap[:, 0], some.gap[:, 0]))
    assert len(places) == 2
    assert some.measures == whole.measures
    for name in ("gap", "levels", "test_sizes", "train_loss"):
        np.testing.assert_array_equal(getattr(some, name), getattr(whole, name)[places])
    np.testing.assert_array_equal(some.means, whole.means[:, places])
    drawn = {tuple(whole.sample(1, np.random.default_rng(n)).mean_gap) for n in range(20)}
    assert len(drawn) == 3
