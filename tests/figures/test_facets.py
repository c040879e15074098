from generalization.figures.facets import Facet


def test_values_ascend_unless_they_are_ordered(table):
    assert Facet.of(table, "dataset", "depth").values == (
        ("digits", 2),
        ("digits", 3),
        ("mnist", 2),
        ("mnist", 3),
        ("mnist", 5),
    )
    assert Facet.of(table, "depth", order=(5, 7, 2)).values == (5, 2)


def test_a_missing_value_has_a_panel_of_its_own(table):
    table["dropout"] = [0.5, None] * 5
    facet = Facet.of(table, "dropout")
    assert facet.values == (0.5, None)
    split = {value: rows["seed"].unique().tolist() for value, rows in facet.split(table)}
    assert split == {0.5: [1], None: [2]}
