import numpy as np
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
    assert len(table) == 6 * 2 * 2 * 2
    assert set(table["layer"]) == {1, 2}
    assert (table["least_loss_step"] == 40).all()
    assert (table["settled_step"] == 20).all()
    exact = {
        "measured_over_predicted": np.log(0.5),
        "s_1_first_change": np.log(0.5),
        "s_1_late_change": np.log(1.8 / 1.4),
        "settled_over_least_loss": np.log(21 / 41),
    }
    for name, value in exact.items():
        assert table[name].to_numpy() == pytest.approx(value), name
    noisy = {
        "noise_over_input": np.log(0.1 * table["layer"]),
        "noise_over_untrained": np.log(0.1),
        "ev_1_change": 0.9 * table["layer"] * table["sigma"] ** 2,
        "ev_2_change": -0.18 * table["layer"] * table["sigma"] ** 2,
    }
    for name, value in noisy.items():
        assert table[name].to_numpy() == pytest.approx(value, rel=0.05), name


def test_course_that_falls_and_rises_again_settles_where_it_is_farthest_from_its_beginning(study):
    clouds, training = study
    course = {0: 1.0, 10: 0.5, 20: 0.31, 40: 0.3, 80: 0.6}
    clouds["ev_rest"] = clouds["step"].map(course)
    assert (courses(clouds, training)["settled_step"] == 20).all()


def test_cloud_that_never_changes_does_not_settle(study):
    clouds, training = study
    assert courses(clouds.assign(ev_rest=0.5), training)["settled_step"].isna().all()


def test_network_that_was_not_kept_untrained_has_no_changes_since(study):
    clouds, training = study
    table = courses(clouds[clouds["step"] > 0], training)
    lost = ["noise_over_untrained", "ev_1_change", "ev_2_change", "s_1_first_change"]
    assert table[[*lost, "settled_over_least_loss"]].isna().all(axis=None)
    assert table[["measured_over_predicted", "s_1_late_change"]].notna().all(axis=None)


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
