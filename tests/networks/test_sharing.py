import pytest
import torch

from generalization.errors import NoValue, warn_of_method, warn_of_no_value
from generalization.measures.features import label_wise_mixup_error, mixup_margin
from generalization.measures.fisher_rao_norm import fisher_rao_norm
from generalization.measures.gauss_newton_trace import gauss_newton_trace
from generalization.measures.gradient_norm import gradient_norm, sample_gradient_norm
from generalization.measures.margins import training_margin
from generalization.measures.predictions import confidence_error, prediction_nuclear_norm
from generalization.measures.spectra import log_alpha_norm
from generalization.measures.takeuchi import tic_of_diagonals, tic_of_traces
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.sharing import once, sharing_results
from generalization.randomness import generator_for


def counted():
    """Return a function, and the list of all arguments that it was called with."""
    calls = []

    def total(*tensors):
        calls.append(tensors)
        return sum(tensor.sum() for tensor in tensors)

    return total, calls


def test_results_are_computed_once_within_a_job():
    total, calls = counted()
    values, results = torch.arange(6.0), {}
    precise = values.double()
    for _ in range(2):
        with sharing_results(results):
            assert once(total, values[:4]) == 6
            assert once(total, values[:4]) == 6
            assert once(total, values[:5]) == 10
            assert once(total, precise[:4]) == 6
    assert len(calls) == 3


def test_what_a_function_warned_of_is_said_to_all_who_ask():
    def without_value(number):
        warn_of_no_value(f"{number} is too few")
        warn_of_method("sampled", "at one point")
        return number

    with sharing_results({}):
        for _ in range(3):
            with pytest.warns() as told:
                assert once(without_value, 1) == 1
            no_value, how = (one.message for one in told)
            assert isinstance(no_value, NoValue)
            assert (str(no_value), how.method) == ("1 is too few", "sampled")


def test_nothing_is_shared_outside_a_job_or_between_jobs():
    total, calls = counted()
    values = torch.arange(6.0)
    for count in (1, 2):
        assert once(total, values) == 15
        assert len(calls) == count
    for count in (3, 4):
        with sharing_results({}):
            once(total, values)
        assert len(calls) == count


def test_tensors_changed_in_place_are_other_tensors():
    total, _ = counted()
    values = torch.arange(6.0)
    with sharing_results({}):
        assert once(total, values) == 15
        values += 1
        assert once(total, values) == 21


def test_memory_that_is_used_again_is_not_mistaken():
    total, _ = counted()
    with sharing_results({}):
        for number in range(20):
            assert once(total, torch.full((50,), float(number))) == 50 * number


def test_networks_are_recognized_by_their_tensors_and_their_activation():
    calls = []

    def number(networks):
        calls.append(networks)
        return len(calls)

    generators = [generator_for("network", seed) for seed in range(2)]
    relu = initialize_fully_connected((3, 4, 2), "relu", generators)
    tanh = initialize_fully_connected((3, 4, 2), "tanh", generators)
    same = relu[:]
    other = type(relu)(relu.weights, "tanh", relu.biases)
    module = torch.nn.Linear(3, 2)
    with sharing_results({}):
        assert [once(number, one) for one in (relu, same, relu[:1], other, tanh)] == [1, 1, 2, 3, 4]
        assert [once(number, module), once(number, module)] == [5, 5]
        with torch.no_grad():
            module.weight += 1
        assert once(number, module) == 6


def test_measures_that_share_are_the_same_bits():
    generators = [generator_for("network", seed) for seed in range(3)]
    networks = initialize_fully_connected((6, 60, 55, 4), "relu", generators)
    inputs = torch.randn(40, 6, generator=generator_for("inputs"))
    labels = torch.arange(40) % 4
    calls = [
        lambda: confidence_error(networks, inputs),
        lambda: prediction_nuclear_norm(networks, inputs),
        lambda: sample_gradient_norm(networks, inputs, labels),
        lambda: gradient_norm(networks, inputs, labels),
        lambda: gauss_newton_trace(networks, inputs),
        lambda: tic_of_traces(networks, inputs, labels),
        lambda: tic_of_diagonals(networks, inputs, labels, train_samples=30),
        lambda: log_alpha_norm(networks),
        lambda: training_margin(networks, inputs, labels),
        lambda: fisher_rao_norm(networks, inputs),
        lambda: label_wise_mixup_error(networks, inputs, labels),
        lambda: mixup_margin(networks, inputs, labels),
    ]
    alone = [call() for call in calls]
    with sharing_results({}):
        together = [call() for call in calls]
        again = [call() for call in calls]
    for first, second, third in zip(alone, together, again, strict=True):
        assert torch.equal(first, second)
        assert torch.equal(first, third)
