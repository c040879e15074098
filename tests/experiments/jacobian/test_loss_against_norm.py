import numpy as np
import pytest
import scipy.stats
from matplotlib.colors import to_hex
from oracles.point_tables import made_points

from generalization.experiments.jacobian.loss_against_norm import loss_against_norm
from generalization.figures.style import CATEGORIES
from generalization.figures.svg_file import save_figure


@pytest.fixture
def study():
    return made_points(
        np.random.default_rng(0),
        datasets=("cifar10", "mnist"),
        losses=("cross_entropy", "squared"),
        ensembles=4,
    )


def drawn(axes, label):
    """(x, y) of the marks of one kind, by x, and their colors."""
    (marks,) = (part for part in axes.collections if part.get_label() == label)
    colors = {to_hex(color) for color in marks.get_facecolors()}
    return by_loss(marks.get_offsets().data), colors


def by_loss(rows):
    return rows[rows[:, 0].argsort()]


def test_a_panel_per_dataset_and_training_loss(study):
    figure = loss_against_norm(*study)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["cifar10", "mnist", "cifar10", "mnist"]
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels == 2 * ["Cross-entropy (nats)"] + 2 * ["Squared loss ‖σ − e$_y$‖²"]
    assert figure.axes[2].get_ylabel() == "Jacobian norm ‖J‖$_F$\ntrained with squared loss"
    assert {(axes.get_xscale(), axes.get_yscale()) for axes in figure.axes} == {("log", "log")}


@pytest.mark.parametrize(("panel", "loss"), [(1, "cross_entropy"), (3, "squared")])
def test_marks_are_the_points_of_the_first_networks(study, panel, loss):
    axes = loss_against_norm(*study).axes[panel]
    column = {"cross_entropy": "cross_entropy", "squared": "squared_loss"}[loss]
    rows = study[0][study[0]["ensemble"].str.startswith(f"mnist-{loss}-")]
    # Seed 1 of all four ensembles comes before seed 2 of the first.
    rows = rows[(rows["seed"] == 1) | rows["ensemble"].str.endswith("-00")]
    for label, correct in {"right": 1, "wrong": 0}.items():
        marks, colors = drawn(axes, label)
        expected = rows.loc[rows["correct"] == correct, [column, "jacobian_norm"]]
        assert marks == pytest.approx(by_loss(expected.to_numpy()))
        assert colors == {color.lower() for color in CATEGORIES[:5]}


def test_correlation_over_points_stands_above(study):
    axes = loss_against_norm(*study, networks=2).axes[1]
    rho = [
        scipy.stats.spearmanr(network["cross_entropy"], network["jacobian_norm"]).statistic
        for ensemble in ("mnist-cross_entropy-00", "mnist-cross_entropy-01")
        for _, network in study[0].query("ensemble == @ensemble and seed == 1").groupby("seed")
    ]
    assert axes.texts[0].get_text() == (
        f"ρ = {np.mean(rho):.2g} ({min(rho):.2g} to {max(rho):.2g}), 2 networks".replace("-", "−")
    )


def test_constant_norm_has_no_correlation(study):
    points, training = study
    axes = loss_against_norm(points.assign(jacobian_norm=0.5), training).axes[0]
    assert axes.texts[0].get_text() == "Spearman ρ: none, as a value is constant"


def test_zeros_have_no_place_on_logarithmic_axes(study):
    points, training = study
    points.loc[points["point"] < 3, "jacobian_norm"] = 0.0
    points.loc[points["point"] == 3, "cross_entropy"] = 0.0
    axes = loss_against_norm(points, training).axes[0]
    assert sum(len(drawn(axes, label)[0]) for label in ("right", "wrong")) == 5 * (60 - 4)


def test_dataset_without_networks_of_a_loss_says_so(study):
    points, training = study
    training.loc[training["ensemble"].str.startswith("mnist-squared"), "train_accuracy"] = 0.5
    axes = loss_against_norm(points, training).axes[3]
    assert [text.get_text() for text in axes.texts] == ["no fitted network"]
    assert axes.get_xlabel() == "Squared loss ‖σ − e$_y$‖²"
    assert axes.axison  # Else its labels are not drawn.


def test_norms_that_are_all_zero_leave_panels_empty(study):
    points, training = study
    figure = loss_against_norm(points.assign(jacobian_norm=0.0), training)
    figure.canvas.draw()
    assert not any(len(kind.get_offsets()) for kind in figure.axes[-1].collections)


def test_nothing_to_show_is_stated(study):
    points, training = study
    empty = points[["ensemble", "seed", "step"]][:0]
    for figure in (
        loss_against_norm(points, training.assign(train_accuracy=0.5)),
        loss_against_norm(empty, training),
    ):
        assert figure.texts[0].get_text() == (
            "Loss against norm: no network has fitted true labels."
        )


def test_file_stays_small(tmp_path):
    points, training = made_points(
        np.random.default_rng(0),
        datasets=("cifar10", "cifar100", "fashion_mnist", "mnist"),
        losses=("cross_entropy", "squared"),
        ensembles=5,
        seeds=1,
        points=1000,
    )
    save_figure(tmp_path / "loss_against_norm.svg", loss_against_norm(points, training))
    assert (tmp_path / "loss_against_norm.svg").stat().st_size < 1_000_000
