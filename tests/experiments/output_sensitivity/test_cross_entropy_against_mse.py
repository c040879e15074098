import numpy as np
import pytest
from oracles.sensitivity_studies import made_study

from generalization.experiments.output_sensitivity.cross_entropy_against_mse import (
    cross_entropy_against_mse,
)


@pytest.fixture(scope="module")
def study():
    *_, errors, training = made_study(np.random.default_rng(0))
    return errors, training


@pytest.mark.parametrize(("panel", "error"), [(0, "squared_error"), (1, "squared_logit_error")])
def test_points_are_geometric_means_of_losses_and_roots_at_the_last_step(study, panel, error):
    errors, _ = study
    axes = cross_entropy_against_mse(*study).axes[panel]
    found = [container.lines[0].get_xydata()[0] for container in axes.containers]
    rows = errors[errors["step"] > 0].assign(x=lambda table: np.log(table[error] / 2) / 2)
    rows = rows.assign(y=np.log(rows["cross_entropy"])).groupby("ensemble", sort=False)
    assert np.array(found) == pytest.approx(np.exp(rows[["x", "y"]].mean().to_numpy()))


def test_line_is_where_both_are_equal(study):
    for axes in cross_entropy_against_mse(*study).axes:
        line = axes.lines[-1]
        assert len(line.get_xdata()) == 2
        assert list(line.get_xdata()) == list(line.get_ydata())


def test_networks_that_have_not_fitted_are_hollow(study):
    errors, training = study
    texts = {}
    for accuracy in (1.0, 0.9):
        figure = cross_entropy_against_mse(errors, training.assign(train_accuracy=accuracy))
        legend = figure.axes[0].get_legend().get_texts()
        texts[accuracy] = [text.get_text() for text in legend]
    assert "Seeds fitted" not in texts[1.0]
    assert texts[0.9][-5:] == ["Seeds fitted", "all", "not all", "Relation", "L = √(MSE / 2)"]


def test_no_network_is_stated(study):
    errors, training = study
    figure = cross_entropy_against_mse(errors.assign(cross_entropy=np.nan), training)
    assert figure.texts[0].get_text() == (
        "Cross-entropy against squared error: no network has either."
    )
