from itertools import product

import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from generalization.figures.looks import (
    Looks,
    colors,
    ensemble_legend,
    looks_apart,
    markers,
    told_apart,
)


def test_series_look_different_as_far_as_there_are_looks():
    looks = [tuple(look.values()) for look in looks_apart(49)]
    assert len(set(looks)) == 49
    assert looks_apart(3) == looks_apart(49)[:3]


def test_numbers_get_a_scale_and_names_get_colors_apart():
    def brightness(color):
        red, green, blue = to_rgb(color)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    scale = [brightness(color) for color in colors([0.0, 0.25, 0.5, 1.0]).values()]
    assert scale == sorted(scale)
    assert scale[-1] < 0.8
    assert len(set(colors(["relu", "tanh", "hardtanh"]).values())) == 3
    assert len(set(markers([2, 3, 5]).values())) == 3


@pytest.mark.parametrize("values", [[1], [], [1, None], [True, False], list(range(20))])
def test_any_values_have_colors_and_markers(values):
    assert list(colors(values)) == values
    assert list(markers(values)) == values


@pytest.fixture
def study():
    """``collect_training`` of four ensembles that differ in depth and width."""
    settings = [
        dict(zip(("depth", "width"), pair, strict=True)) for pair in product((2, 3), (8, 9))
    ]
    about = {"seed": 1, "step": 0, "final": True, "status": "fitted", "dataset": "mnist"}
    rows = [about | {"ensemble": str(place)} | one for place, one in enumerate(settings)]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("color", "marker", "chosen"),
    [
        ("depth", "width", ("depth", "width")),
        ("depth", "", ("depth", None)),
        ("depth", "depth", ("depth", None)),
        ("dataset", "width", ("depth", "width")),
        ("dataset", "activation", ("depth", None)),
    ],
)
def test_a_hyperparameter_that_is_not_swept_is_replaced(study, color, marker, chosen):
    hues, shapes = told_apart(study, color, marker)
    assert (hues.key, shapes.key) == chosen


def test_what_has_panels_has_no_colors(study):
    hues, _ = told_apart(study, "depth", panels=("dataset", "depth"))
    assert hues.key == "width"
    hues, shapes = told_apart(study, "depth", panels=("depth", "width"))
    assert (hues.of(study.iloc[0]), shapes.of({})) == ("#6B6B6B", "o")
    assert hues.legend() == {"": []}


def test_looks_are_those_of_the_value_of_a_row():
    looks = Looks("dropout", "color", {0.5: "red", None: "blue"}, "gray")
    assert [looks.of({"dropout": value}) for value in (0.5, float("nan"), None, 0.1)] == [
        "red",
        "blue",
        "blue",
        "gray",
    ]
    ((heading, lines),) = looks.legend().items()
    assert heading == "Dropout"
    assert [(line.get_label(), line.get_color()) for line in lines] == [
        ("0.5", "red"),
        ("null", "blue"),
    ]


def test_hollow_points_are_explained_if_there_are_any(study):
    looks = told_apart(study, "depth", "width")
    fitted = pd.Series([True, False])
    assert [line.get_label() for line in ensemble_legend(looks, fitted)["Seeds fitted"]] == [
        "all",
        "not all",
    ]
    assert ensemble_legend(looks, fitted[:1])["Seeds fitted"] == []
