import numpy as np
import pandas as pd
import pytest
from oracles.similarity_tables import STEPS, made_study

from generalization.experiments.similarity.similarity_over_training import similarity_over_training


@pytest.fixture(scope="module")
def study():
    similarities, training = made_study(np.random.default_rng(0))
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(similarities))
    before = similarities["step_a"] < STEPS[-1]
    return similarities.assign(value=similarities["value"] + noise * before), training


def lines(axes, style="-"):
    return [line for line in axes.lines if line.get_linestyle() == style]


def test_lines_are_means_over_networks(study):
    figure = similarity_over_training(*study)
    rows = study[0][study[0]["pairs"] == "over_training"]
    for axes, ensemble in zip(figure.axes, ("e0", "e1"), strict=True):
        of_ensemble = rows[rows["ensemble_a"] == ensemble]
        for line, (_, layer) in zip(lines(axes), of_ensemble.groupby("layer_a"), strict=True):
            means = layer.groupby("step_a")["value"].mean()
            assert line.get_xdata().tolist() == list(STEPS)
            assert line.get_ydata() == pytest.approx(means.to_numpy())
            assert line.get_ydata()[-1] == 1
        for line in lines(axes, ":"):
            assert line.get_ydata() == pytest.approx(0.2)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["mnist, true labels\n3 networks", "mnist, random labels\n3 networks"]


def test_band_is_one_standard_error_over_networks(study):
    axes = similarity_over_training(*study).axes[0]
    rows = study[0].query("pairs == 'over_training' and ensemble_a == 'e0' and step_a == 4")
    for layer, band in enumerate(axes.collections):
        vertices = band.get_paths()[0].vertices
        width = np.ptp(vertices[vertices[:, 0] == 4, 1])
        assert width == pytest.approx(2 * rows.loc[rows["layer_a"] == layer, "value"].sem())


def test_network_that_was_done_earlier_counts_on_as_it_ended(study):
    similarities, training = made_study(np.random.default_rng(0), corruptions=(0.0,))
    sooner = training["seed"] == 1
    training = training[~sooner | (training["step"] <= 16)]
    training = training.assign(final=training["step"] == np.where(training["seed"] == 1, 16, 64))
    of_one = (similarities["pairs"] == "over_training") & (similarities["seed_a"] == 1)
    sooner = similarities[of_one & (similarities["step_a"] <= 16)].assign(step_b=16, value=0.7)
    sooner.loc[sooner["step_a"] == 16, "value"] = 1.0
    table = pd.concat([similarities[~of_one], sooner])
    axes = similarity_over_training(table, training).axes[0]
    assert [line.get_ydata()[-1] for line in lines(axes)] == [1, 1, 1]
    assert lines(axes)[2].get_xdata().tolist() == list(STEPS)


def test_logits_have_a_color_of_their_own_in_networks_of_all_depths():
    tables = [made_study(np.random.default_rng(0), corruptions=(0.0,), layers=n) for n in (2, 4)]
    names = [table.replace("e0", f"d{place}") for place, (table, _) in enumerate(tables)]
    training = [table.replace("e0", f"d{place}") for place, (_, table) in enumerate(tables)]
    shallow, deep = similarity_over_training(pd.concat(names), pd.concat(training)).axes
    colors = [[line.get_color() for line in lines(axes)] for axes in (shallow, deep)]
    assert colors[0] == [colors[1][0], colors[1][-1]]


def test_two_similarities_have_a_row_each(study):
    similarities, training = study
    both = pd.concat([similarities, similarities.assign(similarity="svcca")])
    labels = [axes.get_ylabel() for axes in similarity_over_training(both, training).axes]
    assert labels == ["SVCCA with the end", "", "PWCCA with the end", ""]


def test_networks_that_were_kept_once_are_nothing_to_show(study):
    similarities, training = study
    once = similarities[similarities["step_a"] == STEPS[-1]]
    for table in (once, similarities[:0]):
        assert similarity_over_training(table, training).texts[0].get_text() == (
            "No network was kept at two steps and compared with its end."
        )


def test_straight_line_is_dashed_beside_the_course_of_the_same_networks(study):
    similarities, training = study
    course = similarities[similarities["pairs"] == "over_training"]
    line = course.assign(pairs="straight_line", value=course["value"] ** 2)
    figure = similarity_over_training(pd.concat([similarities, line]), training)
    for axes, ensemble in zip(figure.axes, ("e0", "e1"), strict=True):
        trained = lines(axes)
        for place, dashed in enumerate(lines(axes, "--")):
            of_layer = line[(line["ensemble_a"] == ensemble) & (line["layer_a"] == place)]
            expected = of_layer.groupby("step_a")["value"].mean()
            assert dashed.get_ydata() == pytest.approx(expected.to_numpy())
            assert dashed.get_color() == trained[place].get_color()
        assert len(lines(axes, "--")) == len(trained) == 3
    assert "On the straight line" in words_of_legend(figure)
    without = similarity_over_training(similarities, training)
    assert "On the straight line" not in words_of_legend(without)
    assert not lines(without.axes[0], "--")


def words_of_legend(figure):
    legends = [axes.get_legend() for axes in figure.axes]
    return {text.get_text() for legend in filter(None, legends) for text in legend.get_texts()}
