import dataclasses
import inspect
import math
import warnings

import pandas as pd
import pytest
import torch
from oracles.blobs import blobs
from oracles.convolutions import IMAGE, hyperparameters_of, kept_convolutions
from oracles.made_up import data, kept
from schema import settings_of
from torch.testing import assert_close

from generalization.catalog import MEASURES, file_of, place_of
from generalization.errors import Approximated, InputError, warn_of_no_value
from generalization.measure_networks import measure_networks
from generalization.measures.number_of_parameters import number_of_parameters
from generalization.measures.output_entropy import output_entropy
from generalization.measures.random_number import random_number
from generalization.measures.weight_norm import distance_from_initialization, weight_norm
from generalization.profile_networks import profile_networks
from generalization.signatures import imported
from generalization.training.initialization import initial_networks

NONE = {}
# Invariant except for rounding.
SCALE_FREE = {f"{place}_normalized_margin" for place in ("lower", "median", "upper")}
SCALE_FREE |= {"stable_rank_sum"} | {
    name for name, entry in MEASURES.items() if entry.file == "features"
}
FRACTIONS = {"sign_stiffness", "thresholded_confidence_error", "label_wise_mixup_error"}
OF_MANY_POINTS = (
    FRACTIONS
    | {"stiffness", "within_class_stiffness"}
    | {name for name, entry in MEASURES.items() if entry.file == "features"}
)
# Labels are not learned, so that there is no positive margin to divide by, and the error may be too
# large to rise; layers are too narrow for a fit of their spectra.
OF_AN_ERROR = {
    name for name in MEASURES if file_of(name).endswith(("pac_bayes.py", "worst_case_flatness.py"))
}
WITHOUT_VALUE = OF_AN_ERROR | {
    name
    for name, entry in MEASURES.items()
    if name.endswith(("_squared_margin", "_over_margin"))
    or "spectral_complexity" in name
    or entry.file in {"spectra", "optimization_speed"}
}
EMPTY = pd.DataFrame({"network": []})


def reads_random_numbers(name):
    """Whether a measure draws random numbers of stacks that are not those of a whole dataset."""
    generator = inspect.signature(imported(place_of(name))).parameters.get("generator")
    # Those that only modules need are given by keyword.
    return generator is not None and generator.kind is not generator.KEYWORD_ONLY


def measured(measures, settings, networks=None):
    return dict(measure_networks(networks or kept(), data(), measures, settings))


def test_every_network_is_a_row_at_every_step_at_which_it_changed():
    table = measured({"entropy": output_entropy}, {"entropy": {"samples": 5}})["entropy"]
    columns = ["measure", "value", "standard_error", "method", "status", "reason"]
    assert list(table.columns) == ["ensemble", "seed", "step", *columns]
    assert (table["reason"] == "").all()
    rows = table[["seed", "step", "status"]].itertuples(index=False, name=None)
    assert list(rows) == [
        (1, 0, "fitted"),
        (2, 0, "stopped"),
        (1, 8, "fitted"),
        (2, 8, "stopped"),
        (1, 30, "fitted"),
    ]
    last = kept().networks[2][[0]]
    expected = output_entropy(last, data().test_inputs[:5]).mean().item()
    assert table["value"].iloc[-1] == pytest.approx(expected)


def test_a_table_of_training_of_another_ensemble_is_named_before_anything_is_computed():
    called, name = [], kept().hyperparameters.name
    training = pd.DataFrame({"ensemble": [name, "digits-ffffffff"], "seed": 1, "step": 0})
    found = measure_networks(kept(), data(), {"one": called.append}, {"one": {}}, training=training)
    with pytest.raises(InputError) as error:
        next(found)
    assert str(error.value) == (
        f"The table of training must be of {name}, not of digits-ffffffff; without it the same "
        "command makes it again."
    )
    assert called == []


def test_noise_of_a_dataset_is_the_same_for_all_ensembles_and_measures():
    seen = []

    def look(networks, inputs, pixel_deviations, shared_generator):
        seen.append(torch.randn(3, generator=shared_generator).tolist())
        assert len(inputs) == len(pixel_deviations) == 4
        return torch.zeros(len(networks))

    measures = {"look": look, "again": look}
    other = dataclasses.replace(kept().hyperparameters, learning_rate=0.5)
    for networks in (kept(), dataclasses.replace(kept(), hyperparameters=other)):
        measured(measures, {name: {"samples": 4} for name in measures}, networks)
    assert len(seen) == 4
    assert seen == seen[:1] * 4
    seen.clear()
    elsewhere = dataclasses.replace(data(), name="mnist")
    dict(measure_networks(kept(), elsewhere, {"look": look}, {"look": {"samples": 4}}))
    measured({"look": look}, {"look": {"samples": 4}})
    assert seen[0] != seen[1]


def test_initial_networks_are_those_of_the_seed():
    begun = initial_networks((6, 5, 5, 4), kept().hyperparameters, (1, 2))
    networks = dataclasses.replace(kept(), networks=(begun, *kept().networks[1:]))
    table = measured({"distance": distance_from_initialization}, {"distance": NONE}, networks)
    distances = table["distance"].set_index(["step", "seed"])["value"]
    assert distances[0].tolist() == [0, 0]
    assert (distances[8] > 1).all()


def test_normalizations_are_folded_but_where_the_trained_weights_count():
    networks, seen = kept(normalization="batch"), {}

    def look(networks, trained_networks, initial_networks):
        seen.update(networks=networks, trained=trained_networks, initial=initial_networks)
        return torch.zeros(len(networks))

    measures = {"look": look, "norm": weight_norm, "count": number_of_parameters}
    tables = measured(measures, dict.fromkeys(measures, NONE), networks)
    profile_networks(networks, data(), lambda networks: seen.update(profiled=networks) or EMPTY, {})
    for stack in (seen["networks"], seen["profiled"]):
        assert stack.normalizations == ()
        expected = networks.networks[2].logits(data().test_inputs)[0]
        torch.testing.assert_close(stack.logits(data().test_inputs)[4], expected)
    assert torch.equal(seen["trained"].weights[0][4], networks.networks[2].weights[0][0])
    begun = initial_networks((6, 5, 5, 4), networks.hyperparameters, (1,))
    for name, tensor in begun.tensors.items():
        assert torch.equal(seen["initial"].tensors[name][4], tensor[0])
    norms = weight_norm(networks.networks[0]).tolist()
    assert tables["norm"]["value"].tolist()[:2] == norms
    assert tables["count"]["value"].tolist() == [6 * 5 + 5 * 5 + 5 * 4 + 2 * (5 + 5)] * 5


@pytest.mark.parametrize("part", ["mean", "variance"])
def test_running_statistics_that_are_not_finite_have_no_value_either(part):
    networks = kept(normalization="batch")
    getattr(networks.networks[2].normalizations[1], part)[0, 3] = torch.inf
    table = measured({"norm": weight_norm}, {"norm": NONE}, networks)["norm"]
    assert table["value"].isna().tolist() == [False] * 4 + [True]


def test_a_network_that_diverged_has_no_value_and_says_why():
    networks = kept()
    networks.networks[2].weights[1][0, 0, 0] = torch.nan
    networks = dataclasses.replace(networks, statuses=("diverged", "stopped"))
    table = measured({"entropy": output_entropy}, {"entropy": {"samples": 5}}, networks)["entropy"]
    row = table[(table["seed"] == 1) & (table["step"] == 30)].iloc[0]
    assert row["status"] == "diverged"
    assert row["reason"] == "weights that are not finite"
    assert row[["value"]].isna().all()
    assert table["value"].notna().sum() == 4


def test_networks_of_which_none_is_finite_have_no_values():
    networks = kept()
    for stack in networks.networks:
        stack.weights[0].fill_(torch.inf)
    table = measured({"entropy": output_entropy}, {"entropy": {"samples": 5}}, networks)["entropy"]
    assert len(table) == 5
    assert table["value"].isna().all()


def test_a_value_that_is_missing_says_why():
    def odd(networks):
        lacking = [False, True, True, False, False]
        warn_of_no_value("needs an even network", lacking)
        return torch.tensor([1.0, math.nan, math.nan, math.inf, math.nan])

    table = measured({"odd": odd}, {"odd": NONE})["odd"]
    needs = "needs an even network"
    reasons = ["", needs, needs, "infinite", "undefined for this network"]
    assert table["reason"].tolist() == reasons

    def unlucky(networks):
        warnings.warn("no luck", stacklevel=1)
        return torch.full((5,), math.nan)

    table = measured({"unlucky": unlucky}, {"unlucky": NONE})["unlucky"]
    assert set(table["reason"]) == {"no luck"}


def test_a_value_that_is_approximate_says_how():
    def sampled(networks):
        warnings.warn(Approximated("2 % off", [False, True, True, False, False]), stacklevel=1)
        warn_of_no_value("diverged", [False, False, True, False, False])
        return torch.tensor([1.0, 2.0, math.nan, 4.0, 5.0])

    table = measured({"sampled": sampled}, {"sampled": NONE})["sampled"]
    assert table["reason"].tolist() == ["", "2 % off", "diverged", "", ""]


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_a_missing_value_never_lacks_a_reason(measure):
    function = imported(place_of(measure))
    few = ("samples", "train_samples", "grid_points", "random_samples")
    chosen = {key: 3 for key in few if key in settings_of(measure)}
    table = measured({measure: function}, {measure: chosen})[measure]
    finite = table["value"].map(math.isfinite)
    assert (table["reason"] != "")[~finite].all()
    assert set(table["method"][~finite]) <= {""}
    # Where the value is exact, the reason can only be a note of this one.
    assert set(table["reason"][table["method"] == "exact"]) <= {""}
    if measure == "takeuchi_criterion":
        note = "a function of the probabilities of labels alone: all gradients are independent"
        assert f"at the first 3 of 9 training samples; {note}" in set(table["reason"][finite])


def test_a_spectrum_that_is_too_small_counts_its_eigenvalues():
    measures = {"power_law_exponent": imported(place_of("power_law_exponent"))}
    table = measured(measures, {"power_law_exponent": NONE})["power_law_exponent"]
    words = "needs 50 eigenvalues, but layer 1 has 5, layer 2 has 5, layer 3 has 4"
    assert (table["reason"] == words).all()


def test_values_of_a_measure_are_offered_to_those_that_name_it():
    seen = []

    def doubled(networks, inputs, *, entropy=None):
        seen.append(entropy)
        return 2 * entropy if entropy is not None else torch.zeros(len(networks))

    measures = {"entropy": output_entropy, "doubled": doubled, "other": doubled}
    settings = {"entropy": {"samples": 5}, "doubled": {"samples": 5}, "other": {"samples": 4}}
    tables = measured(measures, settings)
    doubled_values = tables["doubled"]["value"].tolist()
    assert doubled_values == pytest.approx((2 * tables["entropy"]["value"]).tolist())
    # As many inputs as networks: the values of one network tell which axis is which.
    shapes = [None if values is None else tuple(values.shape) for values in seen]
    assert shapes == [(5, 5), (1, 5), None]


def test_randomness_belongs_to_the_measure_and_the_ensemble_and_not_to_its_seeds():
    def drawn(networks, generator):
        return torch.rand(len(networks), generator=generator)

    measures, settings = {"one": drawn, "two": drawn}, {"one": NONE, "two": NONE}
    first, again = measured(measures, settings), measured(measures, settings)
    others = measured(measures, settings, kept(seeds=(3, 4)))
    assert first["one"]["value"].tolist() == again["one"]["value"].tolist()
    assert first["one"]["value"].tolist() != first["two"]["value"].tolist()
    assert first["one"]["value"].tolist() == others["one"]["value"].tolist()


def test_numbers_drawn_for_each_network_alone_all_differ():
    seeds = [(1, 2), (3, 4)]
    of_blocks = [
        dict(
            measure_networks(
                kept(seeds=some),
                data(),
                {"random": random_number},
                {"random": NONE},
                alone=["random"],
            )
        )["random"]["value"].tolist()
        for some in seeds
    ]
    assert len({*of_blocks[0], *of_blocks[1]}) == 10


def halves(whole):
    """The block of an ensemble as two blocks, of one seed each."""
    return [
        dataclasses.replace(
            whole,
            seeds=whole.seeds[place : place + 1],
            steps=tuple(step[place : place + 1] for step in whole.steps),
            statuses=whole.statuses[place : place + 1],
            networks=tuple(stack[[place]] for stack in whole.networks),
        )
        for place in range(len(whole.seeds))
    ]


@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize("measure", sorted(filter(reads_random_numbers, MEASURES)))
def test_blocks_of_any_size_give_the_same_bits(measure, normalization):
    whole = kept(normalization=normalization, biases=normalization == "batch")
    few = ("samples", "train_samples", "random_samples", "copies", "probes", "draws", "orders")
    chosen = {key: 4 for key in few if key in settings_of(measure)}
    alone = [measure] if MEASURES[measure].drawn_alone else []

    def values(networks):
        function = {measure: imported(place_of(measure))}
        ((_, table),) = measure_networks(networks, data(), function, {measure: chosen}, alone=alone)
        return table.set_index(["seed", "step"])["value"]

    expected = values(whole)
    split = pd.concat([values(one) for one in halves(whole)])
    assert split.loc[expected.index].equals(expected)


def images():
    return blobs(channels=IMAGE[0], height=IMAGE[1], width=IMAGE[2])


def test_convolutional_networks_are_given_one_by_one_as_modules():
    networks = kept_convolutions(hyperparameters_of("vgg", normalization="batch", biases=True))
    seen, drawn = [], []

    def look(networks, trained_networks, initial_networks, inputs, generator):
        assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in networks.modules())
        assert_close(networks(inputs), trained_networks(inputs), rtol=1e-4, atol=1e-4)
        seen.append(trained_networks(inputs).detach())
        drawn.append(torch.rand(1, generator=generator).item())
        assert initial_networks[0].weight.shape == trained_networks[0].weight.shape
        return torch.full((1,), float(len(seen)))

    (table,) = (
        table for _, table in measure_networks(networks, images(), {"look": look}, {"look": {}})
    )
    assert table["value"].tolist() == [1, 2, 3, 4, 5]
    assert len(set(drawn)) == 1
    for logits, (step, position, _) in zip(seen, networks.distinct(), strict=True):
        expected = networks.networks[step].logits(images().test_inputs)[position]
        assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_convolutional_networks_with_logits_that_are_not_finite_say_so():
    networks = kept_convolutions(hyperparameters_of("convolutional"))
    networks.networks[2].tensors["layers.1.weight"][0].fill_(3e38)
    measures = {"entropy": output_entropy, "norm": weight_norm}
    tables = dict(measure_networks(networks, images(), measures, {name: {} for name in measures}))
    lost = tables["entropy"]["value"].isna()
    assert lost.tolist() == [False] * 4 + [True]
    assert "whose logits are not finite at" in tables["entropy"]["reason"].iloc[4]
    assert tables["norm"]["value"].notna().all()


@pytest.mark.parametrize(
    "measure", sorted(name for name in MEASURES if not MEASURES[name].fully_connected_only)
)
def test_all_measures_but_those_of_layers_are_computed_for_convolutional_networks(measure):
    networks = kept_convolutions(hyperparameters_of("convolutional, pooled"))
    function = imported(place_of(measure))
    few = ("samples", "train_samples", "grid_points", "random_samples")
    points = 30 if measure in OF_MANY_POINTS else 2
    chosen = {key: points for key in few if key in settings_of(measure)}
    alone = [measure] if MEASURES[measure].drawn_alone else []
    tables = measure_networks(
        networks, images(), {measure: function}, {measure: chosen}, alone=alone
    )
    tables = dict(tables)
    if measure in WITHOUT_VALUE:
        values = tables[measure]["value"]
        assert values.isna().any() or measure in OF_AN_ERROR
        assert not values.isin([math.inf, -math.inf]).any()
        return
    assert tables[measure]["value"].map(math.isfinite).all()
    # Steps differ in the scale of the weights, which only some measures of ReLU networks see.
    without_scale = ("transitions", "sampled_transitions", "class_information")
    without_scale += ("ablation_auc", "normalized_ablation_auc")
    distinct = {"number_of_parameters": 1} | dict.fromkeys(without_scale, 2)
    values = tables[measure]["value"]
    if measure in FRACTIONS:
        assert values.nunique() > 1
    elif measure in SCALE_FREE:
        assert values.map("{:.4g}".format).nunique() == 2
    else:
        assert values.nunique() == distinct.get(measure, 5)


def test_values_of_another_measure_are_those_of_the_same_network():
    networks = kept_convolutions(hyperparameters_of("all_convolutional"))

    def doubled(networks, inputs, *, entropy=None):
        assert entropy.shape == (1, 5)
        return 2 * entropy

    measures = {"entropy": output_entropy, "doubled": doubled}
    chosen = {"entropy": {"samples": 5}, "doubled": {"samples": 5}}
    tables = dict(measure_networks(networks, images(), measures, chosen))
    doubled_values = tables["doubled"]["value"].tolist()
    assert doubled_values == pytest.approx((2 * tables["entropy"]["value"]).tolist())


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_test_labels_change_no_measure(measure):
    function = imported(place_of(measure))
    few = ("samples", "train_samples", "grid_points", "random_samples")
    chosen = {measure: {key: 3 for key in few if key in settings_of(measure)}}
    turned = dataclasses.replace(data(), test_labels=data().test_labels.roll(1))
    assert not torch.equal(turned.test_labels, data().test_labels)
    tables = [
        dict(measure_networks(kept(), some, {measure: function}, chosen))[measure]
        for some in (data(), turned)
    ]
    assert tables[0].equals(tables[1])
