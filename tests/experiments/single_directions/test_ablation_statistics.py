import numpy as np
import pandas as pd
import pytest
import scipy.stats
from oracles.ablation_tables import made_curves, made_training

from generalization.experiments.single_directions.ablation_statistics import (
    COLUMNS,
    ablation_statistics,
)
from generalization.experiments.single_directions.curve_areas import curve_areas
from generalization.statistics.intervals import perfect_order_bound
from generalization.statistics.resampling import Resampling


@pytest.fixture(scope="module")
def training():
    return made_training()


def found(curves, training):
    resampling = Resampling(np.random.default_rng(0), 200)
    table = ablation_statistics(curves, training, resampling=resampling)
    assert list(table) == COLUMNS
    return table


def of(table, statistic, dropout=0.0, mode="zero"):
    rows = table[(table["statistic"] == statistic) & (table["dropout"] == dropout)]
    (row,) = rows[rows["mode"] == mode].to_dict("records")
    return row


def test_estimates_are_those_of_scipy(training):
    curves = made_curves(training)
    areas = curve_areas(curves, training)
    table = found(curves, training)
    for dropout in (0.0, 0.3):
        some = areas[(areas["dropout"] == dropout) & (areas["mode"] == "noise")]
        gap = some["train_accuracy"] - some["test_accuracy"]
        for statistic, other in {
            "spearman_label_corruption": some["label_corruption"],
            "spearman_gap": gap,
        }.items():
            row = of(table, statistic, dropout, "noise")
            assert row["estimate"] == pytest.approx(
                scipy.stats.spearmanr(some["area"], other).statistic
            )
            assert row["low"] == -1  # three in one ensemble are not in perfect order
            assert row["high"] == pytest.approx(-perfect_order_bound(5, 0.95))
            assert (row["networks"], row["ensembles"]) == (15, 5)


def test_areas_over_the_accuracy_of_the_whole_network_are_related_as_well(training):
    curves = made_curves(training)
    # Corruption lowers whole curves here: relative to where they begin, they are alike.
    start = curves.groupby(["ensemble", "seed", "layer", "mode"])["accuracy"].transform("max")
    lowered = curves.assign(accuracy=curves["accuracy"] / start * 0.5)
    whole = found(curves, training)
    assert of(whole, "spearman_label_corruption_normalized")["labels"] == "all"
    areas = curve_areas(curves, training)
    assert areas["normalized"].to_numpy() == pytest.approx(
        areas["area"]
        / curves
        .groupby(["ensemble", "seed", "layer", "mode"], sort=False)["accuracy"]
        .first()
        .to_numpy()
    )
    for mode in ("zero", "noise"):
        estimates = [
            of(table, statistic, mode=mode)["estimate"]
            for table, statistic in (
                (whole, "spearman_label_corruption_normalized"),
                (found(lowered, training), "spearman_label_corruption_normalized"),
                (found(lowered, training), "spearman_label_corruption"),
            )
        ]
        assert estimates == pytest.approx([estimates[0]] * 3)


def test_rows_say_which_labels_count(training):
    table = found(made_curves(training), training).set_index("statistic")["labels"]
    assert set(table["spearman_gap"]) == {"all"}
    assert set(table["spearman_gap_true_labels"]) == {"true"}


@pytest.mark.parametrize("corruptions", [5, 6])
def test_perfect_orders_of_few_ensembles_are_below_0(corruptions):
    training = made_training(corruptions=corruptions)
    row = of(found(made_curves(training), training), "spearman_gap")
    assert row["estimate"] == row["low"] == pytest.approx(-1)
    assert row["high"] == pytest.approx(-perfect_order_bound(corruptions, 0.95))
    assert row["high"] < 0


def test_interval_is_of_ensembles_left_out(training):
    generator = np.random.default_rng(3)
    noisy = training.assign(
        test_accuracy=training["test_accuracy"] + 0.3 * generator.normal(size=len(training))
    )
    curves = made_curves(training)
    row = of(found(curves, noisy), "spearman_gap")
    areas = curve_areas(curves, noisy).query("mode == 'zero' and dropout == 0")
    gap = areas["train_accuracy"] - areas["test_accuracy"]
    left_out = [
        np.arctanh(scipy.stats.spearmanr(areas["area"][others], gap[others]).statistic)
        for others in (areas["ensemble"] != name for name in areas["ensemble"].unique())
    ]
    error = (4 / 5 * np.square(left_out - np.mean(left_out)).sum()) ** 0.5
    z = np.arctanh(scipy.stats.spearmanr(areas["area"], gap).statistic)
    half = scipy.stats.t.ppf(0.975, 3) * error
    assert [row["estimate"], row["low"], row["high"]] == pytest.approx(
        np.tanh([z, z - half, z + half]).tolist()
    )


def test_networks_of_true_labels_are_also_taken_by_themselves():
    training = made_training(corruptions=6)
    # Learning rates that make gaps of their own, larger where the area is.
    some = training[(training["dropout"] == 0)].assign(label_corruption=0.0)
    curves = made_curves(training[training["dropout"] == 0])
    row = of(found(curves, some), "spearman_gap_true_labels")
    assert row["networks"] == 18
    assert row["high"] < 0


@pytest.mark.filterwarnings("error")
def test_what_cannot_be_estimated_says_why(training):
    table = found(made_curves(training), training)
    row = of(table, "spearman_gap_true_labels")
    # The order of one ensemble's seeds is known, but not how other ensembles are ordered.
    assert row["estimate"] == pytest.approx(-1)
    assert np.isnan([row["low"], row["high"]]).all()
    assert row["note"] == "1 of the 5 ensembles that a verdict needs"
    one = training[training["label_corruption"] == 0]
    row = of(found(made_curves(one), one), "spearman_label_corruption")
    assert row["note"] == "the label corruption does not vary"


def test_only_last_steps_and_all_layers_count(training):
    curves = made_curves(training)
    more = curves.assign(layer="1", accuracy=0.1)
    both = found(pd.concat([curves, more]), training)
    assert both["estimate"].equals(found(curves, training)["estimate"])


def test_networks_that_have_not_fitted_do_not_count(training):
    unfit = training["train_accuracy"].mask(training["seed"] == 2, 0.99)
    table = found(made_curves(training), training.assign(train_accuracy=unfit))
    assert of(table, "spearman_gap")["networks"] == 10


def test_test_accuracy_is_judged_on_all_networks_with_true_labels(training):
    some = training[training["dropout"] == 0].assign(label_corruption=0.0, train_accuracy=0.9)
    curves = made_curves(training[training["dropout"] == 0])
    table = found(curves, some)
    row = of(table, "spearman_test_accuracy")
    areas = curve_areas(curves, some).query("mode == 'zero'")
    expected = scipy.stats.spearmanr(areas["area"], areas["test_accuracy"]).statistic
    assert row["estimate"] == pytest.approx(expected)
    assert row["networks"] == 15
    assert of(table, "spearman_gap")["networks"] == 0
