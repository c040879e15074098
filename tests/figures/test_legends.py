from generalization.figures.legends import labelled


def test_lines_of_a_legend_have_their_own_look_or_that_of_all():
    lines = labelled({"one": {"color": "red"}, "two": {}}, color="black", linewidth=3)
    assert [line.get_label() for line in lines] == ["one", "two"]
    assert [line.get_color() for line in lines] == ["red", "black"]
    assert {line.get_linewidth() for line in lines} == {3}
