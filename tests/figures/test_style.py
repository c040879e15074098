import ast
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from generalization.catalog import FIGURES, file_of, module_of
from generalization.figures.style import Percentages, figure_of_words, headline, styled, title

# Figures of the same room that share code: the first imports the second.
FAMILIES = {
    ("loss_bounds", "loss_against_norm"),
    ("corruption", "fitting_curves"),
    ("regularizers", "fitting_curves"),
    ("capacity", "gap_against_measure"),
}


def test_style_stays_inside_figures():
    before = dict(matplotlib.rcParams)
    figure_of_words("Nothing to show.")
    assert dict(matplotlib.rcParams) == before


def test_a_tick_is_the_number_itself():
    figure = Figure()
    axes = styled(figure.subplots)()
    axes.plot([0.99998, 1.00001])
    figure.draw_without_rendering()
    assert axes.yaxis.get_offset_text().get_text() == ""
    shown = [float(tick.get_text().replace("−", "-")) for tick in axes.get_yticklabels()]
    assert min(shown) < 0.99998 and max(shown) > 1.00001


def test_words_are_in_the_figure():
    assert [text.get_text() for text in figure_of_words("Nothing to show.").texts] == [
        "Nothing to show."
    ]


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


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ([0, 0.5, 1], ["0%", "50%", "100%"]),
        ([0.0075, 0.01, 0.0125], ["0.75%", "1.00%", "1.25%"]),
        ([0.006, 0.008, 0.01], ["0.6%", "0.8%", "1.0%"]),
        ([-0.3, 0.0, 0.1 + 0.2], ["−30%", "0%", "30%"]),
    ],
)
def test_percentages_have_the_decimals_that_a_tick_needs(ticks, labels):
    axes = Figure().subplots()
    axes.yaxis.set_major_formatter(Percentages())
    assert axes.yaxis.get_major_formatter().format_ticks(ticks) == labels
