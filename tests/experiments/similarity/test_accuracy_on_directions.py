import numpy as np
import pandas as pd
import pytest
from oracles.direction_tables import GRID, made_directions

from generalization.experiments.similarity.accuracy_on_directions import (
    KINDS,
    accuracy_on_directions,
)


def study_of(layers=2):
    profile, training = made_directions(layers)
    return profile, training.assign(label_corruption=0.0, randomization="none")


@pytest.fixture(scope="module")
def study():
    return study_of()


def lines(axes):
    return [line for line in axes.lines if line.get_marker() != "None"]


def test_lines_are_means_over_networks_at_their_last_step(study):
    figure = accuracy_on_directions(*study)
    profile = study[0][(study[0]["step"] == 50) & (study[0]["k"] > 0)]
    assert len(figure.axes) == 2
    for layer, axes in enumerate(figure.axes):
        for kind, line in zip(reversed(KINDS), lines(axes), strict=True):
            rows = profile[(profile["layer"] == layer) & (profile["directions"] == kind)]
            assert line.get_xdata().tolist() == GRID[1:]
            means = rows.groupby("k")["accuracy"].mean()
            assert line.get_ydata() == pytest.approx(means.to_numpy())


def test_band_is_one_standard_error_over_networks(study):
    axes = accuracy_on_directions(*study).axes[0]
    rows = study[0].query("step == 50 and layer == 0 and k == 4 and directions == 'random_units'")
    vertices = axes.collections[0].get_paths()[0].vertices
    width = np.ptp(vertices[vertices[:, 0] == 4, 1])
    assert width == pytest.approx(2 * rows["accuracy"].sem())


def test_gray_lines_are_the_accuracies_with_none_and_all_directions(study):
    axes = accuracy_on_directions(*study).axes[0]
    gray = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "None"]
    assert gray == pytest.approx([0.1, 0.9])


def test_few_layers_of_deep_networks_are_shown():
    titles = [axes.get_title("left") for axes in accuracy_on_directions(*study_of(5)).axes]
    assert titles == ["mnist, width 100, 2 networks\nlayer 1", "layer 3", "logits"]


def test_shallow_networks_beside_deep_ones_have_their_own_layers():
    deep, shallow = study_of(5), study_of(2)
    tables = [
        pd.concat([one, other.assign(ensemble="f")])
        for one, other in zip(deep, shallow, strict=True)
    ]
    titles = [axes.get_title("left") for axes in accuracy_on_directions(*tables).axes]
    assert titles == [
        "mnist, depth 2, width 100, 2 networks\nlayer 1",
        "logits",
        "mnist, depth 5, width 100, 2 networks\nlayer 1",
        "layer 3",
        "logits",
    ]


def test_networks_without_another_seed_have_no_svcca(study):
    profile, training = study
    figure = accuracy_on_directions(
        profile[~profile["directions"].str.startswith("svcca")], training
    )
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [name for kind, name in KINDS.items() if not kind.startswith("svcca")]


def test_nothing_to_show_is_stated(study):
    profile, training = study
    for table in (profile[:0], profile[profile["step"] == 0]):
        assert accuracy_on_directions(table, training).texts[0].get_text() == (
            "No network on true labels was projected at its last step."
        )
    memorizing = training.assign(label_corruption=1.0)
    assert len(accuracy_on_directions(profile, memorizing).axes) == 0
