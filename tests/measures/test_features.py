import math

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from sklearn.metrics import davies_bouldin_score
from torch import nn
from torch.testing import assert_close

from generalization.measures.features import (
    davies_bouldin_index,
    davies_bouldin_mixup,
    effective_rank,
    label_wise_mixup_error,
    mixup_margin,
    neural_collapse,
)
from generalization.measures.margins import normalized_margins
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import hidden_activations

OF_TRAINING = (neural_collapse, davies_bouldin_index, label_wise_mixup_error, mixup_margin)


def data(count=40):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, 5, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (count,), generator=generator)


def stack():
    return random_networks((5, 6, 4, 3), count=2, biases=True)


def passing(*points):
    """A network whose hidden activations are its inputs, which are positive, and these points."""
    width = len(points[0])
    weights = (torch.eye(width).double()[None], torch.ones(1, 2, width).double())
    return FullyConnectedNetworks(weights, "relu"), torch.tensor(points).double()


def test_effective_rank_of_equal_singular_values_is_their_number():
    assert effective_rank(*passing([1, 0, 0], [0, 1, 0], [0, 0, 1])).item() == pytest.approx(3)
    assert effective_rank(*passing([1, 2, 0], [2, 4, 0])).item() == pytest.approx(1)
    one_and_three = effective_rank(*passing([3, 0], [0, 1])).item()
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert one_and_three == pytest.approx(math.exp(entropy))
    assert effective_rank(*passing([0, 0], [0, 0])).isnan()


def test_collapse_is_the_trace_of_the_matrices():
    networks, (inputs, labels) = stack(), data()
    values = neural_collapse(networks, inputs, labels)
    for member, activations in enumerate(hidden_activations(networks, inputs)[-1]):
        means = torch.stack([activations[labels == k].mean(0) for k in range(3)])
        within = (activations - means[labels]).T @ (activations - means[labels]) / len(labels)
        between = (means - means.mean(0)).T @ (means - means.mean(0)) / 3
        expected = (within @ torch.linalg.pinv(between, rtol=1e-10)).trace() / 3
        assert values[member].item() == pytest.approx(expected.item(), rel=1e-9)


def test_collapsed_classes():
    networks, inputs = passing([1, 0], [1, 0], [0, 1], [0, 1])
    assert neural_collapse(networks, inputs, torch.tensor([0, 0, 1, 1])).item() == 0
    assert davies_bouldin_index(networks, inputs, torch.tensor([0, 0, 1, 1])).item() == 0
    apart = davies_bouldin_index(networks, inputs, torch.tensor([0, 1, 0, 1])).item()
    assert apart == math.inf


def test_davies_bouldin_index_of_the_first_layer_is_that_of_scikit_learn():
    networks, (inputs, labels) = stack(), data()
    values = davies_bouldin_index(networks, inputs, labels)
    for member, activations in enumerate(hidden_activations(networks, inputs)[0]):
        expected = davies_bouldin_score(activations.numpy(), labels.numpy())
        assert values[member].item() == pytest.approx(expected, rel=1e-12)


def test_mixups_are_midpoints_of_points_of_one_class():
    networks, (inputs, _) = stack(), data(5)
    labels = torch.tensor([0, 1, 0, 0, 1])
    mixed = (inputs + inputs[[2, 4, 3, 0, 1]]) / 2
    errors = label_wise_mixup_error(networks, inputs, labels)
    assert torch.equal(errors, (networks.logits(mixed).argmax(-1) != labels).double())
    expected = normalized_margins(networks, mixed, labels).nanquantile(0.5, dim=1).mean(1)
    assert_close(mixup_margin(networks, inputs, labels), expected)
    index = davies_bouldin_index(networks, inputs, labels)
    assert_close(davies_bouldin_mixup(networks, inputs, labels), index * errors.mean(1))


@pytest.mark.parametrize("measure", OF_TRAINING)
def test_first_training_inputs_are_used(measure):
    networks, (inputs, labels) = stack(), data()
    values = measure(networks, inputs, labels, train_samples=30)
    assert_close(values, measure(networks, inputs[:30], labels[:30]), equal_nan=True)
    with pytest.raises(ValueError, match=r"^train_samples must be at least 1, not 0\.$"):
        measure(networks, inputs, labels, train_samples=0)


@pytest.mark.parametrize("bottleneck", [1, 2, 3])
def test_collapse_of_few_directions_is_the_same_in_single_precision(bottleneck):
    """The means of five classes span as many directions as the bottleneck has units."""
    torch.manual_seed(0)
    layers = [nn.Linear(16, bottleneck), nn.ReLU(), nn.Linear(bottleneck, 20, bias=False)]
    module = nn.Sequential(*layers, nn.ReLU(), nn.Linear(20, 5))
    module[2].weight.data.abs_()
    inputs, labels = torch.randn(200, 16), torch.arange(200) % 5
    single = neural_collapse(module, inputs, labels).item()
    double = neural_collapse(module.double(), inputs.double(), labels).item()
    assert single == pytest.approx(double, rel=1e-5)
