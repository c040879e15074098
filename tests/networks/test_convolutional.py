import pytest
import torch
from oracles.convolutions import CLASSES, IMAGE, KINDS, convolutional_stack, hyperparameters_of
from oracles.slow_trainer import network_of
from torch import nn
from torch.testing import assert_close

from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.architectures import architecture_of
from generalization.networks.convolutional import ConvolutionalNetworks, initialize_convolutional
from generalization.randomness import generator_for


def images(samples=5):
    return torch.randn(samples, *IMAGE, generator=generator_for("images"))


def untrained(kind, seeds=(1, 2), **settings):
    hyperparameters = hyperparameters_of(kind)
    architecture = architecture_of(hyperparameters, IMAGE, CLASSES)
    generators = [generator_for("test", seed) for seed in seeds]
    return initialize_convolutional(architecture, "relu", generators, **settings)


@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_textbook_networks(kind, biases, normalization):
    hyperparameters = hyperparameters_of(kind, biases=biases, normalization=normalization)
    networks = convolutional_stack(hyperparameters)
    logits = networks.logits(images())
    assert logits.shape == (2, 5, CLASSES)
    for position, network in enumerate(networks):
        expected = network_of(network, hyperparameters).eval()(images())
        assert_close(logits[position], expected, rtol=1e-4, atol=1e-5)
    assert_close(networks.logits(images().flatten(1)), logits, rtol=0, atol=0)


@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
def test_preactivations_are_what_enters_activation_functions(activation):
    hyperparameters = hyperparameters_of("vgg", activation=activation, normalization="batch")
    networks = convolutional_stack(hyperparameters)
    layers = networks.preactivations(images())
    assert [tuple(layer.shape[1:]) for layer in layers] == [
        (5, *shape) for shape in ((2, 9, 8), (2, 5, 4), (4, 3, 2), (3,))
    ]
    entered = []
    module = network_of(networks[1:], hyperparameters).eval()
    for part in module:
        if not isinstance(part, (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.Flatten)):
            part.register_forward_pre_hook(lambda _, values: entered.append(values[0]))
    logits = module(images())
    for layer, expected in zip(layers, [*entered, logits], strict=True):
        assert_close(layer[1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_folded_networks_have_no_normalizations_and_the_same_logits(kind):
    networks = convolutional_stack(hyperparameters_of(kind, normalization="batch"))
    folded = networks.folded()
    assert not folded.normalizations
    assert len(folded.biases) == networks.depth
    assert_close(folded.logits(images()), networks.logits(images()))


def test_a_network_does_not_depend_on_its_neighbors():
    both, alone = untrained("vgg", seeds=(4, 9)), untrained("vgg", seeds=(9,))
    for weights, weight in zip(both.weights, alone.weights, strict=True):
        assert torch.equal(weights[1:], weight)


def test_initial_weights_have_variance_two_by_fan_in():
    hyperparameters = hyperparameters_of("vgg", width=60)
    architecture = architecture_of(hyperparameters, IMAGE, CLASSES)
    networks = initialize_convolutional(architecture, "relu", [generator_for("test")])
    # 60 channels of 3 × 3 are given to the second convolution and to the third one.
    for weight in networks.weights[1:3]:
        n, variance = weight.numel(), 2 / (60 * 9)
        assert weight.var().item() == pytest.approx(variance, rel=5 * (2 / n) ** 0.5)


def test_uniform_networks_begin_as_layers_of_torch():
    networks, begun = untrained("vgg", biases=True, initialization="uniform"), torch.get_rng_state()
    for position, seed in enumerate((1, 2)):
        torch.set_rng_state(generator_for("test", seed).get_state())
        layers = [nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3), nn.Conv2d(2, 4, 3), nn.Linear(24, 3)]
        for layer, expected in enumerate(layers):
            assert_close(networks.weights[layer][position], expected.weight.data)
            assert_close(networks.biases[layer][position], expected.bias.data)
    torch.set_rng_state(begun)


def test_standard_normal_weights_and_biases_have_variance_one():
    networks = untrained(
        "all_convolutional", range(300), biases=True, initialization="standard_normal", init_scale=3
    )
    for drawn in (*networks.weights, *networks.biases):
        n = drawn.numel()
        assert drawn.mean().item() == pytest.approx(0, abs=5 * 3 / n**0.5)
        assert drawn.var().item() == pytest.approx(9, rel=5 * (2 / n) ** 0.5)


def test_shapes_are_reported():
    networks = convolutional_stack(hyperparameters_of("convolutional, pooled", biases=True))
    assert (len(networks), networks.depth) == (2, 4)
    assert networks.widths == (144, 3 * 7 * 6, 3 * 5 * 4, 60, 3)
    assert [tuple(weight.shape) for weight in networks.weights] == [
        (2, 3, 2, 3, 3),
        (2, 3, 3, 3, 3),
        (2, 60, 12),
        (2, 3, 60),
    ]
    assert len(networks[[1]]) == 1
    assert isinstance(networks.to(torch.float64), ConvolutionalNetworks)
    assert networks.to(torch.float64).logits(images().double()).dtype == torch.float64


def test_one_network_is_not_a_position():
    with pytest.raises(
        TypeError, match=r"^members must be a slice or a list of positions, not 1\.$"
    ):
        untrained("vgg")[1]
