"""Convolutional networks in torch's own words, "hidden" standing for what follows hidden layers."""

import torch
from torch import nn

POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


def features_of(layers, image):
    modules = [layer for layer in layers if layer != "hidden"]
    return nn.Sequential(*modules, nn.Flatten())(torch.zeros(1, *image)).shape[1]


def convolutions(hyperparameters, image, classes):
    build = {
        "convolutional": cnn,
        "all_convolutional": all_convolutional,
        "widening_convolutional": widening_convolutional,
        "vgg": vgg,
    }
    body = build[hyperparameters.architecture](hyperparameters, image)
    logits = nn.Linear(features_of(body, image), classes, bias=hyperparameters.biases)
    return [*body, nn.Flatten(), logits]


def cnn(hyperparameters, image):
    """Forouzesh et al.: depth − 2 convolutions, as many channels as a 20th of the width."""
    layers, channels, width = [], image[0], hyperparameters.width
    for number in range(1, hyperparameters.depth - 1):
        more = max(1, width // 20)
        layers += [nn.Conv2d(channels, more, 3, bias=hyperparameters.biases), "hidden"]
        channels = more
        if number in (2, 4, 6) and hyperparameters.pooling != "none":
            layers += [POOLINGS[hyperparameters.pooling](2)]
    hidden = nn.Linear(features_of(layers, image), width, bias=hyperparameters.biases)
    return [*layers, nn.Flatten(), hidden, "hidden"]


def halving(channels, more, hyperparameters):
    """A convolution that halves the sides, by itself or with the pooling after it."""
    if hyperparameters.pooling == "none":
        conv = nn.Conv2d(channels, more, 3, stride=2, padding=1, bias=hyperparameters.biases)
        return [conv, "hidden"]
    conv = nn.Conv2d(channels, more, 3, padding=1, bias=hyperparameters.biases)
    return [conv, "hidden", POOLINGS[hyperparameters.pooling](2)]


def all_convolutional(hyperparameters, image):
    layers, channels, width = [], image[0], hyperparameters.width
    for number in range(1, hyperparameters.depth):
        if number in (3, 6, 9):
            layers += halving(channels, width, hyperparameters)
        else:
            conv = nn.Conv2d(channels, width, 3, padding=1, bias=hyperparameters.biases)
            layers += [conv, "hidden"]
        channels = width
    return [*layers, nn.AdaptiveAvgPool2d(1)]


def widening_convolutional(hyperparameters, image):
    layers, channels, width = [], image[0], hyperparameters.width
    for number in range(1, hyperparameters.depth):
        if number in (3, 6, 9):
            width *= 2
            layers += halving(channels, width, hyperparameters)
        else:
            conv = nn.Conv2d(channels, width, 3, padding=1, bias=hyperparameters.biases)
            layers += [conv, "hidden"]
        channels = width
    return [*layers, nn.AdaptiveAvgPool2d(1)]


def vgg(hyperparameters, image):
    layers, channels = [], image[0]
    left, width = hyperparameters.depth - 1, hyperparameters.width
    while left:
        if left > 1:
            conv = nn.Conv2d(channels, width, 3, padding=1, bias=hyperparameters.biases)
            layers += [conv, "hidden"]
            channels, left = width, left - 1
        layers += halving(channels, width, hyperparameters)
        channels, left, width = width, left - 1, 2 * width
    return layers
