import pytest
from oracles.cluster_tables import study_of

from generalization.experiments.similarity.cluster_maps import cluster_maps


def test_map_holds_the_distances_in_the_order_of_clusters():
    axes = cluster_maps(*study_of(layers=3)).axes[0]
    shown = axes.images[0].get_array().data
    assert shown.diagonal() == pytest.approx(0)
    assert [shown[place, place + 1] for place in (0, 2, 4)] == pytest.approx([0.1] * 3)
    assert [line.get_ydata()[0] for line in axes.lines[::2]] == [1.5, 3.5]
    names = {label.get_text() for label in axes.get_yticklabels()}
    assert len(names) == 3


def test_nothing_to_show_is_stated():
    similarities, training = study_of()
    for tables in (
        (similarities[similarities["pairs"] == "between_seeds"], training),
        (similarities, training.assign(label_corruption=1.0)),
    ):
        assert cluster_maps(*tables).texts[0].get_text() == (
            "No networks of two ensembles on true labels were all compared."
        )
