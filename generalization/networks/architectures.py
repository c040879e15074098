"""Layers of convolutional networks from hyper-parameters and image shape. Does not import torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from generalization.hyperparameters import Hyperparameters
from generalization.networks.foreign_architecture import ForeignArchitecture, foreign_faults

ARCHITECTURES = (
    *("fully_connected", "convolutional", "all_convolutional", "widening_convolutional", "vgg"),
)
POOLINGS = ("none", "max", "average")

KERNEL = 3  # Height and width of every convolution.
WINDOW = 2  # Height and width of pooling windows, and stride of convolutions without pooling.
EVERY = 3  # Convolutions after which one halves the sides: `all_` and `widening_convolutional`.
UNITS_PER_CHANNEL = 20  # Ratio of the width of the last hidden layer to channels: `convolutional`.

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Convolution:
    """A convolution as in ``torch.nn.Conv2d``, with zero padding."""

    channels_in: int
    channels_out: int
    stride: int
    padding: int

    @property
    def weight_shape(self) -> Shape:
        """Output channels, input channels, height, width."""
        return self.channels_out, self.channels_in, KERNEL, KERNEL

    def shape_of(self, below: Shape) -> Shape:
        """Return the output shape for an input shape."""
        reach = 2 * self.padding - KERNEL
        return self.channels_out, *((side + reach) // self.stride + 1 for side in below[1:])


@dataclass(frozen=True)
class Pooling:
    """Maximum or mean over non-overlapping windows; incomplete windows are omitted."""

    kind: str
    window: tuple[int, int]

    def shape_of(self, below: Shape) -> Shape:
        """Return the output shape for an input shape."""
        channels, *sides = below
        return channels, *(side // size for side, size in zip(sides, self.window, strict=True))


@dataclass(frozen=True)
class Linear:
    """A fully connected layer, which flattens feature maps."""

    features: int
    units: int

    @property
    def weight_shape(self) -> Shape:
        """Output units, input units."""
        return self.units, self.features

    def shape_of(self, below: Shape) -> Shape:
        """Return the output shape, which is the same for all input shapes."""
        return (self.units,)


@dataclass(frozen=True)
class Architecture:
    """Layers of convolutional networks.

    Every layer with weights but the last is hidden: its output is normalized, if the networks have
    normalizations, and passed through the activation function before any pooling.

    Attributes:
        image: Channels, height and width of an input.
        layers: Layers from the image up.
    """

    image: tuple[int, int, int]
    layers: tuple[Convolution | Pooling | Linear, ...]

    @property
    def weighted(self) -> tuple[Convolution | Linear, ...]:
        """Layers with weights."""
        return tuple(layer for layer in self.layers if not isinstance(layer, Pooling))

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Output shapes of the layers with weights, before pooling."""
        shapes, shape = [], self.image
        for layer in self.layers:
            shape = layer.shape_of(shape)
            if not isinstance(layer, Pooling):
                shapes.append(shape)
        return tuple(shapes)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units per layer: input, hidden layers (every unit of a feature map counts), logits."""
        return prod(self.image), *map(prod, self.shapes)


# Fully connected networks are described by their widths.
AnyArchitecture = tuple[int, ...] | Architecture | ForeignArchitecture


def architecture_of(
    hyperparameters: Hyperparameters, image: tuple[int, int, int], classes: int
) -> Architecture:
    """Return the layers of the networks of an ensemble.

    ``convolutional``
        The CNN family of Forouzesh et al. 2021: depth − 2 convolutions without padding, of c
        channels each, a hidden layer of ``width`` units, the logits. Their code couples the two by
        c = 5 + (width − 100) / 20 for width ≥ 100, which is width / 20. Any pooling follows every
        second convolution.
    ``all_convolutional``
        After Springenberg et al. 2015: depth − 1 padded convolutions of ``width`` channels, every
        third of which halves height and width, global average pooling, the logits.
    ``widening_convolutional``
        The CNN of Morcos et al. 2018, whose 11 convolutions (``depth`` 12) have 64, 64, 3 × 128,
        3 × 256 and 3 × 512 channels (``width`` 64): as ``all_convolutional``, with twice as many
        channels from every convolution on that halves height and width. ASSUME: padding, and global
        average pooling before the logits, of which the paper says nothing.
    ``vgg``
        After Simonyan & Zisserman 2015: depth − 1 padded convolutions in blocks of two, of
        ``width``, 2 ``width``, 4 ``width`` … channels, each block halving height and width, the
        logits. If depth is even the last block has one convolution.

    Height and width are halved by pooling or, without pooling, by stride 2.

    Args:
        image: Channels, height and width.
        classes: Number of logits.
    """
    layers, shape = [], image

    def add(layer: Convolution | Pooling | Linear) -> None:
        nonlocal shape
        layers.append(layer)
        shape = layer.shape_of(shape)

    pools, kind = hyperparameters.pooling != "none", hyperparameters.architecture
    for channels, padding, halves in _convolutions(hyperparameters):
        stride = WINDOW if halves and not pools else 1
        add(Convolution(shape[0], channels, stride, padding))
        if halves and pools:
            add(Pooling(hyperparameters.pooling, (WINDOW, WINDOW)))
    if kind == "convolutional":
        add(Linear(prod(shape), hyperparameters.width))
    elif kind in ("all_convolutional", "widening_convolutional"):
        add(Pooling("average", shape[1:]))
    add(Linear(prod(shape), classes))
    return Architecture(image, tuple(layers))


def _convolutions(one: Hyperparameters) -> Iterator[tuple[int, int, bool]]:
    """Yield channels, padding and whether height and width are halved, for every convolution."""
    if one.architecture == "convolutional":
        # ASSUME: c = width / 20 channels, rounded down and at least 1, also for widths below 100
        # and between multiples of 20; the code of Forouzesh et al. uses 100, 200, … 500.
        channels = max(1, one.width // UNITS_PER_CHANNEL)
        for position in range(one.depth - 2):
            yield channels, 0, one.pooling != "none" and position % 2 == 1
        return
    convolutions = one.depth - 1
    for position in range(convolutions):
        if one.architecture == "all_convolutional":
            yield one.width, 1, position % EVERY == EVERY - 1
        elif one.architecture == "widening_convolutional":
            halvings, rest = divmod(position + 1, EVERY)
            yield one.width * 2**halvings, 1, rest == 0
        else:
            block, second = divmod(position, 2)
            yield one.width * 2**block, 1, bool(second) or position == convolutions - 1


def unsuitable(one: Hyperparameters, image: tuple[int, int, int]) -> Iterator[str]:
    """Yield one sentence for each reason why the architecture does not suit this image shape."""
    yield from foreign_faults(one)
    if one.is_foreign:
        return
    if one.architecture == "fully_connected":
        if one.pooling != "none":
            yield (
                "pooling must be 'none' where architecture is 'fully_connected', "
                f"not {one.pooling!r}."
            )
        return
    low = 3 if one.architecture == "convolutional" else 2
    pixels = f"images of {image[1]} × {image[2]} pixels"
    if not _fits(replace(one, depth=low), image):
        yield f"architecture must be 'fully_connected' for {pixels}, not {one.architecture!r}."
    elif one.depth < low or not _fits(one, image):
        high = low
        while _fits(replace(one, depth=high + 1), image):
            high += 1
        yield (
            f"depth must be from {low} to {high} where architecture is {one.architecture!r} and "
            f"pooling is {one.pooling!r}, for {pixels}, not {one.depth}."
        )


def _fits(one: Hyperparameters, image: tuple[int, int, int]) -> bool:
    """Return whether images are large enough for every convolution and every halving."""
    side = min(image[1:])
    for _, padding, halves in _convolutions(one):
        side += 2 * padding - KERNEL + 1
        if side < (WINDOW if halves else 1):
            return False
        if halves:
            # A stride of 2 rounds up, pooling rounds down.
            side = side // WINDOW if one.pooling != "none" else -(-side // WINDOW)
    return True
