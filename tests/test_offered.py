"""Offers are described once; invalid requests and return values are reported in one sentence."""

import inspect
import re

import pandas as pd
import pytest
import torch
from oracles.made_up import data, kept

from generalization.errors import InputError
from generalization.measure_networks import measure_networks
from generalization.measures.output_entropy import output_entropy
from generalization.offered import Offered, OfferedToMeasures, OfferedToProfiles
from generalization.profile_networks import profile_networks

NETWORKS = 5  # of the ensemble ``kept``


def measured(measure, samples=4, **settings):
    settings = {"look": {"samples": samples, **settings}}
    return dict(measure_networks(kept(), data(), {"look": measure}, settings))


def sentence(sentence):
    return pytest.raises(InputError, match=f"^{re.escape(sentence)}$")


@pytest.mark.parametrize("offered", [Offered, OfferedToMeasures, OfferedToProfiles])
def test_everything_offered_is_described_in_one_sentence(offered):
    said = re.findall(r"^    (\w+): ((?:.|\n {4,})+?\.)$", inspect.getdoc(offered), re.MULTILINE)
    assert [name for name, _ in said] == list(offered.__annotations__)
    assert all(re.sub(r"``.*?``", "", text).count(". ") == 0 for _, text in said)


def test_loss_and_hyperparameters_are_offered():
    seen = {}

    def look(networks, loss, hyperparameters):
        seen.update(loss=loss, hyperparameters=hyperparameters)
        return torch.zeros(len(networks))

    measured(look)
    assert seen == {"loss": "cross_entropy", "hyperparameters": kept().hyperparameters}


def never(*_, **__):
    raise AssertionError("Computed before all signatures were checked.")


def misspelt(networks, train_input):
    never()


def far_off(networks, zzz=None):
    never()


def without_default(networks, *, probes):
    never()


def everything(networks, **others):
    never()


ALL = (
    "networks, inputs, pixel_deviations, train_inputs, train_labels, hyperparameters, init_scale, "
    "loss, generator, shared_generator, trained_networks, initial_networks, evaluated_steps, "
    "evaluated_losses"
)


@pytest.mark.parametrize(
    ("measure", "end"),
    [
        (misspelt, "train_inputs, not 'train_input'."),
        (far_off, f"{ALL}, not 'zzz'."),
        (without_default, f"{ALL}, not 'probes'."),
        (everything, f"{ALL}, not 'others'."),
    ],
)
def test_what_is_not_offered_is_refused_before_anything_is_computed(measure, end):
    measures = {"first": lambda networks: never(), "look": measure}
    with sentence(f"Parameters of measure look must be settings or among {end}"):
        list(measure_networks(kept(), data(), measures, {"first": {}, "look": {}}))


def test_test_labels_are_offered_to_profiles_alone():
    with sentence(
        "Parameters of measure look must be settings or among train_labels, not 'labels'."
    ):
        measured(lambda labels: never())
    seen = []

    def look(labels):
        seen.append(labels)
        return pd.DataFrame({"network": []})

    profile_networks(kept(), data(), look, {"samples": 4})
    assert torch.equal(seen[0], data().test_labels[:4])


def test_settings_may_be_given_or_have_a_default():
    def look(networks, *, given, default=2.0):
        return torch.full((len(networks),), given * default)

    assert measured(look, given=3.0)["look"]["value"].tolist() == [6.0] * NETWORKS


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        ([0.0] * NETWORKS, "a list"),
        (1.0, "a float"),
        (None, "a NoneType"),
        (torch.tensor(1.0), "one of shape ()"),
        (torch.ones(1), "one of shape (1,)"),
        (torch.ones(4), "one of shape (4,)"),
        (torch.ones(4, NETWORKS), "one of shape (4, 5), its axes exchanged"),
        (torch.ones(4, 3), "one of shape (4, 3)"),
        (torch.ones(NETWORKS, 4, 2), "one of shape (5, 4, 2)"),
        (torch.ones(NETWORKS, dtype=torch.int64), "one of torch.int64"),
        (torch.ones(NETWORKS, dtype=torch.bool), "one of torch.bool"),
        (torch.ones(NETWORKS, dtype=torch.complex64), "one of torch.complex64"),
    ],
)
def test_values_that_are_not_those_of_the_networks_are_refused(returned, found):
    with sentence(
        "measure look must return a floating-point tensor of shape (5,) or (5, inputs) "
        f"for 5 networks, not {found}."
    ):
        measured(lambda networks: returned)


def test_exchanged_axes_are_noticed_where_there_are_as_many_inputs_as_networks():
    def exchanged(networks, inputs):
        return output_entropy(networks, inputs).mT

    with sentence(
        "measure look must return a floating-point tensor of shape (1,) or (1, inputs) "
        "for 1 networks, not one of shape (5, 1), its axes exchanged."
    ):
        measured(exchanged, samples=NETWORKS)
    assert measured(output_entropy, samples=NETWORKS)["look"]["value"].notna().all()


def test_asking_again_changes_no_random_numbers():
    def drawn(networks, inputs, generator):
        return torch.rand(len(inputs), generator=generator).expand(len(networks), -1)

    once = measured(lambda networks, inputs, generator: drawn(networks, inputs, generator).mean(1))
    again = measured(drawn, samples=NETWORKS)["look"]["value"]
    five = torch.rand(5, generator=_generator()).double().mean().item()
    assert again.tolist() == pytest.approx([five] * NETWORKS)
    assert once["look"]["value"].nunique() == 1


def _generator():
    seen = []

    def look(networks, generator):
        seen.append(generator)
        return torch.zeros(len(networks))

    measured(look)
    return seen[0]


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        ([1, 2], "a list"),
        (pd.DataFrame({"a": [1], "b": [2]}), "one with the columns a, b"),
        (pd.DataFrame(), "one with the columns none"),
        (pd.DataFrame({"network": [0, 4, 5]}), "one with the network 5"),
        (pd.DataFrame({"network": ["first"]}), "one with the network first"),
    ],
)
def test_tables_that_do_not_number_the_networks_are_refused(returned, found):
    def look(networks):
        return returned

    with sentence(
        f"profile look must return a table with a column network from 0 to 4, not {found}."
    ):
        profile_networks(kept(), data(), look, {})


def test_a_profile_cannot_ask_for_what_is_not_offered_either():
    def look(networks, trained_networks):
        never()

    near = "networks, train_inputs"
    with sentence(
        f"Parameters of profile look must be settings or among {near}, not 'trained_networks'."
    ):
        profile_networks(kept(), data(), look, {})
