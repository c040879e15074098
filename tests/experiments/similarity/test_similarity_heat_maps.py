import numpy as np
import pandas as pd
import pytest
from oracles.similarity_tables import STEPS, made_study, row, training_of

from generalization.experiments.similarity.similarity_heat_maps import similarity_heat_maps


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
    drawn = (axes.images[0] for axes in figure.axes[:-1] if axes.images)
    return [np.ma.filled(image.get_array(), np.nan) for image in drawn]


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
    assert axes.get_title("right").strip() == "3 networks"


def test_few_samples_have_a_star():
    similarities, training = made_study(np.random.default_rng(0), noise=0.0)
    few = np.where(similarities["layer_a"] == 0, "few_samples", "ok")
    (axes, *_) = similarity_heat_maps(similarities.assign(status=few), training).axes
    assert axes.texts[0].get_text() == "1.00*\n(0.20)"
    assert not any("*" in text.get_text() for text in axes.texts[1:])


def test_svcca_is_shown_if_there_are_several(study):
    similarities, training = study
    both = pd.concat([similarities, similarities.assign(similarity="svcca")])
    headline = similarity_heat_maps(both, training).get_suptitle()
    assert headline == "SVCCA of every two layers; in parentheses, by chance"


def test_networks_that_train_on_are_left_out(study):
    similarities, training = study
    one = (training["ensemble"] == "e0") & (training["seed"] == 1)
    figure = similarity_heat_maps(similarities, training.assign(final=training["final"] & ~one))
    assert figure.axes[0].get_title("right").strip() == "2 networks"


def ensemble(architecture, depth, width=50):
    about = {"dataset": "mnist", "architecture": architecture, "depth": depth, "width": width}
    return about | {"label_corruption": 0.0, "randomization": "none", "kept_steps": list(STEPS)}


def of_architectures(ensembles, similarity="svcca"):
    """Every layer of one seed of every ensemble with every layer of the others.

    Of layers i and j of a smaller and a larger name the value is 0.1 i + 0.01 j, and 0.5 more in
    the other order.
    """
    rows = [
        row(
            "between_ensembles", (a, 1, STEPS[-1], i), (b, 1, STEPS[-1], j), 0.1 * i + 0.01 * j + up
        )
        for a, of_a in ensembles.items()
        for b, of_b in ensembles.items()
        for i in range(of_a["depth"])
        for j in range(of_b["depth"])
        for up in [0.5 * (a > b)]
        if a < b or (a > b and similarity == "pwcca")
    ]
    return pd.DataFrame(rows).assign(similarity=similarity), training_of(ensembles, 1)


def expected(depth_a, depth_b, more=0.0):
    return 0.1 * np.arange(depth_a)[:, None] + 0.01 * np.arange(depth_b) + more


def test_layers_of_architectures_that_differ_are_compared():
    ensembles = {"e0": ensemble("convolutional", 4), "e1": ensemble("fully_connected", 2)}
    figure = similarity_heat_maps(*of_architectures(ensembles))
    (field,) = maps(figure)
    assert field == pytest.approx(expected(4, 2))
    axes = figure.axes[0]
    assert axes.get_title("left") == "Two architectures\nmnist, true labels"
    assert axes.get_ylabel() == "Layer of convolutional,\ndepth 4, width 50"
    assert axes.get_xlabel() == "Layer of fully connected,\ndepth 2, width 50"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "2", "3", "logits"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "logits"]


def test_both_orders_of_ensembles_are_one_panel():
    deep, shallow = ensemble("fully_connected", 4), ensemble("fully_connected", 2)
    (field,) = maps(similarity_heat_maps(*of_architectures({"e0": deep, "e1": shallow})))
    assert field == pytest.approx(expected(4, 2).T)


def test_rows_are_of_the_architecture_whose_directions_are_weighted():
    deep, shallow = ensemble("fully_connected", 4), ensemble("fully_connected", 2)
    study = of_architectures({"e0": deep, "e1": shallow}, "pwcca")
    (field,) = maps(similarity_heat_maps(*study))
    assert field == pytest.approx(expected(2, 4, 0.5))


def test_architectures_that_differ_most_come_first_and_four_at_most():
    kinds = {"e0": ensemble("convolutional", 3)}
    kinds |= {f"e{i}": ensemble("fully_connected", 3, width) for i, width in ((1, 20), (2, 50))}
    kinds |= {"e3": ensemble("fully_connected", 2), "e4": ensemble("vgg", 3)}
    figure = similarity_heat_maps(*of_architectures(kinds))
    assert len(maps(figure)) == 4
    for axes in figure.axes[:4]:
        assert axes.get_ylabel().split(",")[0] != axes.get_xlabel().split(",")[0]
    del kinds["e0"], kinds["e4"]
    axes = similarity_heat_maps(*of_architectures(kinds)).axes[:3]
    assert [one.images[0].get_array().shape for one in axes] == [(2, 3), (2, 3), (3, 3)]


def test_layers_compared_one_by_one_or_of_other_labels_are_no_panel():
    ensembles = {"e0": ensemble("fully_connected", 2), "e1": ensemble("fully_connected", 3)}
    table, training = of_architectures(ensembles)
    logits = (table["layer_a"] == 1) & (table["layer_b"] == 2)
    same = table[(table["layer_a"] == table["layer_b"]) | logits]
    assert not maps(similarity_heat_maps(same, training))
    ensembles["e1"]["label_corruption"] = 1.0
    assert not maps(similarity_heat_maps(*of_architectures(ensembles)))


def test_architectures_are_distinguished_in_titles():
    kinds = ("convolutional", "fully_connected")
    studies = [made_study(np.random.default_rng(0), corruptions=(0,)) for _ in kinds]
    renamed = [
        [table.replace({"e0": kind, "fully_connected": kind}) for table in study]
        for study, kind in zip(studies, kinds, strict=True)
    ]
    figure = similarity_heat_maps(*map(pd.concat, zip(*renamed, strict=True)))
    assert [axes.get_title("left") for axes in figure.axes[:4:2]] == [
        "A network and itself\nmnist, convolutional\ntrue labels",
        "A network and itself\nmnist, fully connected\ntrue labels",
    ]


def test_steps_on_the_way_are_compared_with_the_end():
    _, training = made_study(np.random.default_rng(0), corruptions=(0,), seeds=2)
    rows = [
        row("over_training", ("e0", seed, step, i), ("e0", seed, STEPS[-1], j), step / 100 + i / 10)
        for seed in (1, 2)
        for step in STEPS[:-1]
        for i in range(3)
        for j in range(3)
        if (seed, step) != (2, 1)  # So that at step 1 there is one network only.
    ]
    figure = similarity_heat_maps(pd.DataFrame(rows), training)
    assert len(maps(figure)) == 2
    # Of steps 0, 4 and 16, the first and the second.
    for axes, field, step in zip(figure.axes, maps(figure), (0, 4), strict=False):
        assert field == pytest.approx(step / 100 + np.arange(3)[:, None] / 10 + np.zeros(3))
        assert axes.get_title("left") == f"Step {step} and the end\nmnist, true labels"
        assert axes.get_title("right").strip() == "2 networks"
        assert (axes.get_ylabel(), axes.get_xlabel()) == (
            f"Layer at step {step}",
            "Layer at the end",
        )


def test_nothing_to_show_is_stated(study):
    similarities, training = study
    for table in (similarities[:0], similarities.assign(value=np.nan)):
        assert similarity_heat_maps(table, training).texts[0].get_text() == (
            "No two layers of networks at their last step were compared."
        )
