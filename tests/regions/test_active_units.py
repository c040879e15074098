from itertools import product

import pytest
import torch
from oracles.softmax_jacobian import random_networks

from generalization.regions import active_units as module
from generalization.regions.active_units import active_units

SLOPED = {
    "relu": lambda z: z > 0,
    "relu6": lambda z: (z > 0) & (z < 6),
    "hardtanh": lambda z: z.abs() < 1,
    "hardsigmoid": lambda z: z.abs() < 0.5,
}


def points(count, features):
    generator = torch.Generator().manual_seed(1)
    return 3 * torch.randn(count, features, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", SLOPED)
def test_units_with_a_slope_are_counted(activation, biases):
    networks = random_networks((9, 7, 8, 6, 4), activation, count=2, biases=biases)
    inputs = points(20, 9)
    expected = [SLOPED[activation](z).sum(-1) for z in networks.preactivations(inputs)[:-1]]
    assert torch.equal(active_units(networks, inputs), torch.stack(expected, dim=-1))


def test_their_product_is_the_number_of_active_paths():
    networks = random_networks((5, 3, 4, 2, 2), biases=True)
    inputs = points(10, 5)
    signs = [z[0] > 0 for z in networks.preactivations(inputs)[:-1]]
    paths = [
        sum(
            all(layer[point, unit] for layer, unit in zip(signs, path, strict=True))
            for path in product(range(3), range(4), range(2))
        )
        for point in range(10)
    ]
    assert active_units(networks, inputs)[0].prod(-1).tolist() == paths
    assert len(set(paths)) > 3


def test_size_of_chunks_changes_nothing(monkeypatch):
    networks, inputs = random_networks((4, 5, 3, 2), count=2), points(10, 4).reshape(10, 1, 2, 2)
    expected = active_units(networks, inputs)
    monkeypatch.setattr(module, "SLOPES_PER_CHUNK", 3)
    assert torch.equal(active_units(networks, inputs), expected)
    assert expected.shape == (2, 10, 2)
