import numpy as np
import pandas as pd
import pytest
from oracles.cloud_tables import made_clouds

from generalization.experiments.noise_clouds.cloud_courses import courses, mean_over_classes


@pytest.fixture
def study():
    return made_clouds(np.random.default_rng(0))


def test_mean_over_classes(study):
    clouds = study[0]
    table = mean_over_classes(clouds)
    assert len(table) == len(clouds) / 2
    row = table.iloc[7]
    keys = ["ensemble", "seed", "step", "part", "layer", "sigma"]
    classes = clouds[(clouds[keys] == row[keys]).all(axis=1)]
    assert len(classes) == 2
    assert row["s_2"] == pytest.approx(classes["s_2"].mean())
    assert row["noise"] == pytest.approx(1 - classes["ev_1"].mean())


def test_numbers_of_a_cloud_are_those_that_it_was_made_of(study):
    table = courses(*study)
    # Networks, parts, classes, layers and σ.
    assert len(table) == 6 * 2 * 2 * 2 * 2
    assert set(table["layer"]) == {1, 2}
    assert (table["least_loss_step"] == 40).all()
    assert (table["settled_step"] == 20).all()
    exact = {
        "measured_over_predicted": np.log(0.5),
        "s_1_first_change": np.log(1.2 / 0.5),
        "s_1_first_change_from_untrained": np.log(0.5),
        # Within a tenth of where it ends the test loss is only at the last step.
        "s_1_change_since_least_loss": np.log(1.8 / 1.4),
        "settled_over_converged": np.log(20 / 80),
        "settled_over_least_loss": np.log(20 / 40),
        "settled_over_least_loss_from_untrained": np.log(21 / 41),
    }
    for name, value in exact.items():
        assert table[name].to_numpy() == pytest.approx(value), name
    # The factor of noise is 1 at step 0, .55 at the end of the first epoch, .1 at the last step.
    size = table["layer"] * table["sigma"] ** 2
    noisy = {
        "noise_over_input": np.log(0.1 * table["layer"]),
        "noise_over_untrained": np.log(0.1),
        "ev_1_change": 0.45 * size,
        "ev_2_change": -0.09 * size,
        "ev_1_change_from_untrained": 0.9 * size,
        "ev_2_change_from_untrained": -0.18 * size,
    }
    for name, value in noisy.items():
        assert table[name].to_numpy() == pytest.approx(value, rel=0.09, abs=0), name


def test_course_from_the_first_epoch_may_turn_the_one_from_step_0_round(study):
    """The blog looks after every epoch: what happens before the first one is not in its figures."""
    clouds, training = study
    ev_1 = clouds["step"].map({0: 0.90, 10: 0.95, 20: 0.94, 40: 0.93, 80: 0.92})
    table = courses(clouds.assign(ev_1=ev_1), training)
    assert table["ev_1_change"].to_numpy() == pytest.approx(-0.03)
    assert table["ev_1_change_from_untrained"].to_numpy() == pytest.approx(0.02)


def test_cloud_of_an_untrained_network_that_stays_shows_no_change(study):
    clouds, training = study
    still = clouds.assign(ev_1=0.9, ev_2=0.05, ev_rest=0.05, s_1=3.0)
    table = courses(still, training)
    for name in ("ev_1_change", "ev_2_change", "s_1_first_change", "ev_1_change_from_untrained"):
        assert (table[name] == 0).all(), name
    assert table[["settled_step", "s_1_volatility"]].isna().all(axis=None)


def test_losses_converge_where_both_stay_close_to_their_end(study):
    clouds, training = study
    # The train loss is within a tenth of its excursion from step 20 on, the test loss from 40.
    train_loss = training["step"].map({0: 9.0, 10: 1.0, 20: 0.1, 40: 0.05, 80: 0.02})
    test_loss = training["step"].map({0: 9.0, 10: 2.0, 20: 1.5, 40: 1.05, 80: 1.0})
    table = courses(clouds, training.assign(train_loss=train_loss, test_loss=test_loss))
    assert table["settled_over_converged"].to_numpy() == pytest.approx(np.log(20 / 40))
    assert table["s_1_late_change"].to_numpy() == pytest.approx(np.log(1.8 / 1.4))


def test_course_that_falls_and_rises_again_settles_where_it_is_farthest_from_its_beginning(study):
    clouds, training = study
    course = {0: 9.0, 10: 1.0, 20: 0.31, 40: 0.3, 80: 0.6}
    clouds["ev_rest"] = clouds["step"].map(course)
    assert (courses(clouds, training)["settled_step"] == 20).all()


def test_later_layers_that_settle_later_are_beyond_the_first(study):
    clouds, training = study
    clouds["ev_rest"] = np.where(clouds["step"] < 20 * clouds["layer"], 1.0, 0.0)
    later = courses(clouds, training).set_index("layer")["settled_beyond_first"]
    assert later[2].to_numpy() == pytest.approx(np.log(2))
    assert later[1].isna().all()


@pytest.mark.parametrize(("before", "after"), [(0.4, 0.1), (0.1, 0.1)])
def test_volatility_compares_changes_per_epoch_before_and_after_convergence(before, after):
    steps = tuple(range(0, 130, 10))
    clouds, training = made_clouds(np.random.default_rng(0), steps=steps)
    # Both losses fall until step 60, then stay; s_1 goes up and down between epochs.
    loss = (60 - training["step"]).clip(lower=0) / 10 + 1.0
    swing = np.where(clouds["step"] > 60, after, before) * (clouds["step"] // 10 % 2)
    study = clouds.assign(s_1=np.exp(swing)), training.assign(train_loss=loss, test_loss=loss)
    assert courses(*study)["s_1_volatility"].to_numpy() == pytest.approx(np.log(before / after))


def test_few_epochs_have_no_volatility(study):
    assert courses(*study)["s_1_volatility"].isna().all()


def test_cloud_that_never_changes_does_not_settle(study):
    clouds, training = study
    assert courses(clouds.assign(ev_rest=0.5), training)["settled_step"].isna().all()


def test_network_that_was_not_kept_untrained_has_no_changes_since(study):
    clouds, training = study
    table = courses(clouds[clouds["step"] > 0], training)
    lost = [key for key in table if key.endswith("_from_untrained")]
    assert table[[*lost, "noise_over_untrained"]].isna().all(axis=None)
    there = ["measured_over_predicted", "ev_1_change", "s_1_first_change", "settled_step"]
    assert table[there].notna().all(axis=None)


def test_network_that_was_not_kept_after_the_first_epoch_has_no_course(study):
    clouds, training = study
    table = courses(clouds[clouds["step"] != 10], training)
    lost = ["ev_1_change", "s_1_first_change", "s_1_late_change", "settled_step"]
    assert table[lost].isna().all(axis=None)
    assert set(table["epoch_note"]) == {"not kept at the end of the first epoch"}
    assert table[["ev_1_change_from_untrained", "measured_over_predicted"]].notna().all(axis=None)


def test_first_kept_step_ends_the_first_epoch_of_a_whole_dataset(study):
    clouds, training = study
    pd.testing.assert_frame_equal(
        courses(clouds, training.assign(train_size=None)), courses(clouds, training)
    )


@pytest.mark.parametrize(
    ("architecture", "kinds"),
    [
        ("fully_connected", ["fully_connected", "fully_connected"]),
        ("convolutional", ["convolutional", "fully_connected"]),
        ("vgg", ["convolutional", "convolutional"]),
    ],
)
def test_layers_are_distinguished_by_kind(study, architecture, kinds):
    clouds, training = study
    table = courses(clouds, training.assign(architecture=architecture))
    assert table.groupby("layer")["kind"].first().tolist() == kinds


def test_network_that_was_not_trained_has_no_changes(study):
    clouds, training = study
    table = courses(clouds[clouds["step"] == 0], training)
    assert table[["noise_over_untrained", "s_1_first_change"]].isna().all(axis=None)
    assert table["measured_over_predicted"].notna().all()


def test_dead_layer_has_no_ratios(study):
    clouds, training = study
    dead = clouds["layer"] == 2
    lost = ["ev_1", "ev_2", "ev_rest", "predicted_noise"]
    clouds.loc[dead, lost] = np.nan
    clouds.loc[dead, "s_1"] = 0
    table = courses(clouds, training).set_index("layer")
    ratios = ["measured_over_predicted", "noise_over_input", "s_1_first_change", "settled_step"]
    assert table.loc[2, ratios].isna().all(axis=None)
    assert table.loc[1, ratios].notna().all(axis=None)


def test_nothing_has_no_rows(study):
    assert courses(study[0][:0], study[1]).empty
