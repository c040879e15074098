import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.func import jacrev, vmap
from torch.testing import assert_close

from generalization.networks import hidden_jacobians
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.hidden_jacobians import hidden_jacobian_norms


def points(count, features):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("block_bytes", [1, 2**20])
@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
@pytest.mark.parametrize("widths", [(9, 7, 4), (9, 7, 8, 6, 4), (5, 7, 8, 2)])
def test_equals_autograd(widths, activation, block_bytes, monkeypatch):
    monkeypatch.setattr(hidden_jacobians, "CPU_BLOCK_BYTES", block_bytes)
    networks = random_networks(widths, activation, count=2, biases=True)
    inputs = points(11, widths[0])
    phi = networks.phi
    hidden = [phi.function(z) for z in networks.preactivations(inputs)[:-1]]
    norms = hidden_jacobian_norms(networks.weights[:-1], [phi.derivative(a) for a in hidden])
    assert norms.shape == (2, 11, len(hidden))
    for layer in range(len(hidden)):

        def activations(x, layer=layer):
            return phi.function(networks.preactivations(x[None])[layer])[:, 0]

        jacobians = vmap(jacrev(activations))(inputs)
        assert_close(norms[..., layer], jacobians.norm(dim=-1).norm(dim=-1).T, rtol=1e-12, atol=0)


def test_no_active_unit_gives_zero_from_there_on():
    weights = random_networks((6, 5, 4, 3, 2)).weights[:-1]
    slopes = [torch.ones(1, 2, 5), torch.zeros(1, 2, 4), torch.ones(1, 2, 3)]
    norms = hidden_jacobian_norms(weights, [slope.double() for slope in slopes])
    assert_close(norms[..., 0], weights[0].norm().expand(1, 2))
    assert norms[..., 1:].tolist() == [[[0, 0], [0, 0]]]
