import dataclasses
from itertools import product

import pytest
import torch
from oracles.textbook_convolutions import convolutions
from torch import nn

from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import architecture_of, unsuitable

KINDS = ["convolutional", "all_convolutional", "widening_convolutional", "vgg"]
IMAGES = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "cifar10": (3, 32, 32), "crop": (3, 2, 2)}


def of(architecture, **changes):
    return Hyperparameters(dataset="digits", architecture=architecture, **changes)


@pytest.mark.parametrize(("width", "channels"), [(100, 5), (120, 6), (500, 25), (40, 2), (7, 1)])
def test_channels_and_width_are_tied(width, channels):
    convolution, *_, hidden, logits = architecture_of(
        of("convolutional", depth=6, width=width), (3, 32, 32), 10
    ).layers
    assert convolution.channels_out == channels
    assert (hidden.features, hidden.units) == (channels * 24 * 24, width)
    assert (logits.features, logits.units) == (width, 10)


def test_eleven_convolutions_are_those_of_morcos():
    layers = architecture_of(of("widening_convolutional", depth=12, width=64), (3, 32, 32), 10)
    convolutions, pooling, logits = layers.layers[:11], layers.layers[11], layers.layers[12]
    assert [one.channels_out for one in convolutions] == [64] * 2 + [128] * 3 + [256] * 3 + [
        512
    ] * 3
    assert [one.stride for one in convolutions] == [1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1]
    assert (pooling.kind, pooling.window) == ("average", (4, 4))
    assert (logits.features, logits.units) == (512, 10)


@pytest.mark.parametrize("image", ["digits", "mnist", "cifar10"])
@pytest.mark.parametrize("pooling", ["none", "max"])
@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_those_of_textbook_layers(kind, pooling, image):
    hyperparameters = of(kind, depth=4, width=20, pooling=pooling)
    architecture = architecture_of(hyperparameters, IMAGES[image], 10)
    values, shapes = torch.zeros(1, *IMAGES[image]), []
    for layer in convolutions(hyperparameters, IMAGES[image], 10):
        if layer != "hidden":
            values = layer(values)
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            shapes.append(tuple(values.shape[1:]))
    assert architecture.shapes == tuple(shapes)
    assert architecture.widths[1:] == tuple(torch.Size(shape).numel() for shape in shapes)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("pooling", ["none", "max", "average"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_suitable_can_be_computed(kind, pooling, image):
    # With channels few enough that the deepest networks are small.
    for depth in range(2, 20):
        hyperparameters = of(kind, depth=depth, width=1, pooling=pooling)
        if not list(unsuitable(hyperparameters, IMAGES[image])):
            shapes = architecture_of(hyperparameters, IMAGES[image], 10).shapes
            assert len(shapes) == depth
            assert all(side >= 1 for shape in shapes for side in shape)


@pytest.mark.parametrize(
    ("changes", "image", "sentence"),
    [
        (
            {"architecture": "fully_connected", "pooling": "max"},
            (1, 8, 8),
            "pooling must be 'none' where architecture is 'fully_connected', not 'max'.",
        ),
        (
            {"architecture": "convolutional", "depth": 6},
            (1, 8, 8),
            "depth must be from 3 to 5 where architecture is 'convolutional' and pooling is "
            "'none', for images of 8 × 8 pixels, not 6.",
        ),
        (
            {"architecture": "convolutional", "depth": 2},
            (1, 28, 28),
            "depth must be from 3 to 15 where architecture is 'convolutional' and pooling is "
            "'none', for images of 28 × 28 pixels, not 2.",
        ),
        (
            {"architecture": "vgg", "depth": 8, "pooling": "max"},
            (1, 8, 8),
            "depth must be from 2 to 7 where architecture is 'vgg' and pooling is 'max', "
            "for images of 8 × 8 pixels, not 8.",
        ),
        (
            {"architecture": "convolutional", "crop": 2},
            (3, 2, 2),
            "architecture must be 'fully_connected' for images of 2 × 2 pixels, "
            "not 'convolutional'.",
        ),
    ],
    ids=str,
)
def test_unsuitable_networks_are_reported_in_a_sentence(changes, image, sentence):
    hyperparameters = Hyperparameters(**{"dataset": "digits"} | changes)
    assert list(unsuitable(hyperparameters, image)) == [sentence]


def test_the_deepest_network_that_is_named_is_suitable():
    for kind, pooling, image in product(KINDS, ("none", "max"), ("digits", "mnist")):
        deep = of(kind, depth=99, pooling=pooling)
        (sentence,) = unsuitable(deep, IMAGES[image])
        most = int(sentence.split(" to ")[1].split()[0])
        assert not list(unsuitable(dataclasses.replace(deep, depth=most), IMAGES[image]))
        assert list(unsuitable(dataclasses.replace(deep, depth=most + 1), IMAGES[image]))
