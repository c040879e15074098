import dataclasses

import pytest
import torch
from oracles.blobs import blobs
from oracles.convolutions import IMAGE, hyperparameters_of, kept_convolutions
from oracles.made_up import data, kept

from generalization.catalog import ENSEMBLE_MEASURES, place_of
from generalization.errors import InputError
from generalization.measure_pairs import measure_pairs
from generalization.networks.modules import logits_of
from generalization.signatures import imported
from generalization.tables import PAIR

ALL = {name: imported(place_of(name)) for name in ENSEMBLE_MEASURES}
DEFAULTS = {name: {"samples": 10_000} for name in ALL}


def block(*seeds):
    """Networks of any number of seeds, all of which ended after 30 steps."""
    networks = kept(seeds=seeds)
    steps = tuple((step,) * len(seeds) for step in (0, 8, 30))
    return dataclasses.replace(networks, steps=steps, statuses=("fitted",) * len(seeds))


def measured(a, b=None, chosen=None, some=None):
    return dict(measure_pairs(a, b or a, some or data(), ALL, chosen or DEFAULTS))


def test_every_pair_of_different_seeds_is_a_row_once():
    for table in measured(block(1, 2, 3)).values():
        assert list(table.columns) == PAIR
        assert table[["seed_a", "seed_b"]].to_numpy().tolist() == [[1, 2], [1, 3], [2, 3]]
    across = measured(block(1, 2), block(3))["disagreement"]
    assert across[["seed_a", "seed_b"]].to_numpy().tolist() == [[1, 3], [2, 3]]


def test_pairs_of_two_blocks_are_those_of_one():
    whole = measured(block(1, 2, 3))
    across = measured(block(1, 2), block(3))
    for name, table in across.items():
        same = whole[name].query("seed_b == 3")
        assert table["value"].tolist() == pytest.approx(same["value"].tolist(), rel=1e-6)


def test_final_networks_are_compared_at_the_first_samples():
    networks = kept()
    chosen = {name: {"samples": 5} for name in ALL}
    row = measured(networks, chosen=chosen)["disagreement"].iloc[0]
    classes = logits_of(networks.networks[-1], data().test_inputs[:5]).argmax(-1)
    assert row["value"] == (classes[0] != classes[1]).double().mean().item()
    assert row["step"] == 30  # The larger of 30 and 8.
    assert row["reason"] == ""


def test_networks_that_are_not_finite_have_no_pairs_with_values_and_the_reason():
    networks = block(1, 2, 3)
    networks.networks[2].weights[1][1, 0, 0] = torch.nan
    for table in measured(networks).values():
        assert table["value"].isna().tolist() == [True, False, True]
        assert table["reason"].tolist() == ["weights that are not finite", "", *table["reason"][:1]]
    networks.networks[2].weights[1].fill_(torch.inf)
    assert measured(networks)["seed_similarity"]["value"].isna().all()


def test_convolutional_networks_have_all_measures():
    networks = kept_convolutions(hyperparameters_of("convolutional, pooled"))
    images = blobs(channels=IMAGE[0], height=IMAGE[1], width=IMAGE[2])
    for table in measured(networks, some=images).values():
        assert table["value"].notna().all()
        assert len(table) == 1


def test_test_labels_are_seen_by_none():
    turned = dataclasses.replace(data(), test_labels=data().test_labels.roll(1))
    for name, table in measured(kept()).items():
        assert table.equals(measured(kept(), some=turned)[name])


def test_blocks_of_two_ensembles_are_refused():
    other = dataclasses.replace(kept().hyperparameters, learning_rate=0.5)
    one, another = kept(), dataclasses.replace(kept(), hyperparameters=other)
    sentence = f"Pairs must be of one ensemble, not of {one.hyperparameters.name} and {other.name}."
    with pytest.raises(InputError) as caught:
        measured(one, another)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("measure", "sentence"),
    [
        (
            lambda labels_a: labels_a,
            "Parameters of ensemble measure one must be settings or among logits_a, logits_b, "
            "train_accuracy_a, train_accuracy_b, features_a, features_b, not 'labels_a'.",
        ),
        (
            lambda logits_a: logits_a,
            "Ensemble measure one must return a floating-point tensor of shape (2, 2), not one of "
            "torch.float32 and (2, 9, 4).",
        ),
        (
            lambda logits_a: 1.0,
            "Ensemble measure one must return a floating-point tensor of shape (2, 2), "
            "not a float.",
        ),
    ],
)
def test_a_measure_that_asks_for_or_returns_something_else_is_refused(measure, sentence):
    with pytest.raises(InputError) as caught:
        dict(measure_pairs(kept(), kept(), data(), {"one": measure}, {"one": {}}))
    assert str(caught.value) == sentence
