import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from generalization.figures.facets import Facet
from generalization.figures.small_multiples import Panel, SmallMultiples, at_top


def drawn(table, **settings):
    """Draw a table with rows for datasets and columns for depths, and return its panels, too."""
    panels = []
    settings = {
        "rows": Facet.of(table, "dataset"),
        "columns": Facet.of(table, "depth"),
    } | settings
    return SmallMultiples(**settings).draw(table, panels.append), panels


def titles(figure):
    return [axes.get_title("left") for axes in figure.axes]


def test_every_panel_has_the_rows_of_its_values(table):
    figure, panels = drawn(table)
    assert [panel.axes for panel in panels] == figure.axes
    assert len(panels) == 2 * 3
    for panel in panels:
        here = (table["dataset"] == panel.row) & (table["depth"] == panel.column)
        assert panel.table.equals(table[here])
    assert sum(panel.table.empty for panel in panels) == 1


def test_headings_name_settings(table):
    assert Facet.of(table, "dataset", "depth", most=1).names == ("digits, depth 2",)
    assert Facet.of(table, "depth", name="{} layers".format).names[0] == "2 layers"
    figure, _ = drawn(table)
    assert titles(figure) == [
        "digits\ndepth 2",
        "depth 3",
        "depth 5",
        "mnist\ndepth 2",
        "depth 3",
        "depth 5",
    ]
    assert titles(drawn(table, heading=at_top)[0])[2:4] == ["depth 5", ""]


def test_without_keys_every_panel_sees_all_rows(table):
    assert Facet.of(table) == Facet()
    _, panels = drawn(table, rows=Facet(), columns=Facet.each({"value": "Value", "seed": "Seed"}))
    assert [(panel.column, panel.column_name) for panel in panels] == [
        ("value", "Value"),
        ("seed", "Seed"),
    ]
    assert all(panel.table.equals(table) for panel in panels)


def test_omitted_panels_are_mentioned(table):
    columns = Facet.of(table, "depth", most=2, noun="depths")
    figure, panels = drawn(table, columns=columns)
    assert figure.get_supxlabel() == "2 of 3 depths are shown."
    assert {panel.column for panel in panels} == {2, 3}
    assert drawn(table)[0].get_supxlabel() == ""


def test_headline_counts_networks_that_are_drawn(table):
    words = {"headline": "Means over {networks}"}
    assert drawn(table, **words)[0].get_suptitle() == "Means over 10 networks"
    some = {"columns": Facet.of(table, "depth", most=1), "rows": Facet()}
    assert drawn(table, **words, **some)[0].get_suptitle() == "Means over 4 networks"
    assert drawn(table.head(1), **words)[0].get_suptitle() == "Means over 1 network"


def test_labels_stand_at_the_outer_panels_or_at_every_one(table):
    figure, _ = drawn(table, x="Layer", y=lambda panel: f"of {panel.row}")
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "", *["Layer"] * 3]
    assert [axes.get_ylabel() for axes in figure.axes] == [*["of digits"] * 3, *["of mnist"] * 3]


def test_columns_go_on_in_the_next_row(table):
    figure, panels = drawn(table, rows=Facet(), wrap=2, x="Layer", y="Value")
    assert len(figure.axes) == 3
    assert [panel.left for panel in panels] == [True, False, True]
    assert [panel.top for panel in panels] == [True, True, False]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "Layer", "Layer"]


def test_size_grows_with_panels(table):
    sizes = {"size": (3, 2), "margin": (1, 0.5)}
    assert drawn(table, **sizes)[0].get_size_inches() == pytest.approx([1 + 9, 0.5 + 4])
    wide = drawn(table, **sizes, columns=Facet(), fewest=2)[0]
    assert wide.get_size_inches() == pytest.approx([1 + 6, 0.5 + 4])


def test_legend_is_right_of_the_first_row(table):
    lines = [Line2D([], [], label="some")]
    figure, _ = drawn(table, legend={"Lines": lines})
    assert [bool(axes.get_legend()) for axes in figure.axes] == [False, False, True, *[False] * 3]
    texts = figure.axes[2].get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["Lines", "some"]


def test_limits_of_a_shared_axis_are_those_of_all_panels(table):
    def draw(panel: Panel) -> None:
        panel.axes.plot([0, 1], [0, panel.column])

    multiples = SmallMultiples(
        columns=Facet.of(table, "depth"), grid={"sharey": True}, limits={"ylim": (0, None)}
    )
    low, high = multiples.draw(table, draw).axes[0].get_ylim()
    assert low == 0
    assert high > 5


def test_shares_are_percentages_if_asked_for(table):
    axes = drawn(table, percent=True)[0].axes[0]
    assert axes.yaxis.get_major_formatter()(0.25) == "25%"


def test_a_mark_may_remove_its_panel(table):
    def draw(panel: Panel) -> None:
        if panel.table.empty:
            panel.axes.remove()

    facets = {"rows": Facet.of(table, "dataset"), "columns": Facet.of(table, "depth")}
    assert len(SmallMultiples(**facets).draw(table, draw).axes) == 5


def test_panels_may_be_part_of_a_figure(table):
    parts = Figure().subfigures(2, 1)
    multiples = SmallMultiples(columns=Facet.of(table, "depth"))
    assert multiples.draw(table, lambda _: None, on=parts[1]) is parts[1]
    assert [len(part.axes) for part in parts] == [0, 3]
