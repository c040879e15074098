from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from generalization.figures import svg_file
from generalization.figures.svg_file import crowded, save_figure


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


@pytest.fixture
def few(monkeypatch):
    """Let a thousand points be too many."""
    monkeypatch.setattr(svg_file, "MOST_POINTS", 1000)


def crowd(draw, points=1010):
    """Return a panel with many networks, and one with a single network."""
    figure = Figure()
    many, single = figure.subplots(1, 2)
    draw(many, np.random.default_rng(0).random((2, points)))
    single.plot([1, 2], [3, 5], marker="o", linestyle="")
    return figure


def lines(axes, points):
    for x, y in points.reshape(2, -1, 10).swapaxes(0, 1):
        axes.plot(x, y)


CROWDS = {
    "points": lambda axes, points: axes.scatter(*points),
    "lines": lines,
    "one line": lambda axes, points: axes.plot(*points),
    "segments": lambda axes, points: axes.hlines(*points[:, ::2], points[1, ::2] + 1),
}


@pytest.mark.parametrize("kind", CROWDS)
@pytest.mark.usefixtures("few")
def test_a_crowd_is_an_image_in_a_drawing(tmp_path, kind):
    figure = crowd(CROWDS[kind])
    many, single = figure.axes
    assert crowded(figure) == [*many.lines, *many.collections]
    save_figure(tmp_path / "crowd.svg", figure)
    written = (tmp_path / "crowd.svg").read_bytes()
    tags = [one.tag.split("}")[1] for one in ElementTree.fromstring(written).iter()]
    assert tags.count("image") == 1
    assert tags.count("path") + tags.count("use") < 150
    assert not single.lines[0].get_rasterized()
    save_figure(tmp_path / "again" / "crowd.svg", crowd(CROWDS[kind]))
    assert (tmp_path / "again" / "crowd.svg").read_bytes() == written


@pytest.mark.parametrize("kind", CROWDS)
@pytest.mark.usefixtures("few")
def test_a_few_hundred_networks_stay_a_drawing(kind):
    assert crowded(crowd(CROWDS[kind], points=980)) == []
