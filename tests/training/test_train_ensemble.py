import dataclasses
import math
import re

import pytest
import torch
from oracles.blobs import blobs
from oracles.slow_trainer import LOSSES, network_of, train_slowly
from sklearn.datasets import load_digits

from generalization.datasets.dataset import Dataset
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters
from generalization.training import initial_networks, train_ensemble, widths_for
from generalization.training.course import Course
from generalization.training.stacks import Training

SEEDS = (5, 2, 9)
STEPS = 20
OPTIMIZERS = {"sgd": 0.1, "momentum": 0.05, "adam": 0.01, "rmsprop": 0.05, "lbfgs": 0.1}


def settings(**changes):
    """Small networks that train for all of a few steps, every one of which is kept."""
    defaults = {
        "dataset": "blobs",
        "width": 7,
        "activation": "tanh",
        "batch_size": 16,
        "max_steps": STEPS,
        "stop_at_accuracy": None,
        "kept_steps": range(STEPS),
    }
    defaults |= changes
    return Hyperparameters(**defaults | {"kept_steps": tuple(defaults["kept_steps"])})


def course_of(kept, position):
    """Tensors of one network at every kept step."""
    return [[t[position] for t in networks.tensors.values()] for networks in kept.networks]


def assert_same_course(one, other, **tolerances):
    for step, (ours, theirs) in enumerate(zip(one, other, strict=True)):
        for parameter, expected in zip(ours, theirs, strict=True):
            torch.testing.assert_close(
                parameter, expected, **tolerances, msg=lambda text, step=step: f"{step}: {text}"
            )


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_step_is_that_of_the_slow_trainer(optimizer, biases):
    hyperparameters = settings(
        optimizer=optimizer, learning_rate=OPTIMIZERS[optimizer], biases=biases
    )
    data = blobs()
    kept = train_ensemble(data, hyperparameters, SEEDS).kept
    # The line search of L-BFGS amplifies rounding errors from step to step.
    steps = 12 if optimizer == "lbfgs" else STEPS
    for position, seed in enumerate(SEEDS):
        initial = initial_networks(widths_for(data, hyperparameters), hyperparameters, [seed])
        slow = train_slowly(data, hyperparameters, seed, initial, steps)
        assert_same_course(course_of(kept, position)[: steps + 1], slow, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "squared"},
        {"activation": "relu", "depth": 5},
        {"activation": "hardsigmoid", "depth": 2},
        {"augmentation": "translate_flip"},
        {"augmentation": "flips_rotations"},
        {"augmentation": "crop_flip"},
        {"decay_epochs": 2},
        {"schedule": "cosine", "warmup_steps": 4},
        {"schedule": "exponential", "decay_epochs": 1, "decay_factor": 0.5},
        {"batch_size": 1000},
        {"init_scale": 3.0},
        {"initialization": "uniform", "biases": True},
        {"weight_decay": 0.1, "biases": True},
        {"weight_decay": 0.1, "optimizer": "sgd", "decay_epochs": 2},
        {"weight_decay": 0.1, "optimizer": "adam"},
        {"weight_decay": 0.1, "optimizer": "rmsprop"},
        {"normalization": "batch"},
        {"normalization": "batch", "biases": True, "activation": "relu", "loss": "squared"},
        {"normalization": "batch", "optimizer": "adam", "weight_decay": 0.1},
        {"normalization": "batch", "depth": 5, "batch_size": 1000, "optimizer": "sgd"},
        {"dropout": 0.3, "biases": True},
        {"dropout": 0.5, "activation": "hardtanh", "depth": 5},
        {"dropout": 0.5, "normalization": "batch", "activation": "relu", "batch_size": 13},
        {"freeze_layers": "bottom_up", "biases": True, "depth": 5},
        {"freeze_layers": "bottom_up", "freeze_until": 0.35, "optimizer": "sgd", "depth": 4},
        {"freeze_layers": "bottom_up", "optimizer": "adam", "learning_rate": 0.01},
        {"freeze_layers": "bottom_up", "optimizer": "rmsprop", "weight_decay": 0.1},
        {"freeze_layers": "bottom_up", "normalization": "batch", "weight_decay": 0.1, "depth": 4},
        {"freeze_layers": "bottom_up", "normalization": "batch", "biases": True, "dropout": 0.3},
    ],
    ids=str,
)
def test_every_step_is_that_of_the_slow_trainer_for_other_choices_too(changes):
    hyperparameters, data = settings(**changes), blobs()
    kept = train_ensemble(data, hyperparameters, SEEDS).kept
    initial = initial_networks(widths_for(data, hyperparameters), hyperparameters, SEEDS[:1])
    slow = train_slowly(data, hyperparameters, SEEDS[0], initial, STEPS)
    assert_same_course(course_of(kept, 0), slow, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"optimizer": optimizer, "learning_rate": rate}
            for optimizer, rate in OPTIMIZERS.items()
        ),
        {"normalization": "batch", "weight_decay": 0.01, "learning_rate": 0.05},
        {"dropout": 0.3, "biases": True, "learning_rate": 0.05},
    ],
    ids=str,
)
def test_a_stack_trains_as_its_networks_alone(changes):
    # Networks leave the stack during training, so the optimizer state has to shrink with it.
    data, hyperparameters = blobs(noise=1.5), settings(stop_at_accuracy=0.8, **changes)
    together = train_ensemble(data, hyperparameters, SEEDS, stack_size=3).kept
    assert len(set(together.steps[-1])) > 1
    for position, seed in enumerate(SEEDS):
        alone = train_ensemble(data, hyperparameters, [seed]).kept
        assert [step for (step,) in alone.steps] == [steps[position] for steps in together.steps]
        assert_same_course(course_of(together, position), course_of(alone, 0), rtol=1e-4, atol=1e-5)


def test_stacks_of_any_size_agree():
    ensembles = [
        train_ensemble(blobs(), settings(), SEEDS, stack_size=size).kept for size in (1, 2, 3)
    ]
    for position in range(len(SEEDS)):
        courses = [course_of(kept, position) for kept in ensembles]
        assert_same_course(courses[0], courses[1], rtol=1e-4, atol=1e-5)
        assert_same_course(courses[0], courses[2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_batches_too_large_for_memory_are_processed_in_parts(optimizer, monkeypatch):
    hyperparameters = settings(
        optimizer=optimizer,
        learning_rate=OPTIMIZERS[optimizer],
        # Every line search of L-BFGS amplifies the rounding errors of previous steps.
        max_steps=5 if optimizer == "lbfgs" else 8,
        biases=True,
        dropout=0.0 if optimizer == "lbfgs" else 0.3,
    )
    whole = train_ensemble(blobs(), hyperparameters, [1]).kept
    for module in ("optimizers", "lbfgs"):
        monkeypatch.setattr(f"generalization.training.{module}.samples_per_backward", lambda _: 7)
    parts = train_ensemble(blobs(), hyperparameters, [1]).kept
    assert_same_course(course_of(parts, 0), course_of(whole, 0), rtol=1e-4, atol=1e-5)


def test_batches_that_are_normalized_are_never_processed_in_parts(monkeypatch):
    hyperparameters = settings(normalization="batch", max_steps=8)
    whole = train_ensemble(blobs(), hyperparameters, [1]).kept
    monkeypatch.setattr("generalization.training.optimizers.samples_per_backward", lambda _: 7)
    again = train_ensemble(blobs(), hyperparameters, [1]).kept
    assert_same_course(course_of(again, 0), course_of(whole, 0), rtol=0, atol=0)


def test_step_zero_is_the_initial_networks():
    hyperparameters, data = settings(biases=True), blobs()
    kept = train_ensemble(data, hyperparameters, SEEDS).kept
    initial = initial_networks(widths_for(data, hyperparameters), hyperparameters, SEEDS)
    assert initial.widths == (16, 7, 7, 3)
    for parameter, expected in zip(kept.networks[0].parameters, initial.parameters, strict=True):
        assert torch.equal(parameter, expected)


def test_initial_networks_depend_on_their_own_seed_only():
    hyperparameters = settings()
    few, many = (initial_networks((4, 7, 3), hyperparameters, seeds) for seeds in ([2], SEEDS))
    assert torch.equal(few.weights[0][0], many.weights[0][1])
    assert not torch.equal(many.weights[0][0], many.weights[0][1])


CRITERIA = {
    "accuracy": {"stop_at_accuracy": 1.0},
    "loss": {"stop_at_loss": 0.3},
    "squared loss": {"stop_at_loss": 0.1, "loss": "squared", "learning_rate": 0.3},
    "both": {"stop_at_accuracy": 0.9, "stop_at_loss": 0.25},
    "augmentation": {"stop_at_accuracy": 0.62, "augmentation": "translate_flip"},
}


def criterion_is_met(networks, data, hyperparameters):
    logits = networks.logits(data.train_inputs).double()
    met = torch.ones(len(networks), dtype=torch.bool)
    if hyperparameters.stop_at_accuracy is not None:
        right = (logits.argmax(2) == data.train_labels).double().mean(1)
        met &= right >= hyperparameters.stop_at_accuracy
    if hyperparameters.stop_at_loss is not None:
        losses = [LOSSES[hyperparameters.loss](of_one, data.train_labels) for of_one in logits]
        met &= torch.stack(losses) <= hyperparameters.stop_at_loss
    return met.tolist()


@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_each_network_stops_when_so_many_epochs_have_met_its_criterion(criterion, times):
    data, limit, epoch = blobs(noise=1.5), 240, 4
    hyperparameters = settings(
        **{"width": 12, "max_steps": limit, "kept_steps": range(0, limit, epoch)}
        | CRITERIA[criterion]
        | {"stop_epochs": times}
    )
    kept = train_ensemble(data, hyperparameters, (1, 2, 3, 4)).kept
    ends = kept.steps[-1]
    assert len(set(ends)) > 1, "or this tests less than it should"
    met = {
        step: criterion_is_met(kept.networks[step // epoch], data, hyperparameters)
        for step in range(epoch, max(ends) + 1, epoch)
    }
    for position, (end, status) in enumerate(zip(ends, kept.statuses, strict=True)):
        steps = [step for step, of_networks in met.items() if of_networks[position]]
        enough = len(steps) >= times
        assert (end, status) == ((steps[times - 1], "fitted") if enough else (limit, "stopped"))


def test_a_finished_network_does_not_change():
    planned = (*range(0, 120, 3), 9999)
    hyperparameters = settings(
        width=12, max_steps=240, kept_steps=planned, stop_at_accuracy=0.9, learning_rate=0.1
    )
    kept = train_ensemble(blobs(noise=1.5), hyperparameters, (1, 2, 3, 4)).kept
    assert len(set(kept.steps[-1])) > 1
    assert min(kept.steps[-1]) < 100
    assert len(kept.steps) == 41, "a kept step after the last one is the last one"
    for position, end in enumerate(kept.steps[-1]):
        column = [steps[position] for steps in kept.steps]
        assert column == [min(step, end) for step in (*planned[:-1], end)]
        course = course_of(kept, position)
        for parameters, step in zip(course, column, strict=True):
            assert all(map(torch.equal, parameters, course[-1])) == (step == end)


def test_the_last_step_counts_though_no_epoch_ends_there():
    fitted = settings(max_steps=17, stop_at_loss=100.0, kept_steps=())
    assert train_ensemble(blobs(), fitted, [1]).kept.steps == ((4,),)
    within_epoch = settings(max_steps=3, stop_at_loss=100.0, kept_steps=())
    kept = train_ensemble(blobs(), within_epoch, [1]).kept
    assert kept.steps == ((3,),)
    assert kept.statuses == ("fitted",)


def test_without_criterion_training_stops_at_max_steps():
    kept = train_ensemble(blobs(), settings(), SEEDS).kept
    assert kept.steps[-1] == (STEPS,) * 3
    assert kept.statuses == ("stopped",) * 3


@pytest.mark.parametrize("sha256", [None, "ab12"])
def test_kept_networks_record_their_training_data(sha256):
    data = dataclasses.replace(blobs(), sha256=sha256)
    assert train_ensemble(data, settings(max_steps=0), (1,)).kept.dataset_sha256 == sha256


def test_no_steps_leave_the_initial_networks():
    hyperparameters, data = settings(max_steps=0, stop_at_loss=100.0, kept_steps=(0, 5)), blobs()
    ensemble = train_ensemble(data, hyperparameters, SEEDS)
    assert ensemble.kept.steps == ((0, 0, 0),)
    assert ensemble.kept.statuses == ("stopped",) * 3
    assert [(row["seed"], row["step"]) for row in ensemble.training] == [(s, 0) for s in SEEDS]


def test_powers_of_two_are_kept_and_evaluated():
    hyperparameters = Hyperparameters(
        dataset="blobs", max_steps=20, stop_at_accuracy=None, kept_steps="powers_of_two", width=7
    )
    ensemble = train_ensemble(blobs(), hyperparameters, [1])
    assert ensemble.kept.steps == ((0,), (1,), (2,), (4,), (8,), (16,), (20,))
    assert [row["step"] for row in ensemble.training] == [0, 1, 2, 4, 8, 16, 20]


def test_every_epoch_is_kept_and_evaluated():
    hyperparameters = Hyperparameters(
        dataset="blobs",
        batch_size=16,
        max_steps=18,
        stop_at_accuracy=None,
        kept_steps="every_epoch",
    )
    ensemble = train_ensemble(blobs(), hyperparameters, [1])
    assert ensemble.kept.steps == ((0,), (4,), (8,), (12,), (16,), (18,))
    assert [row["step"] for row in ensemble.training] == [0, 1, 2, 4, 8, 12, 16, 18]


@pytest.mark.parametrize("changes", [{}, {"normalization": "batch"}, {"dropout": 0.5}], ids=str)
def test_rows_are_evaluations_of_the_whole_sets(changes):
    hyperparameters, data = settings(kept_steps=(3, 16), loss="squared", **changes), blobs()
    ensemble = train_ensemble(data, hyperparameters, SEEDS, stack_size=2)
    steps = [0, 1, 2, 3, 4, 8, 16, STEPS]
    assert [(row["seed"], row["step"]) for row in ensemble.training] == [
        (seed, step) for seed in SEEDS for step in steps
    ]
    for slot, step in enumerate((3, 16, STEPS)):
        for part in ("train", "test"):
            inputs, labels = getattr(data, f"{part}_inputs"), getattr(data, f"{part}_labels")
            modules = [network_of(one, hyperparameters) for one in ensemble.kept.networks[slot]]
            logits = torch.stack([module.eval()(inputs).detach() for module in modules]).double()
            for position, seed in enumerate(SEEDS):
                (row,) = (
                    row for row in ensemble.training if row["seed"] == seed and row["step"] == step
                )
                loss = LOSSES["cross_entropy"](logits[position], labels).item()
                right = (logits[position].argmax(1) == labels).double().mean().item()
                assert row[f"{part}_loss"] == pytest.approx(loss, rel=1e-5)
                assert row[f"{part}_accuracy"] == right
                assert row["status"] == "stopped"
                assert row["ensemble"] == hyperparameters.name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_divergence_is_a_status(optimizer):
    huge = {"learning_rate": 1e38} if optimizer != "lbfgs" else {"init_scale": 1e14}
    hyperparameters = settings(optimizer=optimizer, activation="relu", depth=5, **huge)
    ensemble = train_ensemble(blobs(), hyperparameters, SEEDS)
    assert ensemble.kept.statuses == ("diverged",) * 3
    for seed in SEEDS:
        *_, last = (row for row in ensemble.training if row["seed"] == seed)
        assert math.isnan(last["train_accuracy"])
        assert last["status"] == "diverged"


def test_a_network_that_diverges_leaves_the_others_alone():
    data, hyperparameters = blobs(), settings(activation="relu")
    training = Training(data, hyperparameters, SEEDS, torch.device("cpu"))
    stack = training.begin(range(3))
    course = Course.of(training.kept_steps, 3, stack.networks)
    for _ in training.train(stack, course):
        if stack.step == 5:
            stack.networks.weights[1][1] = torch.inf
    kept = course.kept_networks(hyperparameters, SEEDS)
    assert kept.statuses == ("stopped", "diverged", "stopped")
    assert kept.steps[-1] == (STEPS, 6, STEPS)
    undisturbed = train_ensemble(data, hyperparameters, SEEDS).kept
    for position in (0, 2):
        assert_same_course(
            course_of(kept, position), course_of(undisturbed, position), rtol=1e-4, atol=1e-5
        )


def test_infinite_weights_have_diverged_though_their_loss_is_finite():
    hyperparameters = settings(activation="hardtanh", stop_at_loss=100.0, kept_steps=())
    training = Training(blobs(), hyperparameters, SEEDS, torch.device("cpu"))
    stack = training.begin(range(3))
    course = Course.of(training.kept_steps, 3, stack.networks)
    for _ in training.train(stack, course):
        if stack.step == 3:
            stack.networks.weights[0][1, 0, 0] = torch.inf
    assert course.kept_networks(hyperparameters, SEEDS).statuses == ("fitted", "diverged", "fitted")
    assert all(math.isfinite(loss) for _, _, loss, *_ in course.evaluations)


def test_lbfgs_takes_no_more_steps_than_the_paper():
    hyperparameters = settings(optimizer="lbfgs", max_steps=10_000)
    assert Training(blobs(), hyperparameters, SEEDS, torch.device("cpu")).limit == 2684


def test_lbfgs_that_cannot_move_stops():
    # Without noise and with the same image for all there is a minimum, and it is reached.
    data = blobs(train=6)
    data.train_inputs.copy_(data.train_inputs[:1].clone())
    hyperparameters = settings(optimizer="lbfgs", depth=1, max_steps=500, kept_steps=())
    kept = train_ensemble(data, hyperparameters, [1]).kept
    assert kept.statuses == ("stopped",)
    assert kept.steps[-1][0] < 100


def test_report_shows_the_progress_of_training(monkeypatch):
    monkeypatch.setattr("generalization.training.ensemble.REPORT_SECONDS", 0.0)
    told = []
    train_ensemble(
        blobs(), settings(), SEEDS, stack_size=2, report=lambda *numbers: told.append(numbers)
    )
    assert len(told) == 2 * STEPS
    assert [done for done, _ in told] == [0] * 19 + [2] * 20 + [3]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[9] == pytest.approx(2 / 3 * 10 / 20)
    assert shares[-1] == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"optimizer": "adagrad"},
            "optimizer must be one of sgd, momentum, adam, rmsprop, lbfgs, not 'adagrad'.",
        ),
        ({"loss": "hinge"}, "loss must be one of cross_entropy, squared, not 'hinge'."),
        (
            {"augmentation": "mixup"},
            "augmentation must be one of none, translate_flip, flips_rotations, crop_flip, "
            "random_crop, not 'mixup'.",
        ),
        (
            {"activation": "gelu"},
            "activation must be one of relu, relu6, tanh, hardtanh, hardsigmoid, not 'gelu'.",
        ),
        (
            {"optimizer": "lbfgs", "augmentation": "translate_flip"},
            "augmentation must be 'none' where optimizer is 'lbfgs', not 'translate_flip'.",
        ),
        (
            {"optimizer": "lbfgs", "dropout": 0.1},
            "dropout must be 0 where optimizer is 'lbfgs', not 0.1.",
        ),
        (
            {"normalization": "batch", "batch_size": 7},
            "batch_size must leave no batch of 1 of the 50 training images where normalization is "
            "'batch', not 7.",
        ),
        ({"normalization": "layer"}, "normalization must be one of none, batch, not 'layer'."),
        (
            {"initialization": "zero"},
            "initialization must be one of normal, uniform, standard_normal, not 'zero'.",
        ),
        (
            {"kept_steps": "some"},
            "kept_steps must be powers_of_two, every_epoch or a list, not 'some'.",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_trained_is_reported_in_a_sentence(changes, sentence):
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        train_ensemble(blobs(), Hyperparameters(dataset="blobs", **changes), SEEDS)


@pytest.mark.parametrize("seeds", [[], [1, 2, 1]])
def test_seeds_are_different(seeds):
    sentence = f"seeds must be one or more different integers, not {seeds}."
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        train_ensemble(blobs(), settings(), seeds)


@pytest.mark.parametrize("optimizer", ["momentum", "lbfgs"])
def test_real_digits_are_fitted(optimizer):
    digits = load_digits()
    images = torch.from_numpy(digits.images).float() / 16
    images = images - images.mean((1, 2), keepdim=True)
    images = (images / images.square().mean((1, 2), keepdim=True).sqrt()).unsqueeze(1)
    labels = torch.from_numpy(digits.target)
    data = Dataset(
        name="digits",
        classes=10,
        train_inputs=images[:1000],
        train_labels=labels[:1000],
        test_inputs=images[1000:],
        test_labels=labels[1000:],
    )
    hyperparameters = Hyperparameters(
        dataset="digits", optimizer=optimizer, learning_rate=0.01, batch_size=32, max_steps=1000
    )
    ensemble = train_ensemble(data, hyperparameters, (1, 2, 3))
    assert ensemble.kept.statuses == ("fitted",) * 3
    for row in ensemble.training:
        if row["step"] == 0:
            assert row["train_accuracy"] < 0.4
        elif row["step"] in ensemble.kept.steps[-1]:
            assert row["train_accuracy"] == 1
            assert row["test_accuracy"] > 0.9
