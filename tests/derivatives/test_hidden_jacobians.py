import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.func import jacrev, vmap
from torch.testing import assert_close

from generalization.derivatives.hidden_jacobians import hidden_jacobian_norms
from generalization.devices import BUDGETS, Budget
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS

PIECEWISE_LINEAR = [name for name, phi in ACTIVATION_FUNCTIONS.items() if phi.piecewise_linear]


def points(count, features):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("block_bytes", [1, 2**20])
@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
@pytest.mark.parametrize("widths", [(9, 7, 4), (9, 7, 8, 6, 4), (5, 7, 8, 2)])
def test_equals_autograd(widths, activation, block_bytes, monkeypatch):
    monkeypatch.setitem(BUDGETS, "hidden_jacobians", Budget(block_bytes, block_bytes))
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


def test_units_that_are_not_active_may_have_any_weight():
    """As may the rows and columns that stand for them where points have different numbers."""
    weights = list(random_networks((6, 5, 4, 3, 2)).weights[:-1])
    slopes = [torch.tensor([[[1, 0, 1, 1, 0], [0, 0, 0, 1, 0]]]), torch.ones(1, 2, 4)]
    slopes = [slope.double() for slope in [*slopes, torch.ones(1, 2, 3)]]
    expected = hidden_jacobian_norms(weights, slopes)
    weights[1] = weights[1] + 1e200 * torch.tensor([0, 1, 0, 0, 1]).double()
    assert_close(hidden_jacobian_norms(weights, slopes), expected, rtol=0, atol=0)


def test_order_of_points_does_not_matter(monkeypatch):
    monkeypatch.setitem(BUDGETS, "hidden_jacobians", Budget(3 * 8 * 8**2, 3 * 8 * 8**2))
    networks, inputs = random_networks((9, 8, 8, 8, 3), count=2, biases=True), points(20, 9)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))

    def norms(inputs):
        hidden = [torch.relu(z) for z in networks.preactivations(inputs)[:-1]]
        return hidden_jacobian_norms(networks.weights[:-1], [a.sign() for a in hidden])

    assert_close(norms(inputs[order]), norms(inputs)[:, order], rtol=1e-13, atol=0)
