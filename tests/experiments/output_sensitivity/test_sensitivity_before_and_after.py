import numpy as np
import pytest
from oracles.sensitivity_studies import made_study

from generalization.experiments.output_sensitivity.sensitivity_before_and_after import (
    sensitivity_before_and_after,
)
from generalization.experiments.output_sensitivity.sensitivity_statistics import (
    sensitivity_statistics,
)
from generalization.statistics.resampling import Resampling

KINDS = ("output_sensitivity", "centered_output_sensitivity")


@pytest.fixture(scope="module")
def study():
    measures, profile, *_ = made_study(np.random.default_rng(0))
    generator = np.random.default_rng(1)
    return measures, sensitivity_statistics(
        measures, profile, resampling=Resampling(generator, 100)
    )


def points(axes):
    return np.array([container.lines[0].get_xydata()[0] for container in axes.containers])


def means(measures, measure, column, trained):
    rows = measures[(measures["measure"] == measure) & ((measures["step"] > 0) == trained)]
    logs = np.log(rows[column]).groupby(rows["ensemble"], sort=False).mean()
    return np.exp(logs).to_numpy()


@pytest.mark.parametrize("place", [0, 1])
def test_panels_are_of_the_sensitivity_before_training(study, place):
    measures, _ = study
    upper, lower = sensitivity_before_and_after(*study).axes[2 * place : 2 * place + 2]
    before = means(measures, KINDS[place], "value", trained=False)
    after = means(measures, KINDS[place], "value", trained=True)
    loss = means(measures, KINDS[place], "test_loss", trained=True)
    assert points(upper) == pytest.approx(np.stack([before, after], axis=1))
    assert points(lower) == pytest.approx(np.stack([before, loss], axis=1))


def test_on_the_line_nothing_changes(study):
    upper = sensitivity_before_and_after(*study).axes[0]
    (line,) = [line for line in upper.lines if len(line.get_xdata()) == 2]
    assert line.get_xdata() == pytest.approx(line.get_ydata())


def test_correlation_with_the_loss_is_that_before_training(study):
    row = (
        study[1]
        .query(
            "not trained and measure == 'output_sensitivity' and selection == 'fitted' "
            "and statistic == 'pearson_log'"
        )
        .iloc[0]
    )
    words = sensitivity_before_and_after(*study).axes[1].texts[0].get_text()
    assert words.splitlines()[0] == (
        f"r of logs {row['estimate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    )


def test_a_study_without_step_0_says_so(study):
    measures, statistics = study
    figure = sensitivity_before_and_after(measures[measures["final"]], statistics)
    assert figure.texts[0].get_text() == (
        "Sensitivity before and after: no network was measured at step 0 and at its last step."
    )
