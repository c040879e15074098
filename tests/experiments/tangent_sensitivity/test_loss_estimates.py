import numpy as np
import pandas as pd
import pytest

from generalization.experiments.tangent_sensitivity.loss_estimates import COLUMNS, loss_estimates

STEPS = (0, 10, 20, 40)
ESTIMATORS = ["train", "last"]
ESTIMATORS += [f"eq_{equation}_{form}" for equation in (5, 6, 7) for form in ("log", "plain")]


def made_training(ensembles=2, seeds=(1, 2), steps=STEPS):
    """Loss and accuracy that are different at every step of every network."""
    generator = np.random.default_rng(0)
    return pd.DataFrame([
        {
            "ensemble": f"e{ensemble}",
            "seed": seed,
            "step": step,
            "final": step == steps[-1],
            "dataset": "mnist",
            "train_loss": generator.uniform(0.5, 2),
            "train_accuracy": generator.uniform(0.1, 1),
            "test_loss": generator.uniform(0.5, 2),
            "test_accuracy": generator.uniform(0.1, 1),
        }
        for ensemble in range(ensembles)
        for seed in seeds
        for step in steps
    ])


def made_profile(training):
    """Logarithms of a norm that doubles at every step; more sensitive on the test set."""
    place = training["step"].map(STEPS.index)
    return training[["ensemble", "seed", "step"]].assign(
        log_norm=(place + 1) * np.log(2),
        log_maximal_train=10.0 + place,
        log_maximal_test=11.0 + place,
        log_empirical_train=-20.0 - place,
        log_empirical_test=-22.0 - place,
    )


def ratios(table, training, estimator, quantity="loss"):
    """Estimates over the training loss, step by step."""
    rows = table[(table["estimator"] == estimator) & (table["quantity"] == quantity)]
    joined = rows.merge(training, on=["ensemble", "seed", "step"])
    return (joined["estimate"] / joined[f"train_{quantity}"]).to_numpy()


@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
def test_ratios_are_those_of_the_equations(quantity):
    training = made_training()
    table = loss_estimates(made_profile(training), training)
    assert list(table) == COLUMNS
    assert len(table) == 2 * len(ESTIMATORS) * 4 * 3
    expected = {
        "train": [1, 1, 1],
        "eq_5_log": [1 / 2, 2 / 3, 3 / 4],
        "eq_5_plain": [1 / 2] * 3,
        "eq_6_log": [12 / 11, 13 / 12, 14 / 13],
        "eq_6_plain": [np.e] * 3,
        "eq_7_log": [23 / 21, 24 / 22, 25 / 23],
        "eq_7_plain": [np.exp(-2)] * 3,
    }
    for estimator, values in expected.items():
        found = ratios(table, training, estimator, quantity)
        assert found == pytest.approx(np.tile(values, 4)), estimator


def test_truth_is_of_the_test_set_and_last_is_that_of_the_step_before():
    training = made_training()
    table = loss_estimates(made_profile(training), training)
    after = training[training["step"] > 0]
    before = training[training["step"] < 40]
    for quantity in ("loss", "accuracy"):
        for estimator in ESTIMATORS:
            rows = table[(table["estimator"] == estimator) & (table["quantity"] == quantity)]
            assert rows["truth"].tolist() == after[f"test_{quantity}"].tolist()
            assert rows["step"].tolist() == after["step"].tolist()
            if estimator == "last":
                assert rows["estimate"].tolist() == before[f"test_{quantity}"].tolist()


def test_sets_that_are_the_same_give_the_training_loss_exactly():
    training = made_training()
    profile = made_profile(training)
    for name in ("maximal", "empirical"):
        profile[f"log_{name}_test"] = profile[f"log_{name}_train"]
    table = loss_estimates(profile, training)
    for estimator in ESTIMATORS[4:]:
        assert (ratios(table, training, estimator) == 1).all()


@pytest.mark.parametrize("factor", [0.5, 1.25])
def test_a_factor_on_all_weights_at_every_step_has_a_closed_form(factor):
    """With ln w(t) = ln w(0) + t L ln c, Eq. 5 is c^(−L), or 1 − L ln c / ln w(t)."""
    training, depth, log_norm = made_training(), 3, -4.0
    log_factor = depth * np.log(factor)
    profile = made_profile(training)
    profile["log_norm"] = log_norm + profile["step"].map(STEPS.index) * log_factor
    table = loss_estimates(profile, training)
    assert ratios(table, training, "eq_5_plain") == pytest.approx(factor**-depth)
    expected = 1 - log_factor / (log_norm + np.array([1, 2, 3]) * log_factor)
    assert ratios(table, training, "eq_5_log") == pytest.approx(np.tile(expected, 4))
    # Small weights have negative logarithms: the two forms move apart.
    up, down = ratios(table, training, "eq_5_log") > 1, ratios(table, training, "eq_5_plain") < 1
    assert (up == down).all()


def test_train_and_test_are_not_swapped():
    """More sensitive on the test set: a larger loss is estimated there, in both forms of Eq. 6."""
    training = made_training()
    profile = made_profile(training)
    table = loss_estimates(profile, training)
    names = {"log_maximal_train": "log_maximal_test", "log_maximal_test": "log_maximal_train"}
    swapped = loss_estimates(profile.rename(columns=names), training)
    for estimator in ("eq_6_log", "eq_6_plain"):
        there, back = (ratios(rows, training, estimator) for rows in (table, swapped))
        assert (there > 1).all()
        assert there * back == pytest.approx(1)


@pytest.mark.parametrize(
    ("column", "value", "lost"),
    [
        ("log_empirical_test", -np.inf, ["eq_7_log", "eq_7_plain"]),
        ("log_empirical_train", -np.inf, ["eq_7_log", "eq_7_plain"]),
        ("log_maximal_train", np.nan, ["eq_6_log", "eq_6_plain"]),
        ("log_maximal_train", 0.0, ["eq_6_log"]),
        ("log_norm", -np.inf, ["eq_5_log", "eq_5_plain"]),
    ],
)
def test_what_is_not_finite_has_no_estimate(column, value, lost):
    training = made_training()
    profile = made_profile(training)
    profile.loc[profile["step"] == 40, column] = value
    table = loss_estimates(profile, training)
    empty = table["estimate"].isna()
    assert sorted(table.loc[empty, "estimator"].unique()) == lost
    assert (table.loc[empty, "step"] == 40).all()
    assert empty.sum() == 2 * 4 * len(lost)


def test_a_norm_that_is_lost_at_one_step_is_lost_at_the_next():
    training = made_training()
    profile = made_profile(training)
    profile.loc[profile["step"] == 10, "log_norm"] = -np.inf
    table = loss_estimates(profile, training)
    lost = table[table["estimate"].isna()]
    assert set(lost["estimator"]) == {"eq_5_log", "eq_5_plain"}
    assert set(lost["step"]) == {10, 20}


def test_order_of_rows_does_not_matter_and_networks_stay_apart():
    training = made_training()
    profile = made_profile(training)
    whole = loss_estimates(profile, training)
    shuffled = loss_estimates(profile.sample(frac=1, random_state=0), training)
    pd.testing.assert_frame_equal(shuffled, whole)
    one = (profile["ensemble"] == "e1") & (profile["seed"] == 2)
    of_one = (whole["ensemble"] == "e1") & (whole["seed"] == 2)
    alone = loss_estimates(profile[one], training)
    pd.testing.assert_frame_equal(alone, whole[of_one].reset_index(drop=True))


def test_steps_that_only_training_has_do_not_count():
    training = made_training()
    between = training[training["step"] == 20].assign(step=30)
    both = pd.concat([training, between], ignore_index=True)
    profile = made_profile(training)
    pd.testing.assert_frame_equal(loss_estimates(profile, both), loss_estimates(profile, training))


def test_networks_kept_once_have_no_row():
    training = made_training(steps=(0,))
    profile = made_profile(training)
    for table in (profile, profile[:0].astype(object), profile[["ensemble", "seed", "step"]][:0]):
        estimates = loss_estimates(table, training)
        assert estimates.empty
        assert list(estimates) == COLUMNS
