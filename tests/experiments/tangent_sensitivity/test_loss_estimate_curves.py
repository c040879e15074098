import numpy as np
import pandas as pd
import pytest
from oracles.studies import hyperparameters, made_training

from generalization.experiments.tangent_sensitivity.loss_estimate_curves import (
    LAST,
    LINES,
    MOST_GROUPS,
    loss_estimate_curves,
)
from generalization.experiments.tangent_sensitivity.loss_estimate_errors import loss_estimate_errors
from generalization.experiments.tangent_sensitivity.loss_estimates import (
    loss_estimates as made_estimates,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import collect_training

NOTHING = "No network was kept at two steps and has a loss to be estimated."


@pytest.fixture(scope="module")
def training():
    return collect_training(made_training(), hyperparameters())


def made_profile(training):
    generator = np.random.default_rng(0)
    profile = training[["ensemble", "seed", "step"]].assign(log_norm=-3.0)
    for name, value in (("maximal", 40), ("empirical", -70)):
        for part in ("train", "test"):
            noise = generator.standard_normal(len(profile))
            profile[f"log_{name}_{part}"] = value + noise
    return profile


def tables_of(training):
    estimates = made_estimates(made_profile(training), training)
    generator = np.random.default_rng(0)
    return estimates, loss_estimate_errors(
        estimates, training, resampling=Resampling(generator, 100)
    )


@pytest.fixture(scope="module")
def tables(training):
    return tables_of(training)


def drawn(axes, label):
    (line,) = (line for line in axes.lines if line.get_label() == label)
    return dict(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_courses_are_of_the_first_network(training, tables):
    figure = loss_estimate_curves(*tables, training)
    first = tables[0].query("ensemble == 'mnist_subset-00000000' and seed == 1")
    for axes, quantity in zip(figure.axes[:2], ("loss", "accuracy"), strict=True):
        for estimator in LINES:
            rows = first[(first["quantity"] == quantity) & (first["estimator"] == estimator)]
            assert drawn(axes, estimator) == dict(zip(rows["step"], rows["estimate"], strict=True))
        assert drawn(axes, "test") == dict(zip(rows["step"], rows["truth"], strict=True))
    assert figure.axes[0].get_title("left") == "mnist_subset\nNetwork 1 of 144"


def test_errors_are_those_of_the_table_with_their_intervals(training, tables):
    figure = loss_estimate_curves(*tables, training)
    for axes, quantity in zip(figure.axes[2:], ("loss", "accuracy"), strict=True):
        rows = tables[1][tables[1]["quantity"] == quantity].set_index("estimator")
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names == [name for name, _ in (LINES | LAST).values()]
        intervals = [line for line in axes.lines if len(set(line.get_xdata())) == 2]
        for place, estimator in enumerate(LINES | LAST):
            assert drawn(axes, estimator) == {rows.loc[estimator, "estimate"]: place}
            (bar,) = (line for line in intervals if set(line.get_ydata()) == {place})
            assert list(bar.get_xdata()) == rows.loc[estimator, ["low", "high"]].tolist()
        assert axes.get_xlim()[0] == 0
        assert axes.get_xlim()[1] >= rows.loc[[*LINES, *LAST], "high"].max()


def test_variants_of_one_optimizer_are_distinguished_in_words(training):
    names = list(training["ensemble"].unique())
    varied = training.assign(
        optimizer=training["ensemble"].map(lambda name: "ab"[names.index(name) % 2]),
        dropout=training["ensemble"].map(lambda name: (0, 0.2)[names.index(name) // 2 % 2]),
    )
    figure = loss_estimate_curves(*tables_of(varied), varied)
    titles = [axes.get_title("left").split("\n")[1] for axes in figure.axes[:MOST_GROUPS]]
    assert titles == ["a", "dropout 0.2, a", "b"]


def test_sgd_is_drawn_before_other_optimizers(training):
    names = training["ensemble"].unique()
    optimizers = dict(zip(names, ["adam", "rmsprop", "sgd"] * 12, strict=True))
    varied = training.assign(optimizer=training["ensemble"].map(optimizers))
    figure = loss_estimate_curves(*tables_of(varied), varied)
    titles = [axes.get_title("left").split("\n")[1] for axes in figure.axes[:MOST_GROUPS]]
    assert titles == ["sgd", "adam", "rmsprop"]


def test_networks_kept_after_every_epoch_are_drawn_over_epochs(training):
    steps = {step: 40 * place for place, step in enumerate(sorted(training["step"].unique()))}
    even = training.assign(step=training["step"].map(steps), kept_steps="every_epoch")
    axes = loss_estimate_curves(*tables_of(even), even).axes[1]
    assert axes.get_xlabel() == "Epoch"
    epochs = [*drawn(axes, "train")]
    assert len(epochs) > 3 and epochs == [*range(1, len(epochs) + 1)]


def test_a_column_per_dataset_and_variant_at_most_three(training):
    names = training["ensemble"].unique()
    optimizers = dict(zip(names, "abcd" * 9, strict=True))
    varied = training.assign(optimizer=training["ensemble"].map(optimizers))
    figure = loss_estimate_curves(*tables_of(varied), varied)
    assert len(figure.axes) == 4 * MOST_GROUPS
    titles = [axes.get_title("left").split("\n")[:2] for axes in figure.axes[:MOST_GROUPS]]
    assert titles == [["mnist_subset", optimizer] for optimizer in "abc"]
    assert figure.get_suptitle() == (
        "Estimates of test loss and accuracy; errors are means over 108 networks"
    )


def test_a_peak_of_one_estimator_is_cut_off(training, tables):
    estimates, errors = tables
    first = (estimates["ensemble"] == estimates["ensemble"][0]) & (estimates["seed"] == 1)
    peak = first & (estimates["estimator"] == "eq_5_log") & (estimates["step"] == 300)
    figure = loss_estimate_curves(
        estimates.assign(estimate=estimates["estimate"].mask(peak, 1e3)), errors, training
    )
    low, high = figure.axes[0].get_ylim()
    measured = estimates[first & (estimates["quantity"] == "loss")]
    assert measured["truth"].between(low, high).all()
    assert measured.loc[measured["estimator"] == "train", "estimate"].between(low, high).all()
    assert high < 20


def test_steps_are_logarithmic_if_they_are_kept_ever_more_rarely(training, tables):
    assert loss_estimate_curves(*tables, training).axes[0].get_xscale() == "log"
    steps = {step: place for place, step in enumerate(sorted(training["step"].unique()))}
    even = training.assign(step=training["step"].map(steps))
    assert loss_estimate_curves(*tables_of(even), even).axes[0].get_xscale() == "linear"


def test_legend_names_what_is_drawn(training, tables):
    legend = loss_estimate_curves(*tables, training).axes[0].get_legend()
    names = [name for name, _ in LINES.values()]
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["Measured", "Test", "Train", "Estimated", *names[1:]]


def test_an_estimator_without_estimates_has_no_line(training, tables):
    estimates, errors = (
        table.assign(estimate=table["estimate"].mask(table["estimator"] == "eq_7_log"))
        for table in tables
    )
    figure = loss_estimate_curves(estimates, errors, training)
    assert drawn(figure.axes[0], "eq_7_log") == {}
    assert len(drawn(figure.axes[0], "eq_6_log")) > 0


def test_one_network_is_drawn_without_intervals(training):
    one = training[training["ensemble"] == training["ensemble"][0]]
    one = one[one["seed"] == 1]
    figure = loss_estimate_curves(*tables_of(one), one)
    assert figure.axes[0].get_title("left") == "mnist_subset\nNetwork 1 of 1"
    assert len(drawn(figure.axes[2], "eq_6_log")) == 1


def test_nothing_to_show_is_stated(training, tables):
    estimates, errors = tables
    read_without_rows = pd.DataFrame(columns=estimates.columns, dtype=object)
    for table in (estimates[:0], read_without_rows, estimates.assign(truth=np.nan)):
        figure = loss_estimate_curves(table, errors, training)
        assert figure.texts[0].get_text() == NOTHING
