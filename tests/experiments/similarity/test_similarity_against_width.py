import numpy as np
import pandas as pd
import pytest
from oracles.similarity_tables import made_study

from generalization.experiments.similarity.similarity_against_width import similarity_against_width
from generalization.experiments.similarity.similarity_of_ensembles import similarity_of_ensembles
from generalization.statistics.resampling import Resampling


@pytest.fixture(scope="module")
def table():
    study = made_study(np.random.default_rng(0), widths=(25, 50, 100))
    return similarity_of_ensembles(*study, resampling=Resampling(np.random.default_rng(0), 200))


def test_points_and_bars_are_those_of_networks_on_true_labels(table):
    (axes,) = similarity_against_width(table).axes
    rows = table[table["task"] == "generalizing"]
    for drawn, (_, layer) in zip(axes.containers, rows.groupby("layer"), strict=True):
        line, _, (bars,) = drawn
        assert line.get_xdata().tolist() == [25, 50, 100]
        assert line.get_ydata() == pytest.approx(layer.sort_values("width")["estimate"].to_numpy())
        for segment, row in zip(bars.get_segments(), layer.to_dict("records"), strict=True):
            assert segment[:, 1] == pytest.approx([row["low"], row["high"]])
    assert axes.get_title("left") == "mnist\n9 networks"


def test_chance_is_dotted(table):
    (axes,) = similarity_against_width(table).axes
    dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert len(dotted) == 3
    for line in dotted:
        assert line.get_ydata() == pytest.approx(0.2)


def test_several_ensembles_of_a_width_are_one_point_without_interval(table):
    again = table.assign(ensemble=table["ensemble"] + "x", estimate=table["estimate"] - 0.1)
    (axes,) = similarity_against_width(pd.concat([table, again])).axes
    line, _, (bars,) = axes.containers[0]
    rows = table[(table["task"] == "generalizing") & (table["layer"] == 0)]
    means = rows.sort_values("width")["estimate"] - 0.05
    assert line.get_ydata() == pytest.approx(means.to_numpy())
    assert np.ptp([segment[:, 1] for segment in bars.get_segments()], axis=1).max() == 0


def test_one_width_is_nothing_to_show(table):
    for rows in (table[table["width"] == 50], table[table["task"] == "memorizing"], table[:0]):
        assert similarity_against_width(rows).texts[0].get_text() == (
            "No two seeds of networks of two widths were compared."
        )
