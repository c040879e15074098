import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks

from generalization.measures.weight_norm import distance_from_initialization, weight_norm


def test_zero_from_itself():
    networks = random_networks((9, 7, 4), count=2)
    assert distance_from_initialization(networks, networks).tolist() == [0, 0]


def test_every_weight_moved_by_the_same():
    networks = random_networks((9, 7, 4), count=2, biases=True)
    moved = networks.map(
        lambda parameter: (
            parameter + torch.tensor([0.5, 2.0])[:, None, None]
            if parameter.dim() == 3
            else parameter + 10
        )
    )
    expected = [0.5 * (63 + 28) ** 0.5, 2 * (63 + 28) ** 0.5]
    assert distance_from_initialization(moved, networks).tolist() == pytest.approx(expected)


def test_distance_from_the_origin_is_the_norm():
    networks = random_networks((9, 7, 4), count=2)
    origin = networks.map(torch.zeros_like)
    distance = distance_from_initialization(networks, origin)
    assert distance.tolist() == pytest.approx(weight_norm(networks).tolist())


def test_symmetric_and_equal_for_modules():
    networks = random_networks((9, 7, 4), count=2)
    one, other = networks[:1], networks[1:]
    distance = distance_from_initialization(one, other).item()
    assert distance == distance_from_initialization(other, one).item()
    by_module = distance_from_initialization(PlainNetwork(networks, 0), PlainNetwork(networks, 1))
    assert by_module.item() == pytest.approx(distance)


def test_other_architecture_is_refused():
    message = (
        r"^initial_networks must have weights of shapes \[\(1, 7, 9\), \(1, 4, 7\)\], "
        r"not \[\(1, 8, 9\), \(1, 4, 8\)\]\.$"
    )
    with pytest.raises(ValueError, match=message):
        distance_from_initialization(random_networks((9, 7, 4)), random_networks((9, 8, 4)))
