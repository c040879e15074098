import pytest
import torch

from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.randomness import generator_for


def stack(widths=(12, 7, 5, 3), activation="relu", seeds=(1, 2, 3), **settings):
    generators = [generator_for("test", seed) for seed in seeds]
    return initialize_fully_connected(widths, activation, generators, **settings)


TORCH_FUNCTIONS = {
    "relu": torch.nn.functional.relu,
    "relu6": torch.nn.functional.relu6,
    "tanh": torch.tanh,
    "hardtanh": torch.nn.functional.hardtanh,
    # Novak et al. 2018, §A.4: min(max(x + 0.5, 0), 1).
    "hardsigmoid": lambda z: torch.minimum(torch.maximum(z + 0.5, 0 * z), torch.ones_like(z)),
}


@pytest.mark.parametrize("name", ACTIVATION_FUNCTIONS)
def test_function_and_derivative_are_those_of_autograd(name):
    phi = ACTIVATION_FUNCTIONS[name]
    z = torch.linspace(-8, 8, 1001, dtype=torch.float64, requires_grad=True)
    a = TORCH_FUNCTIONS[name](z)
    torch.testing.assert_close(phi.function(z), a)
    (slope,) = torch.autograd.grad(a.sum(), z)
    bends = torch.tensor(phi.thresholds if phi.piecewise_linear else [])
    smooth = (z[:, None] - bends).abs().amin(1) > 1e-9 if len(bends) else torch.full_like(z, True)
    smooth = smooth.bool()
    torch.testing.assert_close(phi.derivative(a.detach())[smooth], slope[smooth])


@pytest.mark.parametrize("name", ["relu", "relu6", "hardtanh", "hardsigmoid"])
def test_slope_changes_at_thresholds_and_nowhere_else(name):
    phi = ACTIVATION_FUNCTIONS[name]
    z = torch.linspace(-8, 8, 4002, dtype=torch.float64)
    slopes = phi.derivative(phi.function(z))
    changes = z[1:][slopes.diff() != 0]
    torch.testing.assert_close(changes, torch.tensor(phi.thresholds).double(), atol=5e-3, rtol=0)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("name", ACTIVATION_FUNCTIONS)
def test_logits_are_those_of_layers_one_by_one(name, biases):
    networks = stack(activation=name, biases=biases)
    networks = networks.map(lambda p: p + 0.1 * torch.ones_like(p))
    inputs = torch.randn(9, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    logits = networks.logits(inputs)
    assert logits.shape == (3, 9, 3)
    for position, network in enumerate(networks):
        a = inputs.flatten(1)
        for layer in range(3):
            z = a @ network.weights[layer][0].T
            if biases:
                z = z + network.biases[layer][0]
            torch.testing.assert_close(networks.preactivations(inputs)[layer][position], z)
            a = TORCH_FUNCTIONS[name](z)
        torch.testing.assert_close(logits[position], z)


def test_a_network_does_not_depend_on_its_neighbors():
    both, alone = stack(seeds=(4, 9)), stack(seeds=(9,))
    for weights, weight in zip(both.weights, alone.weights, strict=True):
        assert torch.equal(weights[1:], weight)


@pytest.mark.parametrize(("name", "gain"), [("relu", 2), ("hardsigmoid", 2), ("tanh", 1)])
def test_initial_weights_are_normal_with_variance_gain_by_fan_in(name, gain):
    networks = stack((400, 500, 300), name, init_scale=2.0)
    for weight, fan_in in zip(networks.weights, (400, 500), strict=True):
        n = weight.numel()
        variance = 4 * gain / fan_in
        assert weight.mean().item() == pytest.approx(0, abs=5 * (variance / n) ** 0.5)
        assert weight.var().item() == pytest.approx(variance, rel=5 * (2 / n) ** 0.5)
        kurtosis = (weight.double() ** 4).mean().item() / variance**2
        assert kurtosis == pytest.approx(3, abs=5 * (96 / n) ** 0.5)


def test_uniform_weights_and_biases_are_within_one_by_root_of_fan_in():
    networks = stack((400, 500, 300), biases=True, init_scale=2.0, initialization="uniform")
    for weight, bias, fan_in in zip(networks.weights, networks.biases, (400, 500), strict=True):
        bound = 2 / fan_in**0.5
        for drawn in (weight.double(), bias.double()):
            n, largest = drawn.numel(), drawn.abs().max().item()
            assert bound * (1 - 20 / n) < largest <= bound
            assert drawn.mean().item() == pytest.approx(0, abs=5 * bound / (3 * n) ** 0.5)
            # The variance of u² is 1/5 − 1/9 = 4/45.
            deviation = 5 * bound**2 * (4 / 45 / n) ** 0.5
            assert drawn.square().mean().item() == pytest.approx(bound**2 / 3, abs=deviation)


def test_uniform_networks_begin_as_linear_layers_of_torch():
    networks, begun = stack(biases=True, initialization="uniform"), torch.get_rng_state()
    for position, seed in enumerate((1, 2, 3)):
        torch.set_rng_state(generator_for("test", seed).get_state())
        for layer, (fan_in, fan_out) in enumerate([(12, 7), (7, 5), (5, 3)]):
            linear = torch.nn.Linear(fan_in, fan_out)
            torch.testing.assert_close(networks.weights[layer][position], linear.weight.data)
            torch.testing.assert_close(networks.biases[layer][position], linear.bias.data)
    torch.set_rng_state(begun)


def test_shapes_are_reported():
    networks = stack((12, 7, 5, 3), biases=True)
    assert (len(networks), networks.depth, networks.widths) == (3, 3, (12, 7, 5, 3))
    assert [bias.abs().sum().item() for bias in networks.biases] == [0, 0, 0]
    assert len(networks[[0, 2]]) == 2
    assert isinstance(networks.to(torch.float64), FullyConnectedNetworks)


def test_one_network_is_not_a_position():
    with pytest.raises(
        TypeError, match=r"^members must be a slice or a list of positions, not 1\.$"
    ):
        stack()[1]


@pytest.mark.parametrize("name", ACTIVATION_FUNCTIONS)
@pytest.mark.parametrize("biases", [False, True])
def test_homogeneous_networks_scale_with_the_product_of_their_weights(name, biases):
    networks = stack(activation=name, biases=biases).to(torch.float64).map(lambda part: part + 0.1)
    inputs = torch.randn(20, 12, generator=generator_for("inputs"), dtype=torch.float64)
    scaled = networks.map(lambda part: 3 * part).logits(inputs)
    is_scaled = torch.allclose(scaled, 27 * networks.logits(inputs), rtol=1e-12)
    assert networks.is_homogeneous == is_scaled == (name == "relu" and not biases)
