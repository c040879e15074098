"""Every measure of a stack is that of its networks as sequences of layers."""

from dataclasses import fields

import pytest
import torch
from torch import Generator, nn
from torch.testing import assert_close

from generalization.catalog import MEASURES, file_of, place_of
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.modules import number_of_networks
from generalization.networks.sequences import sequence_of
from generalization.offered import OfferedToMeasures
from generalization.signatures import imported, named_by

ACTIVATIONS = ["relu", "relu6", "hardtanh", "hardsigmoid", "tanh"]
# Random for a module: drawn once for all networks, or computed with random probes.
DRAWN = ("random_number", "mean_tangent_sensitivity")
# For tanh, the first is computed with random probes as well; the second does not exist.
NO_CLOSED_FORM = {"tanh": ("tangent_sensitivity", "balanced_tangent_sensitivity")}
# Sequences absorb the ½ of a hard sigmoid into their biases, which changes these norms.
OTHER_PARAMETERS = {"hardsigmoid": ("fisher_rao_norm", "empirical_fisher_rao_norm")}
# Labels are not learned here, so no margin is positive; and layers are narrow.
WITHOUT_VALUE = [
    name
    for name, entry in MEASURES.items()
    if name.endswith(("_squared_margin", "_over_margin"))
    or name.startswith("spectral_complexity_")
    or entry.file == "spectra"
]
# Units of both signs have no selectivity, and some layers or points have no gradient.
MAY_BE_ABSENT = ["class_selectivity", "within_class_stiffness", *WITHOUT_VALUE]
MAY_BE_ABSENT += [name for name in MEASURES if name.endswith("_normalized_margin")]
# The error of what is not learned may be too large to rise.
MAY_BE_ABSENT += [
    name for name in MEASURES if file_of(name).endswith(("pac_bayes.py", "worst_case_flatness.py"))
]
LAYERED = [name for name in MEASURES if MEASURES[name].fully_connected_only]
BIASES_AND_NORMALIZED = [(True, True), (True, False), (False, False)]
# Every measure meets every activation and all of these, every activation all of these.
CASES = [
    (name, activation, *BIASES_AND_NORMALIZED[(place + number) % 3])
    for place, name in enumerate(MEASURES)
    for number, activation in enumerate(ACTIVATIONS)
    if name not in [*LAYERED, *DRAWN, *NO_CLOSED_FORM.get(activation, ())]
    and name not in OTHER_PARAMETERS.get(activation, ())
]


def measure_of(name):
    return imported(place_of(name))


def images(count, seed=0):
    return torch.randn(count, 1, 4, 4, generator=Generator().manual_seed(seed)).double()


def networks_of(activation, *, normalized, biases):
    """Two networks as trained, and as they began."""
    generators = [Generator().manual_seed(seed) for seed in (1, 2)]
    begun = initialize_fully_connected(
        (16, 7, 6, 3), activation, generators, biases=biases, normalized=normalized
    )
    moved = begun.map(lambda part: part + torch.rand(part.shape, generator=generators[0]) / 2)
    moved, begun = moved.to(torch.float64), begun.to(torch.float64)
    return {"networks": moved.folded(), "trained_networks": moved, "initial_networks": begun}


NETWORKS = ("networks", "trained_networks", "initial_networks")


def measured(name, networks):
    count = number_of_networks(networks["networks"])
    offered = {
        **networks,
        "inputs": images(3),
        "train_inputs": images(5, seed=1),
        "train_labels": torch.tensor([0, 1, 2, 0, 1]),
        "pixel_deviations": torch.tensor([0.2, 0.3, 0.4]).double(),
        "hyperparameters": Hyperparameters(dataset="digits"),
        "init_scale": 1.0,
        "loss": "cross_entropy",
        "generator": Generator().manual_seed(3),
        "shared_generator": Generator().manual_seed(4),
        "evaluated_steps": torch.arange(3).double().expand(count, -1),
        "evaluated_losses": torch.tensor([1, 0.1, 0.01]).double().expand(count, -1),
        "dtype": torch.float64,
    }
    assert {field.name for field in fields(OfferedToMeasures)} <= set(offered) | {*NETWORKS}
    measure = measure_of(name)
    return measure(**named_by(measure, offered))


@pytest.mark.filterwarnings("ignore:the training error rises")
@pytest.mark.parametrize(("name", "activation", "biases", "normalized"), CASES)
def test_measure_of_a_stack_is_that_of_its_networks(name, activation, biases, normalized):
    stacks = networks_of(activation, biases=biases, normalized=normalized)
    members = (slice(0, 1), slice(1, 2))
    of_modules = torch.cat([
        measured(name, {role: sequence_of(stack[one]) for role, stack in stacks.items()})
        for one in members
    ])
    absent = name in MAY_BE_ABSENT
    assert_close(of_modules, measured(name, stacks), rtol=1e-9, atol=0, equal_nan=absent)


@pytest.mark.filterwarnings("ignore:the training error rises")
@pytest.mark.parametrize("name", [m for m in MEASURES if m not in LAYERED])
def test_convolutional_module_has_every_other_measure(name):
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 3, 2), nn.ReLU(), nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(12, 3)]
    module, begun = (nn.Sequential(*layers).double().eval() for _ in range(2))
    before = {key: value.clone() for key, value in module.state_dict().items()}
    roles = {"networks": module, "trained_networks": module, "initial_networks": begun}
    values = measured(name, roles)
    assert len(values) == 1
    assert values.isnan().all() if name in WITHOUT_VALUE else not values.isinf().any()
    assert name in MAY_BE_ABSENT or values.isfinite().all()
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize("name", LAYERED)
def test_the_others_refuse_a_module_in_one_sentence(name):
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).double()
    sentence = rf"^{name} needs a stack of networks, which it reads layer by layer, not a Seq"
    with pytest.raises(InputError, match=sentence):
        measured(name, {"networks": module})
