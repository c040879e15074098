"""Counted work and memory against torch, files and facts."""

import json

import pytest
import torch
from costs import (
    compared_shapes,
    expected_steps,
    kept_of,
    measuring_work,
    networks_bytes,
    representation_work,
    similarity_work,
    sized,
    step_work,
    training_work,
)
from oracles.pretended_gpu import pretended_gpu
from rates import ASSUMED_GPU, CORE, Rates, read_gpu_rates, read_rates
from rates import main as measure_rates
from schema import MEASURED_PARTS, SCHEMA, settings_of
from torch.utils.flop_counter import FlopCounterMode

from generalization.catalog import ENSEMBLE_MEASURES, MEASURES, PROFILES, SIMILARITIES
from generalization.datasets.dataset import Dataset
from generalization.hyperparameters import Hyperparameters
from generalization.networks.coupling import POINTS
from generalization.networks.layer_activations import layer_activations
from generalization.networks.networks_file import write_networks
from generalization.networks.sequences import module_of, sequence_of
from generalization.regions.module_loop_costs import layers_of_loops
from generalization.regions.stages import can_be_followed
from generalization.representations.convolutions import LAYOUTS, smallest_size
from generalization.representations.layers import represented_layer
from generalization.statistics.image_errors import image_errors
from generalization.training import train_ensemble
from generalization.training.stacks import Training

FULLY_CONNECTED = {"width": 40, "depth": 4}
CONVOLUTIONAL = {"architecture": "convolutional", "width": 60, "depth": 4, "batch_size": 50}
KINDS = [FULLY_CONNECTED, CONVOLUTIONAL, FULLY_CONNECTED | {"normalization": "batch"}]


def hyperparameters(**chosen):
    return Hyperparameters(**{"dataset": "digits", "batch_size": 40, **chosen})


def sized_hyperparameters(**chosen):
    return sized(hyperparameters(**chosen))


@pytest.fixture(scope="module")
def digits():
    """Noise in the shape of the dataset."""
    generator = torch.Generator().manual_seed(0)
    train, test = (torch.randn(n, 1, 8, 8, generator=generator) for n in (1_000, 797))
    labels = torch.arange(1_000) % 10
    return Dataset(
        name="digits",
        classes=10,
        train_inputs=train,
        train_labels=labels,
        test_inputs=test,
        test_labels=labels[:797],
    )


@pytest.mark.parametrize("chosen", KINDS)
@torch.no_grad()
def test_flops_of_a_step_are_those_that_torch_counts(digits, chosen):
    one = hyperparameters(**chosen)
    training = Training(digits, one, [1], torch.device("cpu"))
    stack = training.begin([0])
    (batch, *_) = training.batches(stack)
    with FlopCounterMode(display=False) as counter:
        stack.optimizer.step(batch, learning_rate=0.01, step=1)
    assert step_work(sized(one)).flops == counter.get_total_flops()


@pytest.mark.parametrize("chosen", KINDS)
@pytest.mark.parametrize("kept_steps", [(), (0, 2), "powers_of_two", "every_epoch"])
def test_networks_take_what_their_file_takes(digits, tmp_path, chosen, kept_steps):
    one = hyperparameters(**chosen, biases=True, kept_steps=kept_steps, max_steps=4)
    file = tmp_path / "networks.safetensors"
    trained = train_ensemble(digits, one, [1, 2])
    write_networks(file, trained.kept)
    assert len(trained.kept.networks) == kept_of(sized(one))
    header = 8 + int.from_bytes(file.read_bytes()[:8], "little")
    assert networks_bytes(sized(one), 2) == file.stat().st_size - header


@pytest.mark.parametrize("part", MEASURED_PARTS[:3])
def test_everything_that_is_measured_has_a_cost(part):
    one = sized_hyperparameters(dataset="mnist", **FULLY_CONNECTED)
    for name in SCHEMA["$defs"][part]["properties"]:
        work = measuring_work(name, one, settings_of(name))
        assert 0 < work.seconds(CORE) < 600, name
    assert set(SCHEMA["$defs"][part]["properties"]) <= {*MEASURES, *PROFILES, *ENSEMBLE_MEASURES}


@pytest.mark.parametrize("chosen", KINDS)
def test_flops_of_image_errors_are_those_that_torch_counts(digits, chosen):
    one = hyperparameters(**chosen, max_steps=1, kept_steps=(0,))
    networks = train_ensemble(digits, one, [1]).kept.networks[-1].folded()
    # Of convolutional networks, a profile is given modules.
    is_module = sized(one).size.convolutional
    given = module_of(networks) if is_module else networks
    with FlopCounterMode(display=False) as counter:
        image_errors(given, digits.test_inputs, digits.test_labels)
    counted = measuring_work("image_errors", sized(one), settings_of("image_errors"))
    # Logits of a module are seen to be finite, and its points not to interact: some are evaluated
    # together, reordered, and three of them alone.
    seen = 1 + (2 * POINTS + 3) / len(digits.test_inputs) if is_module else 0
    assert counter.get_total_flops() == pytest.approx((1 + seen) * counted.flops, rel=0.005)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("chosen", KINDS[:2])
def test_layers_are_counted_in_the_shapes_in_which_they_are_compared(digits, chosen, layout):
    one = hyperparameters(**chosen, max_steps=1, kept_steps=(0,))
    (network, *_) = train_ensemble(digits, one, [1]).kept.networks
    layers = [layer[0] for layer in layer_activations(network, digits.test_inputs[:9])]
    size = smallest_size([layer.shape for layer in layers])
    represented = [represented_layer(layer, layout, size) for layer in layers]
    counted = compared_shapes(sized(one), 9, layout)
    assert [(len(layer), len(layer[0].values), layer[0].units) for layer in represented] == [
        (layer.matrices, layer.rows, layer.columns) for layer in counted
    ]


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_comparing_every_layer_with_every_other_one_takes_longer(similarity):
    layers = compared_shapes(sized_hyperparameters(**FULLY_CONNECTED), 1000, "channels")
    same, every = (similarity_work(similarity, layers, every=every) for every in (False, True))
    shared = representation_work(similarity, layers, numbers=1)
    assert 0 < same.seconds(CORE) < every.seconds(CORE) < len(layers) * same.seconds(CORE)
    assert shared.seconds(CORE) > 0


def test_training_ends_early_only_where_it_may():
    assert expected_steps(sized_hyperparameters(stop_at_accuracy=None)) == 20_000
    assert expected_steps(sized_hyperparameters(max_steps=2_000)) == 2_000
    assert expected_steps(sized_hyperparameters()) == 2_500
    one = sized_hyperparameters()
    assert training_work(one).flops > 20_000 * step_work(one).flops


@pytest.mark.parametrize("chosen", KINDS)
@torch.no_grad()
def test_frozen_layers_take_no_gradients(digits, chosen):
    one = hyperparameters(max_steps=12, freeze_layers="bottom_up", **chosen)
    training = Training(digits, one, [1], torch.device("cpu"))
    stack = training.begin([0])
    (batch, *_) = training.batches(stack)
    with FlopCounterMode(display=False) as counter:
        for step in range(1, 13):
            stack.optimizer.step(batch, learning_rate=0.01, step=step)
    plain = hyperparameters(max_steps=12, **chosen)
    saved = training_work(sized(plain)).flops - training_work(sized(one)).flops
    assert saved == 12 * step_work(sized(plain)).flops - counter.get_total_flops()
    assert saved > 0


def test_rates_are_those_given_then_measured_then_assumed(tmp_path, monkeypatch):
    file = tmp_path / "rates.json"
    assert read_rates({}, file) == CORE
    monkeypatch.setattr("rates._machine", lambda: "here")
    file.write_text(json.dumps({"here": {"flops": 1e9}, "there": {"call": 1.0}}))
    assert read_rates({}, file) == CORE._replace(flops=1e9)
    assert read_rates({"flops": 2.0}, file) == CORE._replace(flops=2.0)


NO_RATES = (
    *("{", "", "[]", "3", "[" * 100_000, '{"here": 3}', '{"here": {"other": 1.0}}'),
    *('{"here": {"flops": 0}}', '{"here": {"flops": 1e999}}', '{"here": {"flops": NaN}}'),
    '{"here": {"flops": "1"}}',
)


@pytest.mark.parametrize("damaged", NO_RATES)
def test_what_is_no_rate_was_not_measured(tmp_path, monkeypatch, damaged):
    file = tmp_path / "rates.json"
    monkeypatch.setattr("rates._machine", lambda: "here")
    file.write_text(damaged)
    assert read_rates({}, file) == CORE
    assert read_gpu_rates(file) == ASSUMED_GPU


def test_rates_of_which_a_digit_has_changed_are_measured_again(tmp_path, monkeypatch):
    file = tmp_path / "rates.json"
    monkeypatch.setattr("rates._machine", lambda: "here")
    monkeypatch.setattr("rates.measured_rates", lambda: CORE._replace(flops=1e9))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    measure_rates(file)
    file.write_text(file.read_text().replace("1000000000", "9000000000"))
    assert read_rates({}, file) == CORE
    measure_rates(file)
    assert read_rates({}, file) == CORE._replace(flops=1e9)


H200 = {"flops": 4e13, "numbers": 1e12, "call": 5e-6}
OLD = H200 | {"flops": 1e13}


def test_rates_of_a_gpu_are_those_of_this_machine_then_of_any_then_assumed(tmp_path, monkeypatch):
    file = tmp_path / "rates.json"
    monkeypatch.setattr("rates._machine", lambda: "here x86_64")
    assert read_gpu_rates(file) == ASSUMED_GPU
    file.write_text(json.dumps({"here x86_64": H200, "node x86_64, NVIDIA H200": {"flops": 1e13}}))
    assert read_gpu_rates(file) == ASSUMED_GPU
    there = {"node x86_64, NVIDIA H200": H200, "node x86_64, Old, slow": OLD}
    file.write_text(json.dumps(there))
    assert read_gpu_rates(file) == (Rates(**OLD), "measured on Old, slow of node")
    file.write_text(json.dumps(there | {"here x86_64, NVIDIA H200": H200}))
    assert read_gpu_rates(file) == (Rates(**H200), "measured on NVIDIA H200 of here")
    file.write_text("{")
    assert read_gpu_rates(file) == ASSUMED_GPU


def test_a_gpu_is_measured_once_per_machine(tmp_path, monkeypatch):
    file = tmp_path / "rates.json"
    monkeypatch.setattr("rates._machine", lambda: "here x86_64")
    known = {"here x86_64": CORE._asdict(), "node x86_64, NVIDIA H200": H200}
    file.write_text(json.dumps(known))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    measure_rates(file)
    assert json.loads(file.read_text()) == known
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pretended_gpu() as gpu:
        measure_rates(file)
        assert gpu.peak > 2**25
        found = json.loads(file.read_text())
        measure_rates(file)
    assert json.loads(file.read_text()) == found
    of_gpu = found.pop("here x86_64, Pretended GPU")
    assert found == known
    assert read_gpu_rates(file) == (Rates(**of_gpu), "measured on Pretended GPU of here")
    assert 1e8 < of_gpu["flops"] < 1e14
    assert 1e6 < of_gpu["numbers"] < 1e13
    assert 1e-8 < of_gpu["call"] < 1e-1


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_loops_are_planned_by_the_layers_by_which_they_are_computed(digits, activation):
    one = hyperparameters(**CONVOLUTIONAL, activation=activation, max_steps=1, kept_steps=())
    (network, *_) = train_ensemble(digits, one, [1]).kept.networks
    module = sequence_of(network)
    expected = layers_of_loops(module, digits.test_inputs) if can_be_followed(module) else ()
    assert sized(one).size.followed == tuple(expected)
    loops, grid = (
        measuring_work(name, sized(one), settings_of("sampled_transitions") | {"samples": 100})
        for name in ("transitions", "sampled_transitions")
    )
    assert (loops == grid) == (activation == "tanh")
