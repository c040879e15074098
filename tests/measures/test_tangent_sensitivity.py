from itertools import pairwise
from math import prod

import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, logit_jacobians, random_networks
from oracles.tangent_sensitivity import second_derivatives, tangent_sensitivities
from torch import nn
from torch.func import functional_call, jacrev, vmap
from torch.testing import assert_close

from generalization.derivatives import layer_sensitivities
from generalization.devices import BUDGETS, Budget
from generalization.errors import InputError
from generalization.measures.jacobian_norm import logit_jacobian_norm
from generalization.measures.tangent_sensitivity import (
    estimated_tangent_sensitivity,
    tangent_sensitivity,
)
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)

PIECEWISE_LINEAR = [name for name, phi in ACTIVATION_FUNCTIONS.items() if phi.piecewise_linear]
REDUCTIONS = ["sum", "full", 0, 1]


def points(count, features, *, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, features, generator=generator, dtype=dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def with_weights(networks, *weights):
    return FullyConnectedNetworks(weights, networks.activation, networks.biases)


def gradients_by_weights(module, inputs):
    """∂f/∂θ of every point by name of the parameter."""
    parameters = dict(module.named_parameters())
    of_point = jacrev(lambda parameters, x: functional_call(module, parameters, (x[None],))[0])
    return vmap(lambda x: of_point(parameters, x))(inputs)


def assert_within_standard_error(draws, expected):
    """Means over the first axis are the expected values, to 4 standard errors."""
    error = (draws.mean(0) - expected).abs()
    assert (error <= 4 * draws.std(0) / len(draws) ** 0.5 + 1e-12).all()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
@pytest.mark.parametrize("widths", [(9, 4), (9, 7, 4), (9, 7, 8, 6, 4), (5, 7, 8, 2)])
def test_closed_form_equals_autograd(widths, activation, biases, reduction):
    networks = random_networks(widths, activation, count=2, biases=biases)
    inputs = points(7, widths[0])
    expected = [tangent_sensitivities(PlainNetwork(networks, r), inputs, reduction) for r in (0, 1)]
    values = tangent_sensitivity(networks, inputs, reduction=reduction)
    assert_close(values, torch.stack(expected), rtol=1e-12, atol=0)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("activation", "alone"), [("tanh", False), ("tanh", True), ("relu", True)])
def test_square_of_the_estimate_is_unbiased(activation, alone, reduction):
    networks = random_networks((5, 6, 7, 3), activation, biases=True)
    module, inputs = PlainNetwork(networks), points(3, 5)
    expected = tangent_sensitivities(module, inputs, reduction).square()
    estimate = tangent_sensitivity(
        module if alone else networks,
        inputs.repeat(1000, 1),
        seeded(),
        reduction=reduction,
        probes=1,
    )
    assert_within_standard_error(estimate.square().view(1000, 3), expected)


def test_more_probes_give_the_mean_of_their_squares():
    networks = random_networks((5, 6, 3), "tanh", count=2)
    inputs, generator = points(4, 5), seeded(3)
    one_by_one = [tangent_sensitivity(networks, inputs, generator, probes=1) for _ in range(6)]
    together = tangent_sensitivity(networks, inputs, seeded(3), probes=6)
    assert_close(together, torch.stack(one_by_one).square().mean(0).sqrt())


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("biases", [False, True])
def test_module_gives_the_estimate_of_a_tanh_stack(biases, reduction):
    networks = random_networks((9, 7, 8, 4), "tanh", count=2, biases=biases)
    inputs = points(300, 9).reshape(300, 1, 3, 3)
    expected = tangent_sensitivity(networks, inputs, seeded(), reduction=reduction, probes=3)
    for member in (0, 1):
        module = PlainNetwork(networks, member)
        values = tangent_sensitivity(module, inputs, seeded(), reduction=reduction, probes=3)
        assert_close(values, expected[[member]], rtol=1e-11, atol=0)


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_module_gives_the_closed_form(activation):
    networks = random_networks((6, 8, 5, 4), activation, biases=True)
    inputs = points(10, 6)
    module = PlainNetwork(networks)
    estimate = tangent_sensitivity(module, inputs.repeat(2000, 1), seeded(), probes=1)
    expected = tangent_sensitivity(networks, inputs)[0].square()
    assert_within_standard_error(estimate.square().view(2000, 10), expected)


def images_and_sequence(*last):
    """A module in training mode whose running statistics have moved."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Dropout()]
    module, inputs = nn.Sequential(*layers, *last).double(), points(2, 50).reshape(2, 2, 5, 5)
    module(inputs)
    return inputs, module


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_sequence_is_exact_in_eval_mode(reduction):
    inputs, module = images_and_sequence(nn.Linear(27, 3))
    values = tangent_sensitivity(module, inputs, reduction=reduction)
    assert module.training
    assert all(parameter.grad is None for parameter in module.parameters())
    expected = tangent_sensitivities(module.eval(), inputs, reduction)
    assert_close(values[0], expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("last", [nn.Tanh, nn.Identity])
def test_estimate_of_convolutions_and_batch_normalization_in_eval_mode(last):
    inputs, module = images_and_sequence(nn.Linear(27, 3), last())
    repeats = inputs.repeat(500, 1, 1, 1)
    estimate, error = estimated_tangent_sensitivity(module, repeats, seeded(), probes=2)
    assert module.training
    assert estimate.shape == error.shape == (1, 1000)
    assert not estimate.requires_grad
    assert all(parameter.grad is None for parameter in module.parameters())
    expected = tangent_sensitivities(module.eval(), inputs)
    assert_within_standard_error(estimate.square().view(500, 2), expected.square())


def test_estimate_of_a_stack_has_the_error_that_its_spread_shows():
    networks, inputs = random_networks((9, 7, 8, 4), count=2), points(3, 9).repeat(400, 1)
    estimate, error = estimated_tangent_sensitivity(networks, inputs, seeded(), probes=32)
    estimate, error = estimate.view(2, 400, 3), error.view(2, 400, 3)
    expected = tangent_sensitivity(networks, inputs[:3]).unsqueeze(1)
    assert_within_standard_error(estimate.square().mT.flatten(0, 1).T, expected.square().flatten())
    assert_close(error.square().mean(1).sqrt(), estimate.std(1), rtol=0.15, atol=0)


def test_two_linear_layers():
    first, second = points(6, 5), points(1, 6, seed=2)
    biases = (torch.full((1, 6), 100.0).double(), torch.zeros(1, 1).double())  # All units active.
    networks = FullyConnectedNetworks((first[None], second[None]), "relu", biases)
    expected = (5 * second.square().sum() + first.square().sum()).sqrt()
    assert_close(tangent_sensitivity(networks, points(3, 5))[0], expected.expand(3))


def test_definition_contracted_with_weights_or_inputs_gives_first_derivatives():
    module, inputs = PlainNetwork(random_networks((5, 6, 7, 3))), points(4, 5)
    parameters = dict(module.named_parameters())
    by_input, by_weights = logit_jacobians(module, inputs), gradients_by_weights(module, inputs)
    for name, block in second_derivatives(module, inputs).items():
        assert_close(torch.einsum("nkijx,ij->nkx", block, parameters[name]), by_input)
        assert_close(torch.einsum("nkijx,nx->nkij", block, inputs), by_weights[name])


@pytest.mark.parametrize("widths", [(9, 4), (9, 7, 8, 6, 4)])
def test_at_least_what_the_norms_of_first_derivatives_demand(widths):
    networks = random_networks(widths, count=3)
    inputs = points(20, 9)
    squares = tangent_sensitivity(networks, inputs, reduction="full").square()
    by_weights = sum(1 / weight.square().sum((1, 2)) for weight in networks.weights)
    by_input = logit_jacobian_norm(networks, inputs).square()
    assert (squares >= (1 - 1e-12) * by_input * by_weights[:, None]).all()
    for member in range(3):
        gradients = gradients_by_weights(PlainNetwork(networks, member), inputs).values()
        gradient_squares = sum(gradient.flatten(1).square().sum(1) for gradient in gradients)
        assert (squares[member] >= (1 - 1e-12) * gradient_squares / inputs.square().sum(1)).all()


def test_rescaling_two_layers_changes_it_though_not_the_function():
    networks = random_networks((9, 7, 8, 4))
    first, second, third = networks.weights
    rescaled = with_weights(networks, 3 * first, second / 3, third)
    inputs = points(5, 9)
    assert_close(rescaled.logits(inputs), networks.logits(inputs))
    blocks = second_derivatives(PlainNetwork(networks), inputs).values()
    squares = [block.sum(1).flatten(1).square().sum(1) for block in blocks]
    expected = squares[0] / 9 + 9 * squares[1] + squares[2]
    assert_close(tangent_sensitivity(rescaled, inputs)[0], expected.sqrt())


def test_depends_on_the_activation_pattern_only():
    networks = random_networks((9, 7, 8, 4), count=2, biases=True)
    inputs = points(20, 9)
    near = inputs + 1e-6 * points(20, 9, seed=2)
    patterns = [[z > 0 for z in networks.preactivations(x)[:-1]] for x in (inputs, near)]
    assert all(torch.equal(*layer) for layer in zip(*patterns, strict=True))
    values = tangent_sensitivity(networks, inputs)
    assert_close(tangent_sensitivity(networks, near), values, rtol=1e-14, atol=0)
    assert len(values[0].unique()) > 10


def test_scale_of_the_input_does_not_matter_without_biases():
    networks = random_networks((9, 7, 8, 4))
    inputs = points(20, 9)
    assert_close(tangent_sensitivity(networks, 5 * inputs), tangent_sensitivity(networks, inputs))


def test_equal_positive_weights_attain_the_bound_by_counting_paths():
    widths, weight = (5, 4, 3, 6, 2), 0.3
    weights = (
        torch.full((1, fan_out, fan_in), weight, dtype=torch.float64)
        for fan_in, fan_out in pairwise(widths)
    )
    depth = len(widths) - 1
    bound = 0
    for layer in range(1, depth + 1):
        paths = prod(widths[m] for m in range(1, depth + 1) if m not in (layer, layer - 1))
        entries = widths[layer] * (widths[layer - 1] if layer > 1 else 1) * widths[0]
        bound += entries * paths**2 * weight ** (2 * (depth - 1))
    value = tangent_sensitivity(FullyConnectedNetworks(tuple(weights), "relu"), points(1, 5).abs())
    assert value.item() == pytest.approx(bound**0.5, rel=1e-14)


@pytest.mark.parametrize("reduction", ["sum", "full", 2])
def test_mean_square_at_he_initialization_is_the_number_of_units_below_the_logits(reduction):
    widths = (20, 10, 12, 8, 3)
    networks = initialize_fully_connected(widths, "relu", [seeded(seed) for seed in range(1000)])
    squares = tangent_sensitivity(networks, points(1, 20).float(), reduction=reduction).square()
    outputs = 1 if reduction == 2 else 3
    assert_within_standard_error(squares, torch.tensor([outputs * sum(widths[:-1])]))
    assert squares.std() / 1000**0.5 < 0.05 * squares.mean()


@pytest.mark.parametrize("block_bytes", [1, 1000, 10000])
@pytest.mark.parametrize("widths", [(9, 4), (9, 7, 8, 6, 4), (5, 7, 8, 2)])
def test_size_of_blocks_changes_nothing(widths, block_bytes, monkeypatch):
    networks = random_networks(widths, "relu6", count=3, biases=True)
    inputs = points(33, widths[0])
    expected = tangent_sensitivity(networks, inputs)
    monkeypatch.setitem(BUDGETS, "hidden_jacobians", Budget(block_bytes, block_bytes))
    monkeypatch.setattr(layer_sensitivities, "SLOPES_PER_CHUNK", 10)
    assert_close(tangent_sensitivity(networks, inputs), expected, rtol=1e-13, atol=0)


def test_float32_is_enough():
    networks = random_networks((90, 40, 50, 10), count=2, biases=True, dtype=torch.float32)
    inputs = points(100, 90, dtype=torch.float32)
    expected = tangent_sensitivity(networks.to(torch.float64), inputs.double())
    assert_close(tangent_sensitivity(networks, inputs), expected, rtol=2e-6, atol=0)


@pytest.mark.parametrize("scale", [1e-10, 1e-3, 1e8])
def test_scale_of_the_weights_neither_underflows_nor_overflows(scale):
    networks = random_networks((9, 7, 8, 6, 4), dtype=torch.float32)
    inputs = points(20, 9, dtype=torch.float32)
    scaled = networks.map(lambda weight: scale * weight)
    expected = scale**3 * tangent_sensitivity(networks, inputs)
    assert_close(tangent_sensitivity(scaled, inputs), expected, rtol=1e-5, atol=0)


def test_dead_and_constant_networks():
    networks = random_networks((6, 5, 4), biases=True)
    dead = FullyConnectedNetworks(
        networks.weights, "relu", (networks.biases[0] - 100, networks.biases[1])
    )
    constant = with_weights(networks, networks.weights[0], 0 * networks.weights[1])
    inputs = points(3, 6)
    assert tangent_sensitivity(dead, inputs).tolist() == [[0, 0, 0]]
    expected = tangent_sensitivities(PlainNetwork(constant), inputs)
    assert (expected > 0).all()
    assert_close(tangent_sensitivity(constant, inputs)[0], expected)


@pytest.mark.parametrize("weight", [torch.inf, 1e110])
def test_network_whose_logits_are_not_finite_has_no_value(weight):
    networks = random_networks((6, 5, 5, 4), count=2)
    for layer in networks.weights:
        layer[1] = weight
    values = tangent_sensitivity(networks, points(3, 6).abs())
    assert values[0].isfinite().all()
    assert values[1].isnan().all()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_no_points_give_no_norms(activation):
    networks = random_networks((9, 7, 6, 4), activation, count=2)
    assert tangent_sensitivity(networks, points(0, 9), seeded()).shape == (2, 0)


@pytest.mark.parametrize("reduction", ["mean", 4, -1, True])
def test_unknown_reduction(reduction):
    message = rf"^reduction must be 'sum', 'full' or a logit from 0 to 3, not {reduction!r}\.$"
    with pytest.raises(InputError, match=message):
        tangent_sensitivity(random_networks((6, 5, 4)), points(3, 6), reduction=reduction)


def test_estimate_needs_a_generator_and_probes():
    networks, inputs = random_networks((6, 5, 4), "tanh"), points(3, 6)
    message = r"^generator must be given where probes estimate, as for tanh, not None\.$"
    with pytest.raises(InputError, match=message):
        tangent_sensitivity(networks, inputs)
    with pytest.raises(
        InputError, match=r"^tangent_sensitivity: probes must be at least 1, not 0\.$"
    ):
        tangent_sensitivity(PlainNetwork(networks), inputs, seeded(), probes=0)
    with pytest.raises(
        InputError, match=r"^probes must be at least 2 for a standard error, not 1\.$"
    ):
        estimated_tangent_sensitivity(networks, inputs, seeded(), probes=1)


@pytest.mark.parametrize("last", [nn.ReLU, nn.Tanh])
def test_points_of_a_module_must_not_be_coupled(last):
    module = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3, track_running_stats=False), last())
    message = (
        r"^tangent_sensitivity: networks must normalize batches by running statistics, since those "
        r"of a batch couple its points, not by BatchNorm1d without\.$"
    )
    with pytest.raises(InputError, match=message):
        tangent_sensitivity(module.double(), points(3, 6), seeded())
