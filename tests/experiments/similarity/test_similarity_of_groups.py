import numpy as np
import pandas as pd
import pytest
from oracles.similarity_tables import made_study

from generalization.experiments.similarity.similarity_contrasts import similarity_contrasts
from generalization.experiments.similarity.similarity_of_groups import APART, similarity_of_groups
from generalization.statistics.resampling import Resampling


def table_of(**settings):
    study = made_study(np.random.default_rng(0), **settings)
    return similarity_contrasts(*study, resampling=Resampling(np.random.default_rng(0), 200))


@pytest.fixture(scope="module")
def table():
    return table_of(seeds=4, widths=(25, 50))


def test_points_and_bars_are_those_of_the_table(table):
    (axes,) = similarity_of_groups(table).axes
    names = ["within_generalizing", "within_memorizing", "between"]
    for place, (name, drawn) in enumerate(zip(names, axes.containers, strict=True)):
        rows = table[table["statistic"] == name]
        line, _, (bars,) = drawn
        assert line.get_xdata() == pytest.approx(rows["layer"] + APART * (place - 1))
        assert line.get_ydata() == pytest.approx(rows["estimate"].to_numpy())
        for segment, row in zip(bars.get_segments(), rows.to_dict("records"), strict=True):
            assert segment[:, 1] == pytest.approx([row["low"], row["high"]])


def test_panel_says_what_it_is_made_from(table):
    figure = similarity_of_groups(table)
    (axes,) = figure.axes
    assert axes.get_title("left") == "mnist\n8 and 8 networks; 12, 12, 32 pairs"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "logits"]
    assert axes.get_ylabel() == "Distance, 1 − PWCCA"
    assert figure.get_suptitle() == "Distances of two networks, with 95 % intervals over settings"


def test_similarities_have_rows_and_datasets_columns(table):
    both = pd.concat([table, table.assign(similarity="svcca"), table.assign(dataset="digits")])
    figure = similarity_of_groups(both)
    assert len(figure.axes) == 4
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == [
        "Distance, 1 − PWCCA",
        "Distance, 1 − SVCCA",
    ]


def test_architectures_have_columns_and_are_named_if_there_are_several(table):
    other = table.assign(architecture="convolutional")
    figure = similarity_of_groups(pd.concat([table, other]))
    titles = [axes.get_title("left").split("\n")[0] for axes in figure.axes]
    assert titles == ["mnist, convolutional", "mnist, fully connected"]


def test_pairs_without_interval_have_points(table):
    (axes,) = similarity_of_groups(table.assign(low=np.nan, high=np.nan)).axes
    _, _, (bars,) = axes.containers[0]
    assert np.ptp([segment[:, 1] for segment in bars.get_segments()], axis=1).max() == 0


def test_one_group_is_drawn_alone():
    (axes,) = similarity_of_groups(table_of(corruptions=(0.0,))).axes
    assert axes.get_title("left") == "mnist\n3 networks; 3 pairs"


def test_nothing_to_show_is_stated(table):
    assert similarity_of_groups(table[:0]).texts[0].get_text() == (
        "No two networks on true labels, or on random ones, were compared."
    )
