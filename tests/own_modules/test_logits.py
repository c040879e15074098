"""Logits that are not finite, points that interact in large batches, parameters not seen."""

from inspect import signature

import pytest
import torch
from own_modules.cases import (
    CASES,
    CLASSES,
    PIXELS,
    SAMPLES,
    Case,
    Inside,
    InstanceStatistics,
    perceptron,
)
from own_modules.matrix import OF_MODULES, outcome, outcome_of
from torch import nn
from torch.nn import functional

import generalization
from generalization.catalog import ENSEMBLE_MEASURES, MEASURES, SIMILARITIES, place_of
from generalization.errors import InputError
from generalization.networks.differentiability import refuse_foreign_parameters
from generalization.seen_in_networks import accuracy
from generalization.signatures import imported

BY_NAME = {case.name: case for case in CASES}
POINTS = {"inputs", "train_inputs"}
OF_LAYERS = {*SIMILARITIES, "seed_similarity"}  # Which are finite below the logits.


def reads_points(name):
    """Whether a function is given inputs."""
    return bool(POINTS & signature(imported(place_of(name))).parameters.keys())


def has_no_number(said):
    return said.values is None or said.values.isnan().all()


@pytest.mark.parametrize("kind", ["NaN logits", "infinite logits"])
@pytest.mark.parametrize("name", [name for name in OF_MODULES if name not in OF_LAYERS])
def test_logits_that_are_not_finite_have_no_value(name, kind):
    said = outcome(name, BY_NAME[kind])
    stacks = "needs a stack of networks" in said.refusal
    if name in ENSEMBLE_MEASURES:
        assert said.values.isnan().all()
    elif reads_points(name) and not stacks:
        assert said.refusal == (
            f"{name} needs networks with finite logits, not a NotFiniteAtSome, whose logits are "
            "not finite at 5 of 12 inputs."
        )
    elif not stacks:
        assert said.values.isfinite().all()


def is_that_of_a_perceptron(name, said, case, body):
    """Whether values are those of the plain module."""
    expected = outcome_of(name, Inside(body), case).values
    return torch.allclose(said.values, expected, rtol=1e-4, atol=1e-6, equal_nan=True)


# Their weights are all of the module, used or not.
OF_WEIGHTS = {name for name in MEASURES if not reads_points(name)}
OF_WEIGHTS |= {name for name in MEASURES if MEASURES[name].file in {"norms", "spectral_complexity"}}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in OF_MODULES if name not in OF_LAYERS])
def test_a_hidden_layer_that_is_nan_and_not_used_changes_nothing_in_silence(name):
    case = BY_NAME["unused NaN"]
    said = outcome(name, case)
    by_all_weights = (
        name in OF_WEIGHTS or "initial_networks" in signature(imported(place_of(name))).parameters
    )
    if said.values is not None and not by_all_weights and name not in DRAWN_BY_WEIGHT:
        assert is_that_of_a_perceptron(name, said, case, case.module().body)


# They add noise to all weights, in their order.
DRAWN_BY_WEIGHT = {
    name
    for name in MEASURES
    if name.startswith(("pac_bayes", "magnitude_aware", "worst_case", "local_learning"))
} | {"adaptive_sharpness"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SIMILARITIES)
def test_a_layer_that_is_nan_is_similar_to_none(name):
    case = BY_NAME["unused NaN"]
    table = generalization.compare(case.module(), case.module(), case.inputs(), similarities=name)
    of_nan = (table["layer"] == "relu") | (table["other_layer"] == "relu")
    assert of_nan.sum() > 1
    assert table.loc[of_nan, "value"].isna().all()
    assert (table.loc[of_nan, "status"] != "ok").all()
    assert table.loc[~of_nan, "value"].notna().any()


def test_predictions_that_are_not_known_are_not_accurate():
    logits = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, torch.nan]]])
    assert torch.allclose(
        accuracy(logits, torch.tensor([0, 1])),
        torch.tensor([1, torch.nan]).double(),
        equal_nan=True,
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in OF_MODULES if name not in SIMILARITIES])
def test_points_are_not_evaluated_in_larger_batches_than_were_compared(name):
    case = Case("larger batches", lambda: InstanceStatistics(above=SAMPLES))
    said = outcome_of(name, case.module(), case)
    assert not said.error
    if said.values is not None and name not in ENSEMBLE_MEASURES:
        assert is_that_of_a_perceptron(name, said, case, case.module().body)


def test_layers_are_compared_in_the_batches_in_which_they_are_recorded():
    module = InstanceStatistics(above=1024).eval()
    inputs = torch.randn(1100, PIXELS, generator=torch.Generator().manual_seed(0))
    tables = [
        generalization.compare(one, one, inputs, similarities="linear_cka", batch_size=4096)
        for one in (module, Inside(module.body))
    ]
    assert tables[0]["value"].to_list() == tables[1]["value"].to_list()


class Using(nn.Module):
    """Computes with something that it holds in a list."""

    def __init__(self, function, *held):
        super().__init__()
        self.body, self.held, self.function = perceptron(), list(held), function

    def forward(self, x):
        return self.body(x) + self.function(x.flatten(1), *self.held)


def frozen():
    return nn.Linear(PIXELS, CLASSES).requires_grad_(False)


def its_own_gradient(x):
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        (found,) = torch.autograd.grad(leaf.square().sum(), leaf)
    return found[:, :1]


FOREIGN = {
    "a layer": (lambda x, layer: layer(x), nn.Linear(PIXELS, CLASSES), 2),
    "a frozen layer": (lambda x, layer: layer(x), frozen(), 2),
    "a detached weight": (lambda x, layer: x @ layer.weight.detach().mT, frozen(), 1),
    "a leaf": (lambda x, leaf: x[:, :1] * leaf, torch.ones(1, requires_grad=True), 1),
}
OWN = {
    "a constant": (lambda x, one: x[:, :1] * one, torch.ones(1)),
    "a layer that is not used": (lambda x, layer: x[:, :1], frozen()),
    "the type of a layer": (lambda x, layer: x[:, :1].to(layer.weight.dtype), frozen()),
    "its own gradient": (lambda x, _: its_own_gradient(x), None),
    "a part of itself": (lambda x, _: functional.relu(x)[:, :1], None),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_parameters_that_are_not_those_of_the_module_are_refused(kind):
    function, held, count = FOREIGN[kind]
    module, inputs = Using(function, held).eval(), torch.randn(3, PIXELS)
    sentence = (
        "networks must have all parameters that they compute with in named_parameters, not compute "
        f"with {count} others as a Using does."
    )
    with pytest.raises(InputError) as raised:
        refuse_foreign_parameters(module, inputs)
    assert str(raised.value) == sentence
    names = ["jacobian_norm", "training_loss", *sorted(OF_WEIGHTS - OF_TRAINING_ALONE)]
    table = generalization.measure(
        module, inputs, torch.arange(3), names, initial=Using(function, held)
    )
    assert len(names) > 10
    assert table["status"].to_list() == [f"{name}: {sentence}" for name in names]


class Holding(nn.Module):
    """Holds something outside of its parameters."""

    def __init__(self, **held):
        super().__init__()
        self.body = perceptron()
        self.__dict__.update(held)

    def forward(self, x):
        return self.body(x)


@pytest.mark.parametrize(
    ("held", "count"),
    [
        ({"layers": [perceptron()]}, 6),
        ({"layers": {"first": (nn.Linear(2, 2, bias=False),)}}, 1),
        ({"hidden": nn.Linear(2, 2)}, 2),
        ({"scales": [nn.Parameter(torch.ones(2))]}, 1),
    ],
)
@pytest.mark.parametrize("name", ["weight_norm", "number_of_parameters", "spectral_product"])
def test_without_inputs_parameters_in_a_list_are_refused_used_or_not(name, held, count):
    with pytest.raises(InputError) as raised:
        getattr(generalization, name)(Holding(**held))
    assert str(raised.value) == (
        f"{name}: networks must have all their parameters in named_parameters, not hold {count} "
        "others as a Holding does."
    )


def test_tensors_that_are_no_parameters_and_own_parameters_may_be_held():
    module = Holding(constants=[torch.ones(2)], notes={"width": 3})
    module.__dict__["again"] = [module.body[1], *module.body.parameters()]
    expected = generalization.weight_norm(module.body)
    assert torch.equal(generalization.weight_norm(module), expected)


OF_TRAINING_ALONE = {"steps_to_loss", "steps_between_losses"}


@pytest.mark.parametrize("kind", OWN)
def test_what_is_no_parameter_is_not(kind):
    function, held = OWN[kind]
    module = Using(function, held).eval()
    refuse_foreign_parameters(module, torch.randn(3, PIXELS))
    assert (
        generalization
        .measure(module, torch.randn(3, PIXELS), measures="weight_norm")["status"]
        .eq("ok")
        .all()
    )
