import pytest
import torch
from oracles.slow_trainer import ACTIVATIONS, network_of
from torch import nn

from generalization.hyperparameters import Hyperparameters
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.randomness import generator_for

WIDTHS = (12, 7, 5, 3)


def normalized_networks(activation="relu", biases=False):
    """As training might leave them: no part of a normalization is what it was."""
    generators = [generator_for("normalized", seed) for seed in (1, 2)]
    networks = initialize_fully_connected(
        WIDTHS, activation, generators, biases=biases, normalized=True
    )
    noise = generator_for("trained")
    return networks.map(lambda tensor: tensor + torch.rand(tensor.shape, generator=noise))


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_folded_networks_say_what_modules_in_eval_mode_say(activation, biases):
    networks = normalized_networks(activation, biases)
    hyperparameters = Hyperparameters(
        dataset="blobs", activation=activation, biases=biases, normalization="batch"
    )
    inputs = torch.randn(9, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    folded = networks.folded()
    assert (folded.normalizations, len(folded.biases)) == ((), 3)
    for position, network in enumerate(networks):
        module = network_of(network, hyperparameters).eval()
        for stack in (folded, networks):
            logits = stack.logits(inputs)[position]
            torch.testing.assert_close(logits, module(inputs), rtol=1e-5, atol=1e-5)
        norms = [place for place, layer in enumerate(module) if isinstance(layer, nn.BatchNorm1d)]
        for stack in (folded, networks):
            layers = stack.preactivations(inputs)
            for layer, place in enumerate([*norms, len(module) - 1]):
                expected = module[: place + 1](inputs)
                torch.testing.assert_close(layers[layer][position], expected, rtol=1e-5, atol=1e-5)


def test_networks_without_normalization_are_folded_already():
    networks = initialize_fully_connected(WIDTHS, "relu", [generator_for("plain")])
    assert networks.folded() is networks


def test_untrained_normalization_changes_nothing_but_for_epsilon():
    plain, normalized = (
        initialize_fully_connected(WIDTHS, "relu", [generator_for("begun")], normalized=normalized)
        for normalized in (False, True)
    )
    folded = normalized.folded()
    for layer in range(2):
        expected = plain.weights[layer] / (1 + 1e-5) ** 0.5
        torch.testing.assert_close(folded.weights[layer], expected, rtol=1e-6, atol=0)
        assert not folded.biases[layer].any()
    assert torch.equal(folded.weights[2], plain.weights[2])


def test_normalizations_belong_to_the_stack():
    networks = normalized_networks(biases=True)
    assert [name for name in networks.tensors if name.startswith("layers.1.")] == [
        f"layers.1.{kind}"
        for kind in ("weight", "bias", "norm.scale", "norm.shift", "norm.mean", "norm.variance")
    ]
    scales, shifts = (
        [getattr(one, part) for one in networks.normalizations] for part in ("scale", "shift")
    )
    expected = [*networks.weights, *networks.biases, *scales, *shifts]
    assert all(one is other for one, other in zip(networks.parameters, expected, strict=True))
    second, double = networks[[1]], networks.to(torch.float64)
    for layer in range(2):
        for part in ("scale", "shift", "mean", "variance"):
            whole = getattr(networks.normalizations[layer], part)
            assert torch.equal(getattr(second.normalizations[layer], part), whole[1:])
            assert getattr(double.normalizations[layer], part).dtype == torch.float64
