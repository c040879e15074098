import numpy as np
import pytest
from oracles.ablation_tables import STEPS, made_training

from generalization.experiments.single_directions.ablation_auc_over_training import (
    ablation_auc_over_training,
)


def made_measures(corruptions=3):
    """Areas that are largest at step 80, and losses that are least at step 40."""
    training = made_training(steps=STEPS, dropouts=(0.0,), corruptions=corruptions)
    area = 0.5 - 0.1 * abs(np.log(training["step"] / 80)) + 0.01 * training["seed"]
    return training.assign(measure="ablation_auc", value=area)


def test_areas_are_above_losses_of_every_ensemble():
    measures = made_measures()
    figure = ablation_auc_over_training(measures)
    assert len(figure.axes) == 6
    titles = [axes.get_title("left") for axes in figure.axes[:3]]
    assert titles == ["label corruption 0", "label corruption 0.5", "label corruption 1"]
    assert figure.get_suptitle() == "The area in the course of training: 9 networks"
    (mean,) = (line for line in figure.axes[1].lines if line.get_label() == "value")
    ensemble = measures[measures["label_corruption"] == 0.5]
    assert mean.get_xdata().tolist() == list(STEPS)
    expected = ensemble.groupby("step")["value"].mean()
    assert mean.get_ydata() == pytest.approx(expected.to_numpy())
    for quantity in ("train_loss", "test_loss"):
        (mean,) = (line for line in figure.axes[4].lines if line.get_label() == quantity)
        expected = ensemble.groupby("step")[quantity].mean()
        assert mean.get_ydata() == pytest.approx(expected.to_numpy())


def test_largest_area_and_least_loss_are_marked():
    for axes in ablation_auc_over_training(made_measures()).axes:
        marks = {line.get_linestyle(): line.get_xdata()[0] for line in axes.lines}
        assert (marks[":"], marks["--"]) == (80, 40)


def test_networks_have_thin_lines_and_the_mean_is_of_steps_that_all_have():
    measures = made_measures(corruptions=1)
    ended = measures[(measures["seed"] != 2) | (measures["step"] <= 160)]
    axes = ablation_auc_over_training(ended).axes[0]
    thin = [line for line in axes.lines if line.get_linewidth() < 1]
    assert [len(line.get_xdata()) for line in thin] == [6, 5, 6]
    (mean,) = (line for line in axes.lines if line.get_label() == "value")
    assert mean.get_xdata().tolist() == list(STEPS)[:-1]


def test_of_many_ensembles_four_are_shown():
    figure = ablation_auc_over_training(made_measures(corruptions=7))
    titles = [axes.get_title("left") for axes in figure.axes[:4]]
    assert len(figure.axes) == 8
    assert (titles[0], titles[-1]) == ("label corruption 0", "label corruption 1")


def test_too_few_steps_are_reported():
    measures = made_measures()
    for few in (measures[measures["step"] > 20], measures.assign(measure="other")):
        assert ablation_auc_over_training(few).texts[0].get_text() == (
            "No network was kept at enough steps to show a course of areas."
        )
