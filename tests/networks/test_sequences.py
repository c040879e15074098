import pytest
import torch
from oracles.convolutions import IMAGE, KINDS, convolutional_stack, hyperparameters_of
from oracles.tangent_sensitivity import tangent_sensitivities
from torch.testing import assert_close

from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.linearized_layers import is_sequence_of_known_layers
from generalization.networks.sequences import sequence_of
from generalization.randomness import generator_for

WIDTHS = (6, 5, 4, 3)


def networks_of(activation, *, biases=True, normalized=True):
    generators = [generator_for("sequences", seed) for seed in (1, 2)]
    networks = initialize_fully_connected(
        WIDTHS, activation, generators, biases=biases, normalized=normalized
    )
    noise = generator_for("trained")
    return networks.map(lambda tensor: tensor + torch.rand(tensor.shape, generator=noise)).to(
        torch.float64
    )


def points():
    return torch.randn(7, 6, generator=generator_for("points"), dtype=torch.float64)


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
def test_sequence_is_the_function_of_the_network(activation, biases, normalized):
    networks = networks_of(activation, biases=biases, normalized=normalized)
    expected = networks.logits(points())
    for network, logits in zip(networks, expected, strict=True):
        assert_close(sequence_of(network)(points()), logits, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_sequence_is_the_function_of_the_convolutional_network(kind, biases, normalization):
    images = torch.randn(7, *IMAGE, generator=generator_for("points"), dtype=torch.float64)
    for activation in ACTIVATION_FUNCTIONS:
        hyperparameters = hyperparameters_of(
            kind, activation=activation, biases=biases, normalization=normalization
        )
        networks = convolutional_stack(hyperparameters).to(torch.float64)
        for network, logits in zip(networks, networks.logits(images), strict=True):
            module = sequence_of(network)
            assert_close(module(images), logits, rtol=1e-12, atol=1e-12)
            assert is_sequence_of_known_layers(module) == (activation != "tanh")


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ["relu", "hardsigmoid"])
def test_parameters_of_the_sequence_are_those_of_the_network(activation, biases):
    hyperparameters = hyperparameters_of("vgg", activation=activation, biases=biases)
    convolutional = convolutional_stack(hyperparameters)[:1]
    for network in (convolutional, networks_of(activation, biases=biases)[:1]):
        parameters = list(sequence_of(network).parameters())
        assert sum(p.numel() for p in parameters) == sum(p.numel() for p in network.parameters)


@pytest.mark.parametrize("reduction", ["sum", "full", 1])
@pytest.mark.parametrize("activation", ["relu", "hardtanh", "hardsigmoid"])
def test_normalized_stack_has_the_tangent_sensitivity_of_its_own_parameters(activation, reduction):
    networks = networks_of(activation)
    values = tangent_sensitivity(networks, points(), reduction=reduction)
    for network, of_network in zip(networks, values, strict=True):
        dense = tangent_sensitivities(sequence_of(network), points(), reduction)
        assert_close(of_network, dense, rtol=1e-10, atol=0)
    folded = tangent_sensitivity(networks.folded(), points(), reduction=reduction)
    assert (folded - values).abs().max() > 1e-3 * values.max()
