import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from oracles.tangent_sensitivity import tangent_sensitivities
from torch.testing import assert_close

from generalization.derivatives.mixed_derivative import probed_mixed_derivative_norm


def normal(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def one_draw_at_a_time(networks, inputs, outputs, probes):
    generator = seeded()
    draws = [
        probed_mixed_derivative_norm(networks, inputs, outputs, generator, probes=1)[0].square()
        for _ in range(probes)
    ]
    return torch.stack(draws)


@pytest.mark.parametrize("alone", [False, True])
def test_estimate_and_error_are_those_of_the_mean_of_draws(alone):
    networks, inputs = random_networks((5, 6, 3), "tanh"), normal(4, 5)
    networks, outputs = PlainNetwork(networks) if alone else networks, torch.eye(3).double()
    squares = one_draw_at_a_time(networks, inputs, outputs, 7)
    norm, error = probed_mixed_derivative_norm(networks, inputs, outputs, seeded(), probes=7)
    assert_close(norm.square(), squares.mean(0))
    assert_close(error, squares.std(0) / 7**0.5 / (2 * norm))


def test_three_standard_errors_cover_the_norm():
    networks, inputs = random_networks((5, 6, 7, 3), "tanh", biases=True), normal(2, 5)
    expected = tangent_sensitivities(PlainNetwork(networks), inputs)
    outputs, repeats = torch.ones(1, 3).double(), inputs.repeat(2000, 1)
    norm, error = probed_mixed_derivative_norm(networks, repeats, outputs, seeded(), probes=64)
    distances = ((norm - expected.repeat(2000)) / error).abs()
    assert (distances <= 3).double().mean() > 0.98
    # One standard deviation contains 68 % of a normal distribution.
    assert 0.63 < (distances <= 1).double().mean() < 0.73


def test_no_error_where_nothing_is_random():
    networks = random_networks((5, 6, 3))
    dead = networks.map(lambda weight: 0 * weight)
    norm, error = probed_mixed_derivative_norm(
        dead, normal(4, 5), torch.ones(1, 3).double(), seeded(), probes=3
    )
    assert norm.tolist() == error.tolist() == [[0, 0, 0, 0]]


def test_single_draw_has_no_error():
    _, error = probed_mixed_derivative_norm(
        random_networks((5, 6, 3)), normal(4, 5), torch.ones(1, 3).double(), seeded(), probes=1
    )
    assert error.isnan().all()
