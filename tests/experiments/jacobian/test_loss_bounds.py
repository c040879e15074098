import numpy as np
import pytest
from oracles.point_tables import made_points

from generalization.experiments.jacobian.loss_bounds import loss_bounds


@pytest.fixture
def study():
    return made_points(
        np.random.default_rng(0),
        datasets=("cifar10", "mnist"),
        losses=("cross_entropy", "squared"),
    )


def curves(axes):
    return {line.get_label(): line.get_xydata() for line in axes.get_lines()}


def by_loss(rows):
    return rows[rows[:, 0].argsort()]


def network_of(points):
    return points[(points["ensemble"] == "mnist-cross_entropy-00") & (points["seed"] == 1)]


@pytest.mark.parametrize(("panel", "column"), [(1, "true_row_norm"), (3, "jacobian_norm")])
def test_marks_are_the_points_of_one_network_per_dataset(study, panel, column):
    axes = loss_bounds(*study).axes[panel]
    network = network_of(study[0])
    for marks, correct in zip(axes.collections, (1, 0), strict=True):
        expected = network.loc[network["correct"] == correct, ["cross_entropy", column]]
        assert len(expected)
        assert by_loss(marks.get_offsets().data) == pytest.approx(by_loss(expected.to_numpy()))


def test_curves_are_the_equations_with_the_mean_m(study):
    figure = loss_bounds(*study)
    m = network_of(study[0])["logit_gram_m"].mean()
    drawn = curves(figure.axes[1]) | curves(figure.axes[3])
    loss = drawn["Eq. 7: even rivals"][:, 0]
    p = np.exp(-loss)
    expected = {
        "Eq. 5, lower: even rivals": np.sqrt(10 * m / 9) * p * (1 - p),
        "Eq. 5, upper: one rival": np.sqrt(2 * m) * p * (1 - p),
        "Eq. 6, as printed": np.sqrt(10 * m / 9) * p * (1 - p),
        "Eq. 6, tightened": np.sqrt(m) * 10 / 9 * p * (1 - p),
        "Eq. 7: even rivals": np.sqrt(m) / 9 * (1 - p) * np.sqrt(100 * p**2 + 8),
        "2√M p(1−p): one rival": 2 * np.sqrt(m) * p * (1 - p),
    }
    assert set(drawn) == set(expected)
    for name, values in expected.items():
        assert drawn[name][:, 1] == pytest.approx(values), name


def test_curves_reach_over_all_points_on_logarithmic_axes(study):
    figure = loss_bounds(*study)
    losses = network_of(study[0])["cross_entropy"]
    along = curves(figure.axes[3])["Eq. 6, tightened"][:, 0]
    assert (along.min(), along.max()) == pytest.approx((losses.min(), losses.max()))
    assert {(axes.get_xscale(), axes.get_yscale()) for axes in figure.axes} == {("log", "log")}


def test_what_is_shown_stands_above(study):
    axes = loss_bounds(*study).axes[1]
    m = network_of(study[0])["logit_gram_m"].mean()
    assert axes.get_title("left") == "mnist"
    assert axes.texts[0].get_text() == f"M = {m:.3g}, K = 10, 60 test points"


def test_legends_name_marks_and_curves(study):
    figure = loss_bounds(*study)
    names = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert names == [
        "The network is",
        "right",
        "wrong",
        "Curves",
        "Eq. 5, upper: one rival",
        "Eq. 5, lower: even rivals",
    ]


def test_zeros_have_no_place_on_logarithmic_axes(study):
    points, training = study
    points.loc[points["point"] < 3, "jacobian_norm"] = 0.0
    marks = loss_bounds(points, training).axes[3].collections
    assert sum(len(kind.get_offsets()) for kind in marks) == 57


def test_norms_that_are_all_zero_leave_panels_empty(study):
    points, training = study
    figure = loss_bounds(points.assign(jacobian_norm=0.0), training)
    figure.canvas.draw()
    assert not any(len(kind.get_offsets()) for kind in figure.axes[-1].collections)


def test_nothing_to_show_is_stated(study):
    points, training = study
    squared = training.assign(loss="squared")
    for figure in (loss_bounds(points, squared), loss_bounds(points[:0], training)):
        assert figure.texts[0].get_text() == (
            "Bounds of the norm by the loss: no network that was trained with cross-entropy has "
            "fitted true labels."
        )
