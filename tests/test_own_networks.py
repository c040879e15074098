import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
)

import generalization
from generalization.catalog import FUNCTIONS, MEASURES
from generalization.devices import at_most, samples_at_once
from generalization.errors import InputError, warn_of_no_value
from generalization.measuring_modules import fitting_batch_size
from generalization.networks.own_module import own_module
from generalization.own_population import evaluated, measure_own_network, with_statuses
from generalization.tables import PERFORMANCE

HEAVY = {"local_learning_coefficient", "noise_cloud_slope", "gauss_newton_eigenvalue"}
LIGHT = sorted(
    name for name in MEASURES if MEASURES[name].file != "sharpness" and name not in HEAVY
)


@pytest.fixture
def module():
    torch.manual_seed(0)
    layers = nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)
    return nn.Sequential(nn.Flatten(), *layers)


@pytest.fixture
def inputs():
    return torch.randn(24, 1, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels():
    return torch.arange(24) % 3


def test_every_function_of_the_catalog_is_public():
    for name in FUNCTIONS:
        function = getattr(generalization, name)
        assert callable(function) and function.__name__ == name
    assert (
        set(generalization.__all__)
        == {"measure", "compare", "check_measure", *FUNCTIONS}
        == set(dir(generalization))
    )


def test_a_function_is_imported_from_the_package_even_after_its_module():
    import generalization.measures.jacobian_norm  # noqa: F401
    from generalization import jacobian_norm

    assert callable(jacobian_norm)


def test_other_names_are_not_public():
    with pytest.raises(
        AttributeError, match=r"^module 'generalization' has no attribute 'norm'\.$"
    ):
        generalization.norm  # noqa: B018


def test_values_are_those_of_the_functions(module, inputs, labels):
    table = generalization.measure(
        module, inputs, labels, ["jacobian_norm", "training_margin", "weight_norm"]
    ).set_index("measure")
    norms = generalization.jacobian_norm(module, inputs).double()
    assert table.loc["jacobian_norm", "value"] == pytest.approx(norms.mean().item())
    error = norms.std().item() / 24**0.5
    assert table.loc["jacobian_norm", "standard_error"] == pytest.approx(error)
    margins = generalization.training_margin(module, inputs, labels)
    assert table.loc["training_margin", "value"] == pytest.approx(margins.mean().item())
    assert table.loc["weight_norm", "value"] == generalization.weight_norm(module).item()
    assert np.isnan(table.loc["weight_norm", "standard_error"])
    assert list(table["method"]) == ["exact"] * 3


def test_every_measure_is_a_row_with_a_value_or_a_reason(module, inputs, labels):
    table = generalization.measure(module, inputs, labels, LIGHT, repeats=2)
    assert list(table["measure"]) == LIGHT
    assert (np.isfinite(table["value"]) == (table["status"] == "ok")).all()
    assert (table["status"].str.len() > 0).all()
    assert (table["status"] == "ok").sum() > 50


def test_what_is_lacking_is_said(module, inputs):
    table = generalization.measure(
        module, inputs, measures=["training_loss", "distance_from_initialization"]
    )
    assert list(table["status"]) == [
        "training_loss needs train_inputs and train_labels: give labels or train",
        "distance_from_initialization needs initial_networks: give initial",
    ]
    assert table["value"].isna().all()


def test_a_training_set_may_differ_from_the_inputs(module, inputs, labels):
    train = DataLoader(TensorDataset(inputs[:10], labels[:10]), batch_size=4)
    found = generalization.measure(module, inputs, labels, "training_margin", train=train)
    expected = generalization.training_margin(module, inputs[:10], labels[:10]).mean().item()
    assert found["value"].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    "given",
    [
        lambda x, y: x.numpy()[::-1][::-1],
        lambda x, y: x.double(),
        lambda x, y: TensorDataset(x, y),
        lambda x, y: TensorDataset(x),
        lambda x, y: DataLoader(TensorDataset(x, y), batch_size=5),
        lambda x, y: (x.numpy(), y.numpy()),
        lambda x, y: x.clone().requires_grad_(),
    ],
    ids=["strides", "double", "dataset", "unlabelled", "loader", "pair", "graph"],
)
def test_inputs_of_every_kind_give_the_same_value(module, inputs, labels, given):
    expected = generalization.measure(module, inputs, measures="jacobian_norm")["value"].item()
    found = generalization.measure(module, given(inputs, labels), measures="jacobian_norm")
    assert found["value"].item() == pytest.approx(expected, rel=1e-6)


def test_settings_and_own_functions(module, inputs):
    def largest_logit(networks, inputs):
        return networks(inputs).detach().amax(1).unsqueeze(0)

    chosen = {"output_sensitivity": {"pixel_noise_std": 0.5}, "largest": largest_logit}
    table = generalization.measure(module, inputs, measures=chosen).set_index("measure")
    plain = generalization.measure(module, inputs, measures="output_sensitivity")["value"].item()
    # A small change of the inputs crosses no facet: S grows with the variance of the noise.
    assert table.loc["output_sensitivity", "value"] == pytest.approx(25 * plain, rel=0.5)
    logits = module(inputs).detach().double()
    assert table.loc["largest", "value"] == pytest.approx(logits.amax(1).mean().item())


def test_sampled_values_have_the_error_of_their_repeats(module, inputs, labels):
    table = generalization.measure(module, inputs, labels, "random_number", repeats=4)
    again = generalization.measure(module, inputs, labels, "random_number", repeats=4)
    assert table["method"].item() == "sampled"
    assert table["standard_error"].item() > 0
    assert table["value"].item() == again["value"].item()


def test_closed_forms_are_exact_and_draws_are_sampled(module, inputs):
    sampled = ["output_sensitivity", "mean_tangent_sensitivity", "random_number"]
    exact = ["tangent_sensitivity", "transitions", "output_entropy"]
    table = generalization.measure(module, inputs, measures=sampled + exact)
    assert list(table["method"]) == ["sampled"] * 3 + ["exact"] * 3
    assert (table["standard_error"].iloc[:3] > 0).all()


def test_transitions_of_modules_that_cannot_be_followed_are_sampled(inputs):
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.Hardswish(), nn.Linear(5, 3))
    table = generalization.measure(module, inputs, measures="curvature")
    assert table["status"].item() != "ok" or table["method"].item() == "sampled"


class Residual(nn.Module):
    """A network whose loops are sampled, since no sequence."""

    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.Linear(16, 16), nn.Linear(16, 3)
        self.relu = nn.ReLU()

    def forward(self, images):
        flat = images.flatten(1)
        return self.last(flat + self.relu(self.layer(flat)))


def test_loops_of_costly_modules_are_sampled_at_fewer_points_which_the_note_says(
    inputs, monkeypatch
):
    torch.manual_seed(0)
    module, images = Residual(), inputs[:2]
    names = ["transitions", "sampled_transitions", "curvature"]
    monkeypatch.setattr("generalization.bearable_costs.MOST_SAMPLED_WORK", 2e6)
    table = generalization.measure(module, images, measures=names).set_index("measure")
    points = {name: re.match(r"sampled at (\d+) points", table.loc[name, "note"]) for name in names}
    points = {name: int(found[1]) for name, found in points.items()}
    assert points["sampled_transitions"] > points["curvature"] >= 4
    assert set(table["method"]) == {"sampled"}
    for name in names:
        function = getattr(generalization, name)
        expected = function(module, images, grid_points=points[name]).mean().item()
        assert table.loc[name, "value"] == pytest.approx(expected)
    chosen = {"sampled_transitions": {"grid_points": 96}}
    note = generalization.measure(module, images, measures=chosen)["note"].item()
    assert re.fullmatch(r"sampled at 96 points, about \d\.\d% below the exact count", note)


class Pooled(nn.Module):
    """A network that pools by a function."""

    def __init__(self):
        super().__init__()
        self.maps, self.head = nn.Conv2d(1, 2, 3, padding=1), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(nn.functional.max_pool2d(self.maps(x).relu(), 2).flatten(1))


def test_switches_of_max_pooling_are_told_to_be_left_out():
    images = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    layers = nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    names = ["transitions", "sampled_transitions"]
    for module in (nn.Sequential(*layers, nn.Linear(8, 3)), Pooled()):
        notes = generalization.measure(module, images, measures=names)["note"]
        assert notes.str.endswith("switches of max-pooling are not counted").all()
    without = nn.Sequential(*layers[:2], nn.Flatten(), nn.Linear(32, 3))
    notes = generalization.measure(without, images, measures=names)["note"]
    assert not notes.str.contains("max-pooling").any()


def test_max_pooling_alone_has_no_transitions_to_count():
    images = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    layers = nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    with pytest.raises(InputError) as raised:
        generalization.transitions(nn.Sequential(*layers), images)
    assert str(raised.value) == (
        "transitions: networks must have activation modules (ReLU, LeakyReLU, PReLU, Tanh, ReLU6, "
        "Hardtanh, Hardsigmoid, RReLU, Softshrink), not max-pooling alone, whose switches are no "
        "transitions."
    )
    linear = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    assert not generalization.transitions(linear, images).any()


def test_progress_names_what_is_computed_before_it_is_done(module, inputs, capsys):
    seen = []

    def theirs(networks):
        seen.append(capsys.readouterr().err)
        return torch.ones(1)

    measures = {"weight_norm": {}, "theirs": theirs}
    generalization.measure(module, inputs, measures=measures, progress=True)
    assert re.fullmatch(r"1/2 weight_norm: \S+ \(\S+ s\)\n2/2 theirs: ", seen[0])
    assert re.fullmatch(r"1 \(\S+ s\)\n", capsys.readouterr().err)


def test_batch_size_changes_no_value(module, inputs, labels):
    names = ["jacobian_norm", "training_loss", "effective_rank", "training_margin"]
    whole = generalization.measure(module, inputs, labels, names, batch_size=24)
    parts = generalization.measure(module, inputs, labels, names, batch_size=5)
    assert parts["value"].to_numpy() == pytest.approx(whole["value"].to_numpy(), rel=1e-5)
    shapes = []
    hook = module.register_forward_pre_hook(lambda _, given: shapes.append(len(given[0])))
    generalization.measure(module, inputs, labels, "training_loss", batch_size=5)
    hook.remove()
    assert max(shapes) == 5


def test_the_module_is_left_as_it_was(inputs, labels):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
    )
    module.train()
    module[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    generalization.measure(module, inputs, labels, LIGHT, repeats=2)
    assert module.training and module[1].training
    assert not module[0].weight.requires_grad and module[0].bias.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    nn.functional.cross_entropy(module(inputs), labels).backward()
    optimizer.step()
    assert not torch.equal(module[4].weight, before["4.weight"])


def test_an_interrupt_keeps_what_is_done(module, inputs, capsys):
    def interrupted(networks):
        raise KeyboardInterrupt

    table = generalization.measure(module, inputs, measures={"weight_norm": {}, "own": interrupted})
    assert list(table["status"]) == ["ok", "interrupted before it was computed"]
    assert "what is done is returned" in capsys.readouterr().err


def test_an_error_of_torch_is_a_row(module):
    table = generalization.measure(module, torch.randn(5, 7), measures="jacobian_norm")
    assert table["status"].item() == (
        "jacobian_norm needs networks that map a batch of inputs to logits, not a Sequential, "
        "which fails at inputs of shape (1, 7) (mat1 and mat2 shapes cannot be multiplied (1x7 "
        "and 16x12))."
    )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda m, x: generalization.measure(m, x, measures="jacobian_nrm"),
            "measures must be among jacobian_norm, train_jacobian_norm, logit_jacobian_norm, "
            "not 'jacobian_nrm'.",
        ),
        (
            lambda m, x: generalization.measure("net", x),
            "module must be a torch.nn.Module, not a str.",
        ),
        (
            lambda m, x: generalization.measure(m, x[:0]),
            "inputs must hold at least one input, not none.",
        ),
        (
            lambda m, x: generalization.measure(m, [1, 2, 3]),
            "inputs must be a tensor, an array, a pair of inputs and labels, a Dataset or a "
            "DataLoader, not a list.",
        ),
        (
            lambda m, x: generalization.measure(m, x, torch.zeros(3)),
            "labels of inputs must be 24 integers, one per input, not torch.float32 of shape (3,).",
        ),
        (
            lambda m, x: generalization.measure(m, x, batch_size=-1),
            "batch_size must be a positive integer, not -1.",
        ),
        (
            lambda m, x: generalization.measure(m, x, measures={"weight_norm": {"order": 1}}),
            "Settings of weight_norm must be among none, not 'order'.",
        ),
        (
            lambda m, x: generalization.compare(m, m, x, layers=["9"]),
            "layers must be among 0, 1, 2, 3, 4, 5, not '9'.",
        ),
    ],
)
def test_bad_input_is_a_sentence(module, inputs, call, sentence):
    with pytest.raises(InputError) as error:
        call(module, inputs)
    assert str(error.value) == sentence


def test_layers_of_two_modules_are_compared_by_name(module, inputs):
    table = generalization.compare(
        module, module, inputs, layers=["2", "4"], other_layers=["2"], similarities="linear_cka"
    )
    assert list(table["layer"]) == ["2", "4"]
    assert table["value"].iloc[0] == pytest.approx(1)
    activations = [module[: i + 1](inputs).detach() for i in (4, 2)]
    expected = generalization.linear_cka(*activations).value
    assert table["value"].iloc[1] == pytest.approx(expected, rel=1e-6)


def test_positions_of_feature_maps_are_samples(inputs):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    table = generalization.compare(module, module, inputs, layers=["1"], other_layers=["0"])
    maps = [
        module[: i + 1](inputs).detach().flatten(2).transpose(1, 2).flatten(0, 1) for i in (1, 0)
    ]
    expected = generalization.svcca(*maps).value
    found = table.set_index("similarity").loc["svcca", "value"]
    assert found == pytest.approx(expected, rel=1e-6)


def test_samples_at_once_are_limited_only_inside():
    with at_most(7):
        assert samples_at_once(100) == 7 and samples_at_once(3) == 3
    assert samples_at_once(100) == 100


def test_measuring_needs_no_packages_of_the_workflow():
    blocked = "h5py hdf5plugin matplotlib mlxtend rich safetensors sklearn statsmodels torchvision"
    code = f"""
import sys
for name in {blocked.split()!r}:
    sys.modules[name] = None
import torch, generalization as g
module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
x = torch.randn(6, 4)
table = g.measure(module, x, torch.arange(6) % 2, repeats=2,
    measures=[n for n in g.__all__ if n in g.catalog.MEASURES and n not in {HEAVY!r}])
broken = table[table["status"].str.contains("Error")]
assert not len(broken), broken.to_string()
g.compare(module, module, x)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_directions_of_rounding_do_not_count_in_the_precision_of_activations(inputs, dtype):
    """In double precision the rounding of 12 units that span 4 directions would be directions."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Linear(4, 12)).to(dtype)
    found = generalization.compare(
        module, module, inputs, layers=["2"], other_layers=["0"], similarities="mean_cca"
    )
    assert found["value"].item() == pytest.approx(1, abs=0.001)


def test_only_networks_of_a_study_have_hyperparameters(module, inputs):
    def theirs(hyperparameters):
        return torch.zeros(1)

    row = generalization.measure(module, inputs, measures={"theirs": theirs}).iloc[0]
    assert row["status"] == "theirs needs hyperparameters: only networks of a study have them"


@pytest.mark.parametrize("kind", ["parallel", "compiled"])
def test_wrapped_modules_have_the_values_of_what_is_wrapped(module, inputs, labels, kind):
    wrapped = nn.DataParallel(module) if kind == "parallel" else torch.compile(module)
    names = ["transitions", "gradient_norm", "path_norm"]
    found = generalization.measure(wrapped, inputs, labels, names)
    expected = generalization.measure(module, inputs, labels, names)
    pd.testing.assert_frame_equal(found.drop(columns="seconds"), expected.drop(columns="seconds"))


def test_the_random_state_and_buffers_that_a_forward_pass_changes_are_given_back(inputs):
    class Drawing(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))
            self.head = nn.Linear(16, 3)

        def forward(self, images):
            self.calls = self.calls + 1
            return self.head(images.flatten(1)) + torch.rand(3)

    module, state = Drawing(), torch.get_rng_state()
    buffer = module.calls
    data = DataLoader(TensorDataset(inputs), batch_size=5, shuffle=True)
    generalization.measure(module, data, measures=["jacobian_norm", "weight_norm"])
    generalization.compare(module, module, data, similarities="linear_cka")
    assert torch.equal(torch.get_rng_state(), state)
    assert module.calls is buffer
    assert buffer.item() == 0


def test_a_measure_that_returns_no_numbers_is_named_once(module, inputs):
    table = generalization.measure(module, inputs, measures={"theirs": lambda networks: 1})
    assert table["status"].item() == (
        "theirs must return a floating-point tensor of shape (1,) or (1, inputs) for 1 networks, "
        "not an int."
    )


def test_reasons_of_any_repeat_are_told(module, inputs):
    """The mean over repeats has no value if one has none."""
    repeats = iter([True, False, False])

    def theirs(networks, generator):
        if next(repeats):
            warn_of_no_value("the first has none")
            return torch.tensor([torch.nan])
        return torch.ones(1)

    table = generalization.measure(module, inputs, measures={"theirs": theirs})
    assert table["status"].item() == "theirs has no value: the first has none."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"batch_size": 0}, "batch_size must be a positive integer, not 0."),
        ({"batch_size": "4"}, "batch_size must be a positive integer, not '4'."),
        ({"batch_size": 2.5}, "batch_size must be a positive integer, not 2.5."),
        ({"batch_size": True}, "batch_size must be a positive integer, not True."),
        ({"samples": -1}, "samples must be a positive integer, not -1."),
        ({"samples": "all"}, "samples must be a positive integer, not 'all'."),
        ({"repeats": 1}, "repeats must be an integer of at least 2, not 1."),
        ({"repeats": "3"}, "repeats must be an integer of at least 2, not '3'."),
        (
            {"pixel_deviations": "one"},
            "pixel_deviations must be one positive number, or one for each of the 24 inputs, not "
            "'one'.",
        ),
        ({"loss": "hinge"}, "loss must be among cross_entropy, squared, not 'hinge'."),
        ({"initial": "x"}, "initial must be a torch.nn.Module, not a str."),
        (
            {"pixel_deviations": [1, 2]},
            "pixel_deviations must be one positive number, or one for each of the 24 inputs, not "
            "[1, 2].",
        ),
        ({"measures": 3}, "measures must be 'all', names or settings by name, not 3."),
        (
            {"measures": {"weight_norm": None}},
            "Settings of weight_norm must be a dictionary, not None.",
        ),
        (
            {"inputs": None},
            "inputs must be a tensor, an array, a Dataset or a DataLoader, not None.",
        ),
        (
            {"inputs": torch.tensor(1.0)},
            "inputs must be real numbers of shape (samples, *features), not torch.float32 of "
            "shape ().",
        ),
        (
            {"inputs": torch.tensor([[1.0, 2.0], [torch.nan, 0.0]])},
            "inputs must be finite in torch.float32, but input 1 is not.",
        ),
        (
            {"inputs": torch.eye(16).to_sparse()},
            "inputs must be a dense tensor of numbers, not one of torch.sparse_coo.",
        ),
        (
            {"inputs": torch.nested.nested_tensor([torch.ones(16), torch.ones(16)])},
            "inputs must be a dense tensor of numbers, not one that is nested.",
        ),
        (
            {"inputs": torch.ones(2, 16, device="meta")},
            "inputs must be a dense tensor of numbers, not one on the device meta.",
        ),
        (
            {"inputs": torch.quantize_per_tensor(torch.ones(2, 16), 1.0, 0, torch.quint8)},
            "inputs must be a dense tensor of numbers, not one that is quantized.",
        ),
        (
            {"inputs": torch.tensor([[1e39, 2.0]], dtype=torch.float64)},
            "inputs must be finite in torch.float32, but input 0 is not.",
        ),
        (
            {"inputs": DataLoader(TensorDataset(torch.zeros(0, 4)))},
            "inputs must hold at least one input, not none.",
        ),
        (
            {"inputs": DataLoader([{"pixels": torch.zeros(4)}])},
            "inputs must give batches of inputs, or pairs of inputs and labels, not a dict.",
        ),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_calls_that_cannot_be_meant_are_refused(module, inputs, arguments, sentence):
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        generalization.measure(module, **{"inputs": inputs, **arguments})


OF_EVERY_KIND = [
    *("jacobian_norm", "gradient_norm", "training_loss", "tangent_sensitivity", "weight_norm"),
    *("adaptive_sharpness", "effective_rank", "output_sensitivity", "fisher_rao_norm"),
]


@pytest.mark.parametrize("mode", [torch.inference_mode, lambda: torch.autocast("cpu")])
def test_modes_around_a_call_change_nothing(module, inputs, labels, mode):
    expected = generalization.measure(module, inputs, labels, OF_EVERY_KIND)
    compared = generalization.compare(module, module, inputs, similarities="linear_cka")
    with mode():
        given = inputs.clone(), labels.clone()
        found = generalization.measure(module, *given, OF_EVERY_KIND)
        again = generalization.compare(module, module, given[0], similarities="linear_cka")
        norm = generalization.gradient_norm(module, *given)
    assert (expected["status"] == "ok").all()
    assert found["value"].to_list() == expected["value"].to_list()
    assert again.equals(compared)
    assert norm.item() == expected["value"][1]
    assert generalization.gradient_norm(module, *given).item() == norm.item()


def test_integers_are_numbers_to_modules_that_take_them(module, labels):
    pixels = torch.randint(256, (24, 1, 4, 4), dtype=torch.uint8)
    names = ["jacobian_norm", "gradient_norm"]
    expected = generalization.measure(module, pixels.float(), labels, names)["value"]
    assert generalization.measure(module, pixels, labels, names)["value"].equals(expected)
    assert generalization.gradient_norm(module, pixels, labels).item() == expected[1]


def test_layers_that_batches_couple_or_that_are_no_tensor_are_not_compared():
    coupled = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(InputError, match=r"must normalize batches by running statistics"):
        generalization.compare(coupled, coupled, torch.randn(20, 4))
    relu = nn.ReLU()
    twice = nn.Sequential(nn.Linear(4, 3), relu, nn.Linear(3, 3), relu)
    with pytest.raises(InputError) as error:
        generalization.compare(twice, twice, torch.randn(20, 4), layers=["0", "1"])
    assert str(error.value) == "layers of one must be used once and return a tensor, unlike '1'."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"batch_size": "4"}, "batch_size must be a positive integer, not '4'."),
        ({"batch_size": 2.5}, "batch_size must be a positive integer, not 2.5."),
        ({"samples": 0}, "samples must be a positive integer, not 0."),
        (
            {"similarities": {"svcca": {"explained_variance": "0.9"}}},
            "svcca: explained_variance must be above 0 and at most 1, not '0.9'.",
        ),
        (
            {"similarities": {"svcca": {"explained_variance": 2}}},
            "svcca: explained_variance must be above 0 and at most 1, not 2.",
        ),
        (
            {"similarities": {"svcca": {"explained_variance": float("nan")}}},
            "svcca: explained_variance must be above 0 and at most 1, not nan.",
        ),
        (
            {"similarities": {"mean_cca": {"mode": "regularized"}}},
            "mean_cca: mode must be among exact, google, not 'regularized'.",
        ),
        ({"similarities": {"mean_cca": {"epsilon": "0", "mode": "google"}}}, None),
    ],
)
def test_comparisons_that_cannot_be_meant_are_refused(module, inputs, arguments, sentence):
    with pytest.raises(InputError) as raised:
        generalization.compare(module, module, inputs, **arguments)
    start = (
        "Settings of mean_cca must have the types of their defaults, not {'epsilon': '0', 'mode':"
    )
    assert str(raised.value) == sentence or str(raised.value).startswith(start)


def shuffling(inputs, labels):
    data = TensorDataset(inputs, labels)
    yield DataLoader(data, batch_size=5, shuffle=True)
    yield DataLoader(data, sampler=SubsetRandomSampler(range(24)))
    batches = BatchSampler(RandomSampler(data), 5, drop_last=False)
    yield DataLoader(data, batch_sampler=batches)
    yield DataLoader(data, sampler=DistributedSampler(data, 1, 0))


def test_a_loader_that_shuffles_is_refused_beside_labels(module, inputs, labels):
    sentence = (
        "inputs must be in the order of {}, not in that of a DataLoader which shuffles: let it "
        "give pairs, or set shuffle=False."
    )
    for loader in shuffling(inputs, labels):
        with pytest.raises(InputError) as raised:
            generalization.measure(module, loader, labels, "training_loss")
        assert str(raised.value) == sentence.format("labels")
        with pytest.raises(InputError) as raised:
            generalization.measure(
                module, loader, measures="weight_norm", pixel_deviations=[1] * 24
            )
        assert str(raised.value) == sentence.format("pixel_deviations")
    ordered = DataLoader(TensorDataset(inputs, labels), batch_size=5)
    expected = generalization.measure(module, inputs, labels, "training_loss")["value"].item()
    found = generalization.measure(module, ordered, labels, "training_loss")["value"].item()
    assert found == expected
    pairs = next(shuffling(inputs, labels))
    found = generalization.measure(module, pairs, measures="training_loss", train=pairs)
    assert found["value"].item() == pytest.approx(expected, rel=1e-6)


def test_both_networks_see_a_loader_that_shuffles_in_one_order(module, inputs, labels):
    # With a generator of its own, its order is another one every time that it is read.
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(TensorDataset(inputs, labels), shuffle=True, generator=generator)
    table = generalization.compare(
        module, module, loader, layers=["1"], other_layers=["1"], similarities="linear_cka"
    )
    assert table["value"].item() == pytest.approx(1)


def test_fewer_inputs_fit_where_classes_are_many(monkeypatch):
    monkeypatch.setattr("generalization.measuring_modules.usable_memory", lambda _: 1e9)
    few, many = (
        fitting_batch_size(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, classes)), torch.randn(2, 4))
        for classes in (10, 1000)
    )
    assert few == 1024
    assert many == int(0.25 * 1e9 / (4 * (8 + 2 * 1000 + 4 * 1000**2)))


def test_products_of_queries_and_keys_count_as_activations(monkeypatch):
    """No part of a module returns them; kernels that need no memory for them lack derivatives."""
    monkeypatch.setattr("generalization.measuring_modules.usable_memory", lambda _: 1e9)
    layer = nn.TransformerEncoderLayer(8, 4, 8, batch_first=True)
    module = nn.Sequential(nn.TransformerEncoder(layer, 3, enable_nested_tensor=False))
    module.append(nn.Flatten()).append(nn.Linear(8 * 256, 3))
    size = fitting_batch_size(module, torch.randn(2, 256, 8))
    products = 3 * 4 * 256**2 * 4  # layers, heads, pairs of tokens, bytes
    assert 0.25 * 1e9 / (3 * products) < size < 0.25 * 1e9 / products


@pytest.mark.parametrize(
    ("last", "inputs", "labels", "sentence"),
    [
        (
            nn.Softmax(1),
            (5, 4),
            2,
            "needs networks that return logits, not probabilities: drop the last softmax.",
        ),
        (
            nn.Identity(),
            (5, 3),
            2,
            "needs networks that map a batch of inputs to logits, not a Sequential, which fails at "
            "inputs of shape (1, 3) (mat1 and mat2 shapes cannot be multiplied (1x3 and 4x3)).",
        ),
        (
            nn.BatchNorm1d(3, track_running_stats=False),
            (5, 4),
            2,
            "networks must normalize batches by running statistics, since those of a batch couple "
            "its points, not by BatchNorm1d without.",
        ),
        (
            nn.Softmax(0),
            (5, 4),
            2,
            "needs networks whose logits are those of single inputs in eval mode, not of a "
            "Sequential whose logits change with the other inputs.",
        ),
        (
            nn.Identity(),
            (5, 4),
            7,
            "needs labels from 0 to 2, one for each logit, not from 7 to 7.",
        ),
    ],
    ids=["probabilities", "shape", "statistics", "coupled", "label"],
)
def test_a_network_that_cannot_be_evaluated_is_told_why(last, inputs, labels, sentence):
    module = nn.Sequential(nn.Linear(4, 3), last)
    data = torch.randn(inputs), torch.full((5,), labels)
    with pytest.raises(InputError) as error:
        evaluated(module, "n", 1, data, data)
    said = str(error.value)
    assert said in {f"evaluation on train {sentence}", f"evaluation on train: {sentence}"}


class Answer(nn.Module):
    """A module that gives an object with logits, as those of transformers do."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, inputs):
        return SimpleNamespace(logits=self.body(inputs))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [nn.Sequential, Answer])
def test_networks_are_evaluated_as_measures_read_them(kind, dtype):
    torch.manual_seed(0)
    body = nn.Linear(4, 3).to(dtype)
    train, test = [(torch.randn(n, 4), torch.arange(n) % 3) for n in (30, 20)]
    row = evaluated(kind(body), "n", 1, train, test).iloc[0]
    weight, bias = body.weight.double(), body.bias.double()
    for part, (inputs, labels) in (("train", train), ("test", test)):
        logits = inputs.double() @ weight.T + bias
        loss = nn.functional.cross_entropy(logits, labels).item()
        assert row[f"{part}_loss"] == pytest.approx(loss, rel=1e-5)
        assert row[f"{part}_accuracy"] == (logits.argmax(1) == labels).double().mean().item()
    assert row["status"] == "stopped" and body.weight.dtype == dtype
    names = ("training_loss", "output_sensitivity")
    functions = {name: getattr(generalization, name) for name in names}
    how = {"repeats": 2, "loss": "cross_entropy"}
    settings = {"training_loss": {}, "output_sensitivity": {}}
    tables = measure_own_network(kind(body), None, "n", 1, train, test, functions, settings, **how)
    values = pd.concat(tables).set_index("measure")["value"]
    assert values["training_loss"] == pytest.approx(row["train_loss"], rel=1e-5)
    assert values["output_sensitivity"] > 0


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("used", [True, False])
def test_networks_without_finite_weights_have_diverged_and_no_accuracy(value, used):
    module = nn.Linear(4, 3)
    if not used:
        module.register_parameter("other", nn.Parameter(torch.ones(2)))
    data = torch.randn(6, 4), torch.arange(6) % 3
    assert evaluated(module, "n", 1, data, data)["status"].item() == "stopped"
    with torch.no_grad():
        (module.weight if used else module.other)[0] = value
    row = evaluated(module, "n", 1, data, data)
    assert row["status"].item() == "diverged"
    assert row[PERFORMANCE].isna().all(axis=None)


def test_logits_that_overflow_have_diverged():
    module = nn.Linear(4, 3)
    data = torch.full((6, 4), 1e30), torch.arange(6) % 3
    with torch.no_grad():
        module.weight[:] = 1e30
    assert evaluated(module, "n", 1, data, data)["status"].item() == "diverged"


def test_statuses_follow_known_or_measured_accuracies():
    training = pd.DataFrame({
        "ensemble": "n",
        "seed": range(5),
        "train_accuracy": [1.0, 0.356, 0.5, 1.0, np.nan],
        "test_accuracy": 0.25,
        "train_loss": 0.1,
        "test_loss": 0.2,
        "status": ["stopped"] * 4 + ["diverged"],
    })
    known = pd.DataFrame({
        "ensemble": "n",
        "seed": range(5),
        "train_accuracy": [None, None, 0.9, 0.89, 1.0],
        "test_accuracy": None,
    })
    found = with_statuses(training, known, fitted_accuracy=0.9)
    assert list(found["status"]) == ["fitted", "stopped", "fitted", "stopped", "diverged"]
    assert list(found["train_accuracy"][:4]) == [1, 0.356, 0.9, 0.89]
    assert list(found["test_accuracy"][:4]) == [0.25] * 4
    assert found.loc[4, PERFORMANCE].isna().all()


def made():
    return nn.Linear(3, 2)


@pytest.fixture
def factory(monkeypatch):
    monkeypatch.setattr("generalization.networks.own_module.resolved", lambda *_: made)
    return "mine:made"


@pytest.mark.parametrize("key", ["model_state_dict", "state_dict", "model", "net", "network"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_weights_are_found_where_checkpoints_keep_them(tmp_path, factory, key, prefix):
    module, path = made(), tmp_path / "weights.pt"
    state = {f"{prefix}{name}": one for name, one in module.state_dict().items()}
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, key: state}, path)
    assert torch.equal(own_module(factory, {}, path).weight, module.weight)


def test_a_checkpoint_with_weights_twice_is_not_chosen_from(tmp_path, factory):
    path = tmp_path / "weights.pt"
    state = made().state_dict()
    torch.save({"epoch": 3, "model": state, "state_dict": state, "net": {}}, path)
    with pytest.raises(InputError) as raised:
        own_module(factory, {}, path)
    assert str(raised.value) == (
        f"{path} must hold weights under one key, not under state_dict and model."
    )


def test_a_checkpoint_without_weights_says_what_it_holds(tmp_path, factory):
    path = tmp_path / "weights.pt"
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, "generator": {}}, path)
    with pytest.raises(InputError) as raised:
        own_module(factory, {}, path)
    assert str(raised.value) == (
        f"{path} must be a state_dict of tensors, or hold one under model_state_dict, state_dict, "
        "model, net, network, weights, not a dictionary of epoch, optimizer, generator."
    )
    torch.save([1, 2], path)
    with pytest.raises(InputError, match=r"weights, not a list\.$"):
        own_module(factory, {}, path)


def damaged_archive(path):
    torch.save({"weight": torch.zeros(99)}, path)
    path.write_bytes(path.read_bytes()[:-100])


def scripted(path):
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("w.pt", b"hello", "bytes of another kind"),
        ("w.pt", b"a,b\n1,2\n", "bytes of another kind"),
        ("w.pt", b"\x89PNG\r\n\x1a\n000000", "bytes of another kind"),
        ("w.pt", b"", "nothing"),
        ("w.safetensors", b"", "nothing"),
        ("w.safetensors", b"\x10" * 40, "bytes of another kind"),
        ("w.pt", damaged_archive, "a damaged or foreign archive"),
        ("w.pt", scripted, "a TorchScript archive"),
        (
            "w.pt",
            lambda path: torch.save(nn.Linear(2, 2), path),
            "an object of torch.nn.modules.linear.Linear, which could run code",
        ),
    ],
    ids=["text", "table", "image", "empty", "no_tensors", "header", "damaged", "script", "module"],
)
def test_files_that_hold_no_tensors_are_told_in_one_sentence(tmp_path, name, content, found):
    path = tmp_path / name
    content(path) if callable(content) else path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        own_module("torch.nn:ReLU", {}, path)
    assert str(raised.value) == (
        f"{path} must hold tensors only, in a .safetensors file or a state_dict of torch.save, "
        f"not {found}."
    )


def test_weights_that_do_not_fit_into_memory_are_not_called_other_bytes(tmp_path, monkeypatch):
    def failing(*_, **__):
        raise MemoryError

    monkeypatch.setattr(torch, "load", failing)
    with pytest.raises(MemoryError):
        own_module("torch.nn:ReLU", {}, tmp_path / "weights.pt")
