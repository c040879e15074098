from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from generalization.figures.style import colors, figure_of_words, markers, save_figure


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
