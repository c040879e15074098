import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.func import jacrev, vmap
from torch.testing import assert_close

from generalization.derivatives.preactivation_jacobians import (
    preactivation_gradient_norms,
    without_features,
)
from generalization.devices import BUDGETS, Budget


def points(count, features):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


def norms_of(networks, inputs):
    hidden = [networks.phi.function(z) for z in networks.preactivations(inputs)[:-1]]
    slopes = [networks.phi.derivative(a) for a in hidden]
    return preactivation_gradient_norms(networks.weights[:-1], slopes)


@pytest.mark.parametrize("block_bytes", [1, 1500, 2**22])
@pytest.mark.parametrize("activation", ["relu", "hardtanh", "tanh"])
@pytest.mark.parametrize("widths", [(9, 7, 4), (9, 7, 8, 6, 4), (5, 7, 8, 2)])
def test_equals_autograd(widths, activation, block_bytes, monkeypatch):
    monkeypatch.setitem(BUDGETS, "preactivation_jacobians", Budget(block_bytes, block_bytes))
    networks = random_networks(widths, activation, count=2, biases=True)
    inputs = points(11, widths[0])
    norms = norms_of(networks, inputs)
    assert len(norms) == len(widths) - 2
    for layer, norm in enumerate(norms):

        def preactivations(x, layer=layer):
            return networks.preactivations(x[None])[layer][:, 0]

        jacobians = vmap(jacrev(preactivations))(inputs)
        assert_close(norm, jacobians.norm(dim=-1).movedim(0, 1), rtol=1e-12, atol=1e-14)


def test_units_above_a_dead_layer_do_not_change_with_the_input():
    networks = random_networks((6, 5, 4, 3))
    networks.weights[0].copy_(-networks.weights[0].abs())
    first, second = norms_of(networks, points(2, 6).abs())
    assert (first > 0).all()
    assert second.tolist() == [[[0, 0, 0, 0], [0, 0, 0, 0]]]


def test_small_weights_do_not_underflow():
    networks = random_networks((9, 7, 8, 6, 4), dtype=torch.float32)
    inputs = points(5, 9).float()
    scaled = norms_of(networks.map(lambda weight: 1e-10 * weight), inputs)
    for layer, (norm, small) in enumerate(zip(norms_of(networks, inputs), scaled, strict=True)):
        assert_close(small, 1e-10 ** (layer + 1) * norm, rtol=1e-5, atol=0)


def test_no_hidden_layer():
    assert norms_of(random_networks((9, 4)), points(3, 9)) == []


@pytest.mark.parametrize("features", [3, 8, 30])
def test_matrix_without_features_has_the_norms_of_the_weights(features):
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(8, features, generator=generator, dtype=torch.float64)
    rows = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    without = without_features(weight)
    assert without.shape == (8, min(8, features))
    assert_close((rows @ without).norm(dim=1), (rows @ weight).norm(dim=1))
