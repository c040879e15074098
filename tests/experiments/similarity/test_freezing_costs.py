import numpy as np
import pandas as pd
from oracles.frozen import training_of

from generalization.experiments.similarity.freezing_costs import freezing_costs
from generalization.experiments.similarity.freezing_courses import freezing_courses

ACCURACIES = {"none": [0.1, 0.4, 0.6, 0.7, 0.8], "bottom_up": [0.1, 0.5, 0.7, 0.8, 0.9]}


def courses_of(*trainings):
    training = pd.concat(trainings, ignore_index=True)
    return freezing_courses(training, {"digits": (1, 8, 8)}, {"digits": 10})


def test_lines_are_accuracies_against_steps_and_flops():
    courses = courses_of(training_of(accuracies=ACCURACIES))
    figure = freezing_costs(courses)
    by_step, by_flops = figure.axes
    for axes, key in ((by_step, "step"), (by_flops, "flops")):
        drawn = [line for line in axes.get_lines() if line.get_linestyle() == "-"]
        for line, (kind, accuracy) in zip(drawn, ACCURACIES.items(), strict=True):
            one = courses[(courses["freeze_layers"] == kind) & (courses["seed"] == 1)]
            np.testing.assert_allclose(line.get_xdata(), one[key].iloc[1:])
            np.testing.assert_allclose(line.get_ydata(), accuracy[1:])
    borders = [line.get_xdata()[0] for line in by_step.get_lines() if line.get_linestyle() == ":"]
    assert borders == [6, 9]  # Layers are frozen after steps 4 and 8.
    assert "digits" in by_step.get_title(loc="left")
    assert "4 networks" in by_step.get_title(loc="left")


def test_networks_that_end_earlier_count_on():
    early = training_of(seeds=(1,), accuracies=ACCURACIES)
    late = training_of(seeds=(2,), accuracies=ACCURACIES)
    early = early[early["step"] <= 6]
    figure = freezing_costs(courses_of(early, late))
    line = figure.axes[0].get_lines()[0]
    np.testing.assert_allclose(line.get_ydata(), [0.4, 0.6, 0.65, 0.7])


def test_words_without_frozen_networks():
    figure = freezing_costs(courses_of(training_of(kinds=["none"])))
    assert figure.texts[0].get_text() == "No setting has networks with and without frozen layers."
