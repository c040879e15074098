import numpy as np
import pandas as pd
import pytest
from oracles.similarity_tables import made_study

from generalization.figures.similarity_heat_maps import similarity_heat_maps


@pytest.fixture(scope="module")
def study():
    """Two seeds are compared at every pair of layers, layer a more by 0.01 × layer b."""
    similarities, training = made_study(np.random.default_rng(0), noise=0.0)
    seeds = similarities[similarities["pairs"] == "between_seeds"]
    others = [
        seeds.assign(layer_b=layer, value=seeds["value"] - 0.1 - 0.01 * layer)[
            seeds["layer_a"] != layer
        ]
        for layer in range(3)
    ]
    return pd.concat([similarities, *others], ignore_index=True), training


def maps(figure):
    return [np.ma.filled(axes.images[0].get_array(), np.nan) for axes in figure.axes[:-1]]


def test_fields_are_means_over_pairs_at_the_last_step(study):
    figure = similarity_heat_maps(*study)
    assert len(maps(figure)) == 4
    titles = [axes.get_title("left") for axes in figure.axes[:4]]
    assert titles[:2] == [
        "A network and itself\nmnist, true labels",
        "Two seeds\nmnist, true labels",
    ]
    itself, seeds, _, memorizing = maps(figure)
    assert np.diag(itself) == pytest.approx(1)
    assert seeds == pytest.approx(np.array([[0.8, 0.69, 0.68], [0.7, 0.8, 0.68], [0.7, 0.69, 0.8]]))
    assert np.diag(memorizing) == pytest.approx([0.8, 0.65, 0.5])


def test_similarity_without_direction_is_the_same_both_ways(study):
    similarities, training = study
    _, seeds, *_ = maps(similarity_heat_maps(similarities.assign(similarity="svcca"), training))
    assert seeds == pytest.approx(seeds.T)
    assert seeds[0, 1] == pytest.approx((0.69 + 0.7) / 2)


def test_fields_bear_their_value_and_what_chance_gives(study):
    axes = similarity_heat_maps(*study).axes[1]
    assert axes.texts[0].get_text() == "0.80\n(0.20)"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "logits"]
    assert axes.get_title("right") == "3 networks"


def test_svcca_is_shown_if_there_are_several(study):
    similarities, training = study
    both = pd.concat([similarities, similarities.assign(similarity="svcca")])
    headline = similarity_heat_maps(both, training).get_suptitle()
    assert headline == "SVCCA of every two layers; in parentheses, by chance"


def test_networks_that_train_on_are_left_out(study):
    similarities, training = study
    one = (training["ensemble"] == "e0") & (training["seed"] == 1)
    figure = similarity_heat_maps(similarities, training.assign(final=training["final"] & ~one))
    assert figure.axes[0].get_title("right") == "2 networks"


def test_nothing_to_show_is_said(study):
    similarities, training = study
    for table in (similarities[:0], similarities.assign(value=np.nan)):
        assert similarity_heat_maps(table, training).texts[0].get_text() == (
            "No two layers of networks at their last step were compared."
        )
