from xml.etree import ElementTree

from matplotlib.figure import Figure

from generalization.figures.svg_file import save_figure


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
