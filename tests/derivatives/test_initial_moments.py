from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork

from generalization.derivatives.initial_moments import (
    initial_variances,
    mean_square_gradient,
    variance_of_biases,
    wide_covariance,
    wide_sensitivity,
)
from generalization.hyperparameters import Hyperparameters
from generalization.measures.jacobian_norm import logit_jacobian_norm
from generalization.training.initialization import initial_networks

CHOSEN = {
    "he": {},
    "he, smaller": {"init_scale": 0.7},
    "torch": {"initialization": "uniform", "biases": True},
    "torch, no biases": {"initialization": "uniform"},
    "normal": {"initialization": "standard_normal", "biases": True},
    "normal, smaller": {"initialization": "standard_normal", "biases": True, "init_scale": 0.5},
}
NETWORKS = 4000


def hyperparameters(**chosen):
    return Hyperparameters(dataset="digits", **chosen)


def networks(widths, chosen, count=NETWORKS):
    return initial_networks(widths, hyperparameters(**chosen), range(count)).to(torch.float64)


def point(features, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, features, generator=generator, dtype=torch.float64)


def close(draws, expected):
    """Tell whether a mean is within four small standard errors of its expectation."""
    error = draws.std(correction=1).item() / len(draws) ** 0.5
    assert 4 * error < 0.35 * expected
    assert abs(draws.mean().item() - expected) < 4 * error


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("widths", [(9, 4), (6, 9, 7, 3)])
def test_drawn_weights_and_biases_have_these_variances(name, widths):
    chosen = hyperparameters(**CHOSEN[name])
    stack = initial_networks(widths, chosen, range(500))
    variances = initial_variances(widths, chosen)
    for layer, expected in zip(stack.weights, variances.weights, strict=True):
        assert layer.var().item() == pytest.approx(expected, rel=0.06)
    if stack.biases:
        for layer, expected in zip(stack.biases, variances.biases, strict=True):
            assert layer.var().item() == pytest.approx(expected, rel=0.15)
    else:
        assert variances.biases == [0] * (len(widths) - 1)


@pytest.mark.parametrize("name", CHOSEN)
def test_square_of_the_gradient_at_initialization(name):
    """F5, at small widths: exact at any."""
    widths, chosen = (6, 9, 7, 3), CHOSEN[name]
    squares = logit_jacobian_norm(networks(widths, chosen), 3 * point(6))[:, 0].square() / 3
    variances = initial_variances(widths, hyperparameters(**chosen))
    close(squares, mean_square_gradient(widths, variances))


def test_square_of_the_gradient_in_closed_form():
    """F5: He 2, torch 6^{1 − L} / 3, N(0, 1) d Π n_l / 2; whatever the widths, but for the last."""
    for widths in [(6, 9, 7, 3), (50, 2, 80, 10)]:
        squares = {
            name: mean_square_gradient(
                widths, initial_variances(widths, hyperparameters(**CHOSEN[name]))
            )
            for name in ("he", "torch", "normal")
        }
        product = widths[0] * np.prod([units / 2 for units in widths[1:-1]])
        expected = {"he": 2, "torch": 6**-2 / 3, "normal": product}
        assert squares == pytest.approx(expected)


@pytest.mark.parametrize("name", CHOSEN)
def test_variance_of_a_logit_is_that_of_its_gradient_and_of_biases(name):
    """Var f_k(x) = (‖x‖²/d) E‖∂f_k/∂x‖² + Σ over initial networks, exactly at any widths."""
    widths, chosen = (6, 9, 7, 3), CHOSEN[name]
    x = 2 * point(6)
    squares = networks(widths, chosen).logits(x)[:, 0].square().mean(-1)  # Their mean is 0.
    variances = initial_variances(widths, hyperparameters(**chosen))
    gradient = mean_square_gradient(widths, variances)
    expected = x.square().mean().item() * gradient + variance_of_biases(widths, variances)
    close(squares, expected)


def test_biases_add_what_layers_above_make_of_them():
    widths, chosen = (6, 9, 7, 3), CHOSEN["normal"]
    variances = initial_variances(widths, hyperparameters(**chosen))
    assert variance_of_biases(widths, variances) == 9 / 2 * 7 / 2 + 7 / 2 + 1
    without = initial_variances(widths, replace(hyperparameters(**chosen), biases=False))
    assert variance_of_biases(widths, without) == 0


def covariances(widths, chosen, x, other):
    """At two points, or at every pair of several."""
    squares, other_squares, products = x.square().sum(1), other.square().sum(1), (x * other).sum(1)
    moments = (moment.numpy() for moment in (squares, other_squares, products))
    return wide_covariance(widths, initial_variances(widths, hyperparameters(**chosen)), *moments)


@pytest.mark.parametrize("name", ["he", "he, smaller", "normal"])
def test_covariance_with_one_hidden_layer(name):
    """F6, exact at any width for normal weights."""
    widths, chosen = (6, 5, 3), CHOSEN[name]
    x, other = point(6), point(6) + 0.7 * point(6, seed=2)
    stack = networks(widths, chosen)
    products = (stack.logits(other) * stack.logits(x))[:, 0].mean(-1)
    close(products, covariances(widths, chosen, x, other).item())


@pytest.mark.parametrize("name", CHOSEN)
def test_covariance_of_a_point_with_itself_is_its_variance_at_any_widths(name):
    widths, chosen = (6, 9, 7, 3), CHOSEN[name]
    x, variances = 2 * point(6), initial_variances((6, 9, 7, 3), hyperparameters(**CHOSEN[name]))
    expected = x.square().mean().item() * mean_square_gradient(widths, variances)
    expected += variance_of_biases(widths, variances)
    assert covariances(widths, chosen, x, x).item() == pytest.approx(expected)


@pytest.mark.parametrize("distance", [0.3, 3.0])
def test_change_as_the_composition_of_arc_cosines(distance):
    """F6 for He without biases: (2/d) (‖x‖² + ‖x'‖² − 2 ‖x‖ ‖x'‖ κ(κ(cos)))."""
    x, other = point(6), point(6) + distance * point(6, seed=2)
    cosine = torch.cosine_similarity(x, other).item()
    for _ in range(2):
        angle = np.arccos(cosine)
        cosine = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    lengths = x.norm().item(), other.norm().item()
    expected = 2 / 6 * (lengths[0] ** 2 + lengths[1] ** 2 - 2 * lengths[0] * lengths[1] * cosine)
    both, first, second = (
        covariances((6, 9, 7, 3), {}, *pair).item() for pair in ((x, other), (x, x), (other, other))
    )
    assert first + second - 2 * both == pytest.approx(expected)


def test_variance_over_points_and_noise_by_all_pairs():
    """The definition, with a kernel of all points and noisy points: E_θ Var e = mean − mean mean.

    Of many features: products of noise with all else are what ``wide_sensitivity`` leaves out.
    """
    widths, chosen = (3000, 50, 40, 3), CHOSEN["normal"]
    variances = initial_variances(widths, hyperparameters(**chosen))
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((40, 3000)) + 1.5
    noise = np.linspace(0.5, 1.5, 40)
    both = np.concatenate([inputs, inputs + noise[:, None] * generator.standard_normal((40, 3000))])
    squares = np.square(both).sum(1)
    kernel = wide_covariance(
        widths, variances, *np.broadcast_arrays(squares[:, None], squares, both @ both.T)
    )
    change = np.concatenate([-np.eye(40), np.eye(40)])
    of_changes = change.T @ kernel @ change
    expected = of_changes.diagonal().mean() - of_changes.mean()
    found = wide_sensitivity(widths, variances, inputs, noise)
    assert found == pytest.approx(expected, rel=0.03)
    assert of_changes.mean() > 0.04 * expected  # It would be wrong without.


@pytest.mark.parametrize("name", CHOSEN)
def test_little_noise_has_the_sensitivity_of_the_gradient(name):
    widths = (60, 30, 20, 3)
    variances = initial_variances(widths, hyperparameters(**CHOSEN[name]))
    inputs = np.random.default_rng(0).standard_normal((20, 60))
    found = wide_sensitivity(widths, variances, inputs, np.full(20, 1e-5))
    assert found == pytest.approx(1e-10 * mean_square_gradient(widths, variances), rel=1e-3)


def test_wide_networks_with_noise_that_is_not_little():
    """Independent networks, whose logits too are hardly dependent."""
    widths, chosen = (100, 300, 300, 300, 10), CHOSEN["he"]
    generator = torch.Generator().manual_seed(1)
    x, noise = torch.randn(2, 300, 100, generator=generator, dtype=torch.float64)
    values = torch.cat([
        (PlainNetwork(one)(x + 0.7 * noise) - PlainNetwork(one)(x)).var(0, correction=0).detach()
        for one in networks(widths, chosen, count=12)
    ])
    variances = initial_variances(widths, hyperparameters(**chosen))
    expected = wide_sensitivity(widths, variances, x.numpy(), np.full(300, 0.7))
    close(values, expected)
    assert expected < 0.8 * 0.7**2 * mean_square_gradient(widths, variances)
