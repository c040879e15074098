import numpy as np
import pandas as pd
import pytest
from oracles.studies import made_measures

from generalization.figures.measure_league import measure_league
from generalization.figures.style import QUIET
from generalization.statistics.fit_statistics import fit_statistics
from generalization.statistics.resampling import Resampling

CHOSEN = ["random_number", "training_loss", "jacobian_norm", "lost", "weight_norm"]


@pytest.fixture(scope="module")
def statistics():
    measures = made_measures()
    return fit_statistics(
        measures[measures["measure"].isin(CHOSEN)],
        resampling=Resampling(np.random.default_rng(0), 100),
        permutations=99,
    )


def test_measures_stand_in_order_of_strength(statistics):
    axes = measure_league(statistics).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["Jacobian norm", "Weight norm", "Training loss", "Random number", "Lost"]
    assert axes.yaxis_inverted()


def test_points_and_bars_are_the_estimates(statistics):
    axes = measure_league(statistics).axes[0]
    ranks = statistics[statistics["statistic"] == "spearman"].set_index(["measure", "selection"])
    for container, selection in zip(axes.containers, ["fitted", "all"], strict=True):
        point, _, (bars,) = container.lines
        assert container.get_label().startswith(f"{selection} networks (")
        row = ranks.loc[("weight_norm", selection)]
        assert point.get_xdata()[1] == row["estimate"]
        assert bars.get_segments()[1][:, 0] == pytest.approx([row["low"], row["high"]])


def test_baselines_are_marked(statistics):
    axes = measure_league(statistics, baselines=["random_number", "weight_norm"]).axes[0]
    marked = [label for label in axes.get_yticklabels() if label.get_text().endswith("(baseline)")]
    assert [label.get_color() for label in marked] == [QUIET, QUIET]
    assert marked[0].get_text() == "Weight norm (baseline)"


def test_numbers_or_reasons_stand_beside(statistics):
    texts = [text.get_text() for text in measure_league(statistics).axes[0].texts]
    row = statistics.query("measure == 'jacobian_norm' and statistic == 'spearman'").iloc[0]
    assert f"{row['estimate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]" in texts
    assert "135" in texts
    assert "no network is left" in texts


def test_estimate_outside_its_percentile_interval_is_drawn(statistics):
    odd = statistics.assign(
        high=statistics["high"].where(statistics["measure"] != "weight_norm", 0)
    )
    assert len(measure_league(odd).axes[0].containers) == 2


def test_datasets_are_taken_together(statistics):
    both = pd.concat([statistics, statistics.assign(dataset="digits", estimate=0.0)])
    points = [
        measure_league(table).axes[0].containers[0].lines[0].get_xdata().astype(float)
        for table in (statistics, both)
    ]
    np.testing.assert_array_equal(*points)


def test_nothing_to_show_is_said(statistics):
    lost = statistics[statistics["measure"] == "lost"]
    assert measure_league(lost).texts[0].get_text() == (
        "No correlation could be estimated: no network is left."
    )
    assert measure_league(statistics[:0]).texts[0].get_text() == (
        "No correlation could be estimated: there is no measure."
    )
