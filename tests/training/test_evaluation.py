from itertools import product

import pytest
import torch
from oracles import slow_trainer
from oracles.blobs import blobs

from generalization.hyperparameters import Hyperparameters
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.randomness import generator_for
from generalization.training.evaluation import StoppingCriterion, are_finite, evaluate

SAMPLES = 300


@pytest.fixture(scope="module")
def networks():
    generators = [generator_for("evaluation", seed) for seed in range(4)]
    return initialize_fully_connected((16, 8, 3), "relu", generators)


@pytest.fixture(scope="module")
def data():
    return blobs(train=SAMPLES)


def slow_performance(network, data, loss):
    logits = network.logits(data.train_inputs)[0]
    right = (logits.argmax(1) == data.train_labels).double().mean().item()
    return slow_trainer.LOSSES[loss](logits.double(), data.train_labels).item(), right


def criterion_of(data, **hyperparameters):
    hyperparameters = Hyperparameters(dataset="blobs", **hyperparameters)
    return StoppingCriterion(hyperparameters, data.train_inputs.flatten(1), data.train_labels)


def test_losses_and_accuracies_are_those_of_each_network_alone(networks, data):
    losses, accuracies = evaluate(networks, data.train_inputs.flatten(1), data.train_labels)
    for position, network in enumerate(networks):
        loss, accuracy = slow_performance(network, data, "cross_entropy")
        assert losses[position].item() == pytest.approx(loss, rel=1e-6)
        assert accuracies[position].item() == accuracy


def test_a_network_without_finite_logits_has_no_accuracy(networks, data):
    broken = networks.map(torch.clone)
    broken.weights[1][2, 0, 0] = torch.nan
    losses, accuracies = evaluate(broken, data.train_inputs.flatten(1), data.train_labels)
    assert losses.isfinite().tolist() == accuracies.isfinite().tolist() == [True, True, False, True]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_weight_that_is_not_finite_is_found(networks, value):
    broken = networks.map(torch.clone)
    broken.weights[0][1, 3, 5] = value
    broken.weights[1][3, 0, 7] = value
    assert are_finite(broken).tolist() == [True, False, True, False]


def test_running_statistics_count_among_the_numbers_of_a_network():
    generators = [generator_for("statistics", seed) for seed in range(3)]
    networks = initialize_fully_connected((16, 8, 3), "relu", generators, normalized=True)
    networks.normalizations[0].mean[1, 4] = torch.nan
    networks.normalizations[0].variance[2, 5] = torch.inf
    assert are_finite(networks).tolist() == [True, False, False]


@pytest.mark.parametrize("first", [0, 111, SAMPLES - 1])
@pytest.mark.parametrize("trained_with", ["cross_entropy", "squared"])
def test_criterion_is_that_of_the_whole_set(networks, data, trained_with, first):
    performances = [slow_performance(network, data, trained_with) for network in networks]
    # Thresholds on both sides of, and exactly at, what networks reach.
    losses = [None, *(loss * factor for loss, _ in performances for factor in (0.999, 1.001))]
    accuracies = [None, *(accuracy + more for _, accuracy in performances for more in (0, 1e-3))]
    for loss, accuracy in product(losses, accuracies):
        criterion = criterion_of(
            data, stop_at_accuracy=accuracy, stop_at_loss=loss, loss=trained_with
        )
        criterion.first = first
        expected = [
            (loss is not None or accuracy is not None)
            and (loss is None or its_loss <= loss)
            and (accuracy is None or its_accuracy >= accuracy)
            for its_loss, its_accuracy in performances
        ]
        assert criterion.is_met(networks).tolist() == expected


def test_an_accuracy_is_reached_by_itself():
    # In float64, 0.29 · 100 is 28.999999999999996.
    for count in range(1, 120):
        inputs, labels = torch.zeros(count, 1), torch.zeros(count, dtype=torch.long)
        for right in range(1, count + 1):
            hyperparameters = Hyperparameters(dataset="blobs", stop_at_accuracy=right / count)
            ((_, allowed),) = StoppingCriterion(hyperparameters, inputs, labels).budgets
            assert allowed == count - right


def test_next_look_begins_where_the_last_one_ended(networks):
    data, network, hard = blobs(train=SAMPLES), networks[:1], 250
    answers = network.logits(data.train_inputs)[0].argmax(1)
    data.train_labels.copy_(answers)
    data.train_labels[hard] = (answers[hard] + 1) % 3
    criterion = criterion_of(data)
    assert not criterion.is_met(network).any()
    assert criterion.first <= hard
    assert criterion.first > 0
    data.train_labels[hard] = answers[hard]
    assert criterion.is_met(network).all()
