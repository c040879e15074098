import re
import sys
from pathlib import Path

import pytest
import torch
from oracles.blobs import blobs
from torch.nn.functional import cross_entropy

from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters
from generalization.measure_networks import measure_networks
from generalization.measures.path_norm import path_norm
from generalization.networks.block_file import read_block
from generalization.networks.module_networks import reason_apart, template_of
from generalization.networks.networks_file import write_networks
from generalization.randomness import generator_for
from generalization.training import architecture_for, initial_networks, train_ensemble
from generalization.training.course import Course
from generalization.training.queue import Queue
from generalization.training.stacks import Training

SEEDS = (5, 2, 9)
STEPS = 12
KINDS = ("linear", "residual", "dropped", "tied")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def users_folder(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)


def images(**changes):
    return blobs(**{"channels": 2, "height": 6, "width": 5, "train": 40, "noise": 2.0} | changes)


def settings(kind, **changes):
    defaults = {
        "dataset": "blobs",
        "architecture": f"foreign_modules:{kind}",
        "batch_size": 16,
        "max_steps": STEPS,
        "stop_at_accuracy": None,
        "kept_steps": (0, 3, 7),
    }
    return Hyperparameters(**defaults | changes)


def assert_same(one, other, **tolerances):
    for ours, theirs in zip(one.networks, other.networks, strict=True):
        for name, tensor in ours.tensors.items():
            torch.testing.assert_close(tensor, theirs.tensors[name], **tolerances)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop", "lbfgs"])
def test_a_fully_connected_module_follows_the_built_in_networks(optimizer):
    shared = {"optimizer": optimizer, "schedule": "step", "loss": "cross_entropy"}
    if optimizer == "momentum":
        shared |= {"weight_decay": 0.1, "loss": "squared", "augmentation": "translate_flip"}
        shared |= {"schedule": "cosine", "warmup_steps": 2}
    built_in = settings("linear", **shared, depth=2, width=12).as_dict() | {
        "architecture": "fully_connected",
        **{"depth": 2, "width": 12, "pooling": "none", "activation": "relu", "biases": False},
        **{"normalization": "none", "dropout": 0.0, "initialization": "normal", "init_scale": 1.0},
    }
    built_in = Hyperparameters(**built_in)
    data, courses = images(), []
    begun = initial_networks(architecture_for(data, built_in), built_in, SEEDS).to(torch.float64)
    for one in (built_in, settings("linear", **shared)):
        # One name gives both the same batches.
        object.__setattr__(one, "dataset", "blobs")
        training = Training(data, one, SEEDS, CPU)
        source = training.source
        object.__setattr__(source, "inputs", source.inputs.double())
        object.__setattr__(training.criterion, "inputs", source.inputs)
        training.test = training.test[0].double(), training.test[1]
        training.hyperparameters = Named(one)
        size = 1 if optimizer == "lbfgs" else 3
        start = initial_networks(training.architecture, one, SEEDS).to(torch.float64)
        course = Course.of(training.kept_steps, len(SEEDS), start)
        with torch.no_grad():
            for stack in Queue(training, course, size, [], None).stacks():
                values = [w[stack.positions] for w in begun.weights]
                stack.networks = stack.networks.to(torch.float64)
                for parameter, value in zip(stack.networks.parameters, values, strict=True):
                    parameter.copy_(value)
                stack.optimizer = training.optimizer(stack.networks, stack.positions)
                for _ in training.train(stack, course):
                    pass
        courses.append(course)
    ours, theirs = courses
    assert torch.equal(ours.steps, theirs.steps)
    pairs = zip(ours.networks.parameters, theirs.networks.parameters, strict=True)
    for expected, found in pairs:
        assert not torch.allclose(found[0], found[-1], atol=1e-2)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


class Named:
    """Hyper-parameters under another name, which chooses the random numbers."""

    name = "one-name"

    def __init__(self, hyperparameters):
        self._own = hyperparameters

    def __getattr__(self, key):
        return getattr(self._own, key)


def test_initial_networks_are_those_of_the_module_under_the_seed():
    hyperparameters, data = settings("residual"), images()
    kept = initial_networks(architecture_for(data, hyperparameters), hyperparameters, SEEDS)
    import foreign_modules

    seed = generator_for(hyperparameters.name, 2, "initialization").initial_seed()
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    expected = foreign_modules.residual((2, 6, 5), data.classes).state_dict()
    torch.set_rng_state(state)
    for name, tensor in expected.items():
        assert torch.equal(kept.tensors[name][1], tensor)


def test_batch_normalization_trains_as_a_loop_of_torch_would():
    hyperparameters, data = settings("residual", optimizer="sgd"), images()
    kept = train_ensemble(data, hyperparameters, [4]).kept
    (network,) = kept.networks[0].modules()
    optimizer = torch.optim.SGD(network.train().parameters(), lr=hyperparameters.learning_rate)
    step = epoch = 0
    while step < STEPS:
        generator = generator_for(hyperparameters.name, 4, "batches", epoch)
        for rows in torch.randperm(40, generator=generator).split(16):
            if step < STEPS:
                optimizer.zero_grad()
                cross_entropy(network(data.train_inputs[rows]), data.train_labels[rows]).backward()
                optimizer.step()
                step += 1
        epoch += 1
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(kept.networks[-1].tensors[name][0], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_trains_as_its_networks_alone(kind):
    hyperparameters = settings(kind, stop_at_loss=1.0, max_steps=30, learning_rate=0.05)
    together = train_ensemble(images(noise=1.0), hyperparameters, SEEDS, stack_size=3).kept
    for position, seed in enumerate(SEEDS):
        alone = train_ensemble(images(noise=1.0), hyperparameters, [seed]).kept
        assert [step for (step,) in alone.steps] == [steps[position] for steps in together.steps]
        for ours, one in zip(together.networks, alone.networks, strict=True):
            for name, tensor in one.tensors.items():
                torch.testing.assert_close(
                    ours.tensors[name][[position]], tensor, rtol=1e-4, atol=1e-5
                )


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_training_ends_with_the_same_bits(kind, tmp_path):
    hyperparameters, data = settings(kind, optimizer="adam"), images()
    whole = train_ensemble(data, hyperparameters, SEEDS)
    checkpoint = tmp_path / "checkpoint.safetensors"

    class Killed(Exception):
        pass

    def report(done, share):
        if share > 0.5:
            raise Killed

    often = {"checkpoint": checkpoint, "checkpoint_seconds": 0.0}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr("generalization.training.ensemble.REPORT_SECONDS", 0.0)
        train_ensemble(data, hyperparameters, SEEDS, report=report, **often)
    resumed = train_ensemble(data, hyperparameters, SEEDS, **often)
    assert_same(resumed.kept, whole.kept, rtol=0, atol=0)
    assert resumed.training == whole.training
    write_networks(tmp_path / "networks.safetensors", resumed.kept)
    read = read_block(tmp_path / "networks.safetensors")
    assert_same(read, whole.kept, rtol=0, atol=0)
    assert read.hyperparameters.name == hyperparameters.name


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("linear", ""),
        ("tied", ""),
        ("dropped", "it draws random numbers"),
        ("residual", "it computes statistics of batches"),
    ],
)
def test_what_is_computed_together(kind, reason):
    assert reason_apart(architecture_for(images(), settings(kind)), CPU) == reason


def test_dropout_depends_on_the_seed_alone_and_leaves_other_random_numbers():
    hyperparameters = settings("dropped")
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one = train_ensemble(images(), hyperparameters, SEEDS).kept
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(4)
    assert_same(train_ensemble(images(), hyperparameters, SEEDS).kept, one, rtol=0, atol=0)
    assert template_of(architecture_for(images(), hyperparameters)).draws


def test_a_measure_that_does_not_apply_says_why():
    data = images()
    kept = train_ensemble(data, settings("residual", max_steps=2), [1, 2]).kept
    ((_, table),) = measure_networks(kept, data, {"path_norm": path_norm}, {"path_norm": {}})
    assert table["value"].isna().all() and len(table) == 4
    assert set(table["reason"]) == {
        "path_norm: networks must be sequences of linear layers, convolutions, poolings and "
        "activation functions for a path norm, not with Residual."
    }


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"width": 50},
            "width must be left out where architecture is 'foreign_modules:linear', whose "
            "architecture_arguments say what it builds, not 50.",
        ),
        (
            {"architecture": "foreign_modules.linear"},
            "architecture must be one of fully_connected, convolutional, all_convolutional, "
            "widening_convolutional, vgg, package.module:function, not 'foreign_modules.linear'.",
        ),
        (
            {"architecture": "foreign_modules:nothing"},
            "architecture must be importable, but 'foreign_modules:nothing' is not: module "
            "'foreign_modules' has no attribute 'nothing'.",
        ),
        (
            {"architecture": "foreign_modules:too_many"},
            "foreign_modules:too_many((2, 6, 5), 3) must return logits of shape (4, 3), not "
            "(4, 4).",
        ),
        (
            {"architecture": "foreign_modules:softmaxed"},
            "foreign_modules:softmaxed((2, 6, 5), 3) must return logits, not probabilities: drop "
            "the last softmax.",
        ),
        (
            {"architecture": "foreign_modules:in_list"},
            "foreign_modules:in_list((2, 6, 5), 3): networks must have all parameters that they "
            "compute with in named_parameters, not compute with 2 others as an InList does.",
        ),
        (
            {"architecture": "foreign_modules:normalized"},
            "foreign_modules:normalized((2, 6, 5), 3): networks must normalize batches by running "
            "statistics, since those of a batch couple its points, not by BatchNorm2d without.",
        ),
        (
            {"architecture": "foreign_modules:centered"},
            "foreign_modules:centered((2, 6, 5), 3) must return logits of single images in eval "
            "mode, not logits that change with the other images.",
        ),
        (
            {"architecture": "foreign_modules:several_labels"},
            "foreign_modules:several_labels((2, 6, 5), 3) must return logits, not probabilities: "
            "drop the last sigmoid.",
        ),
        (
            {"architecture": "foreign_modules:in_autocast"},
            "foreign_modules:in_autocast((2, 6, 5), 3): networks must compute in the precision of "
            "their parameters, not in that of torch.autocast as a Wrapped does.",
        ),
        (
            {"architecture": "foreign_modules:none_at_all"},
            "foreign_modules:none_at_all must return a torch.nn.Module, not a str.",
        ),
        (
            {"architecture_arguments": {"depth": 3}},
            "architecture must build foreign_modules:linear((2, 6, 5), 3, depth=3), but: linear() "
            "got an unexpected keyword argument 'depth'.",
        ),
        (
            {"architecture": "vgg", "architecture_arguments": {"depth": 3}},
            "architecture_arguments must be left out where architecture is 'vgg', not "
            '{"depth": 3}.',
        ),
    ],
)
def test_impossible_architectures_are_refused(changes, sentence):
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        train_ensemble(images(), settings("linear", **changes), SEEDS)


def test_nothing_of_the_user_is_imported_for_built_in_networks():
    sys.modules.pop("foreign_modules", None)
    train_ensemble(images(), Hyperparameters(dataset="blobs", max_steps=1), [1])
    assert "foreign_modules" not in sys.modules
