import ast
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from generalization.catalog import FIGURES, file_of, module_of
from generalization.figures.style import (
    Looks,
    colors,
    ensemble_legend,
    figure_of_words,
    headline,
    labelled,
    markers,
    save_figure,
    title,
    told_apart,
)

# Figures of one family in one room: the second has what both draw.
FAMILIES = {
    ("loss_bounds", "loss_against_norm"),
    ("corruption", "fitting_curves"),
    ("capacity", "gap_against_measure"),
}


def drawing():
    figure = Figure()
    figure.add_subplot().plot([1, 2], [3, 5], marker="o")
    return figure


def test_same_figure_gives_the_same_bytes(tmp_path):
    for folder in ("first", "second"):
        save_figure(tmp_path / folder / "drawing.svg", drawing())
    written = (tmp_path / "first/drawing.svg").read_bytes()
    assert written == (tmp_path / "second/drawing.svg").read_bytes()
    assert ElementTree.fromstring(written).tag == "{http://www.w3.org/2000/svg}svg"
    assert [path.name for path in (tmp_path / "first").iterdir()] == ["drawing.svg"]


def test_two_drawings_share_no_names_of_parts(tmp_path):
    names = []
    for name in ("one.svg", "other.svg"):
        save_figure(tmp_path / name, drawing())
        clips = ElementTree.parse(tmp_path / name).iter("{http://www.w3.org/2000/svg}clipPath")
        names.append({clip.get("id") for clip in clips})
    assert names[0]
    assert not names[0] & names[1]


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


def test_style_stays_inside_figures():
    before = dict(matplotlib.rcParams)
    figure_of_words("Nothing to show.")
    assert dict(matplotlib.rcParams) == before


def test_words_are_in_the_figure():
    assert [text.get_text() for text in figure_of_words("Nothing to show.").texts] == [
        "Nothing to show."
    ]


@pytest.fixture
def study():
    """What ``collect_training`` gives of four ensembles that differ in depth and width."""
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
def test_what_is_not_swept_over_gives_way(study, color, marker, chosen):
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


def test_lines_of_a_legend_have_their_own_look_or_that_of_all():
    lines = labelled({"one": {"color": "red"}, "two": {}}, color="black", linewidth=3)
    assert [line.get_label() for line in lines] == ["one", "two"]
    assert [line.get_color() for line in lines] == ["red", "black"]
    assert {line.get_linewidth() for line in lines} == {3}


def test_heading_has_lines_below():
    axes = Figure().add_subplot()
    title(axes, "Heading", ["first", "second"])
    headline(axes.figure, "Figure")
    assert axes.figure.get_suptitle() == "Figure"
    assert axes.get_title() == "Heading"
    assert [text.get_text() for text in axes.texts] == ["first\nsecond"]
    title(other := Figure().add_subplot(), "Heading")
    assert not other.texts


@pytest.mark.parametrize("figure", FIGURES)
def test_no_figure_imports_another(figure):
    tree = ast.parse(Path(file_of(figure)).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    others = {other for other in FIGURES if module_of(other) in imported}
    assert {(figure, other) for other in others} <= FAMILIES
    assert all(Path(file_of(other)).parent == Path(file_of(figure)).parent for other in others)
