"""Modules of a user: functions of the shape of an image and the number of classes."""

from math import prod

import torch
from torch import nn
from torch.nn.functional import dropout


def linear(image, classes, width=12, bias=False):
    layers = nn.Linear(prod(image), width, bias), nn.ReLU(), nn.Linear(width, classes, bias)
    return nn.Sequential(nn.Flatten(), *layers)


class Residual(nn.Module):
    """Convolutions with batch normalization and a shortcut around the second."""

    def __init__(self, image, classes, channels):
        super().__init__()
        self.first = nn.Conv2d(image[0], channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.out = nn.Linear(channels, classes)

    def forward(self, images):
        below = torch.relu(self.first(images))
        return self.out(torch.relu(self.norm(self.second(below)) + below).mean((2, 3)))


class Dropped(nn.Module):
    """Dropout that no submodule shows."""

    def __init__(self, image, classes):
        super().__init__()
        self.body = linear(image, classes)

    def forward(self, images):
        return self.body(dropout(images, 0.3, self.training))


def residual(image, classes, channels=3):
    return Residual(image, classes, channels)


def dropped(image, classes):
    return Dropped(image, classes)


def tied(image, classes):
    """One layer at two places."""
    layer = nn.Linear(8, 8)
    begin = nn.Flatten(), nn.Linear(prod(image), 8), nn.Tanh()
    return nn.Sequential(*begin, layer, nn.Tanh(), layer, nn.Tanh(), nn.Linear(8, classes))


def too_many(image, classes):
    return linear(image, classes + 1)


def softmaxed(image, classes):
    return nn.Sequential(linear(image, classes), nn.Softmax(1))


class InList(nn.Module):
    """Holds a layer in a list, which no gradient would train."""

    def __init__(self, image, classes):
        super().__init__()
        self.layers, self.head = [nn.Linear(prod(image), 4)], nn.Linear(4, classes)

    def forward(self, images):
        return self.head(torch.relu(self.layers[0](images.flatten(1))))


def in_list(image, classes):
    return InList(image, classes)


def none_at_all(image, classes):
    return "a network"


def normalized(image, classes, tracking=False):
    norm = nn.BatchNorm2d(image[0], track_running_stats=tracking)
    return nn.Sequential(norm, linear(image, classes))


class Wrapped(nn.Module):
    """Changes what another module computes."""

    def __init__(self, image, classes, forward):
        super().__init__()
        self.body, self.change = linear(image, classes), forward

    def forward(self, images):
        return self.change(self.body, images)


def centered(image, classes):
    return Wrapped(image, classes, lambda body, images: body(images - images.mean(0)))


def several_labels(image, classes):
    return Wrapped(image, classes, lambda body, images: torch.sigmoid(body(images)))


def in_autocast(image, classes):
    def forward(body, images):
        with torch.autocast("cpu", torch.bfloat16):
            return body(images)

    return Wrapped(image, classes, forward)
