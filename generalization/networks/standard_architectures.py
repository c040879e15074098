"""Architectures of the papers that hyper-parameters do not describe, for images of 28 or 32 pixels.

A study trains them as ``architecture: generalization.networks.standard_architectures:vgg``, with
what follows ``classes`` as ``architecture_arguments``. Networks of Forouzesh et al. 2020 are those
of the authors' code; where it fails or a paper is silent, ASSUME says what was chosen.

Args:
    image: Channels, height and width of an image.
    classes: Number of classes, each of which has a logit.
    width_scale: Factor on the channels of every layer, which are rounded down, as by the authors.
    initialization: ``uniform`` leaves the initialization of PyTorch; ``normal`` draws weights as
        He et al. 2015, without biases; ``standard_normal`` draws weights and biases from N(0, 1).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

Image = tuple[int, int, int]

INITIALIZATIONS = ("uniform", "normal", "standard_normal")
# Depth → convolutions before each of five poolings (Simonyan & Zisserman 2015, Table 1).
VGG = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
# Depth → residual blocks of each of four stages (He et al. 2016, Table 1).
RESNET = {
    **{18: (2, 2, 2, 2), 34: (3, 4, 6, 3)},
    **{50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)},
}
SHALLOWEST_WITH_BOTTLENECKS = 50
EXPANSION = 4  # Channels that leave a bottleneck, per channel within.
SMALL = 28  # Images of this side need more padding to survive the five poolings of VGG.


def alexnet(
    image: Image,
    classes: int,
    width_scale: float = 1.0,
    units: int = 4096,
    dropout: float = 0.5,
    initialization: str = "uniform",
) -> nn.Module:
    """Build AlexNet as Forouzesh et al. 2020 do: five 3×3 convolutions and three linear layers.

    Args:
        units: Units of both hidden linear layers, which the authors do not scale.
        dropout: Probability that an input of a hidden linear layer is dropped during training.
    """
    channels = _scaled(64, width_scale)
    layers: list[nn.Module] = [nn.Conv2d(image[0], channels, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2)]
    below = channels
    for factor, pooled in ((3, True), (6, False), (4, False), (4, True)):
        layers += [nn.Conv2d(below, factor * channels, 3, padding=1), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pooled else []
        below = factor * channels
    side = _halved(_halved(image[1], up=True), times=3)
    layers += [nn.Flatten(), nn.Dropout(dropout), nn.Linear(below * side**2, units), nn.ReLU()]
    layers += [nn.Dropout(dropout), nn.Linear(units, units), nn.ReLU(), nn.Linear(units, classes)]
    return _initialized(nn.Sequential(*layers), initialization)


def vgg(
    image: Image,
    classes: int,
    depth: int = 11,
    width_scale: float = 1.0,
    initialization: str = "uniform",
) -> nn.Module:
    """Build VGG with batch normalization as Forouzesh et al. 2020 do, with one linear layer.

    The first three convolutions of images of 28 pixels pad by two pixels, as theirs do.

    Args:
        depth: Layers with weights of the original, which has three linear ones: 11, 13, 16 or 19.
    """
    layers: list[nn.Module] = []
    below, wide = image[0], 3 if image[1] == SMALL else 0
    for channels, repeats in zip((64, 128, 256, 512, 512), _of(VGG, depth), strict=True):
        above = _scaled(channels, width_scale)
        for _ in range(repeats):
            padding, wide = (2, wide - 1) if wide else (1, 0)
            layers += [nn.Conv2d(below, above, 3, padding=padding), nn.BatchNorm2d(above)]
            layers.append(nn.ReLU())
            below = above
        layers.append(nn.MaxPool2d(2))
    return _initialized(
        nn.Sequential(*layers, nn.Flatten(), nn.Linear(below, classes)), initialization
    )


def resnet(
    image: Image,
    classes: int,
    depth: int = 18,
    width_scale: float = 1.0,
    initialization: str = "uniform",
) -> nn.Module:
    """Build a residual network as Forouzesh et al. 2020 do: a 3×3 stem, and no pooling after it.

    Args:
        depth: Layers with weights, of shortcuts none: 18, 34, 50, 101 or 152.
    """
    bottleneck = depth >= SHALLOWEST_WITH_BOTTLENECKS
    below = _scaled(64, width_scale)
    layers: list[nn.Module] = [*_normalized(nn.Conv2d(image[0], below, 3, 1, 1, bias=False))]
    for stage, blocks in enumerate(_of(RESNET, depth)):
        channels = _scaled(64 * 2**stage, width_scale)
        for block in range(blocks):
            layers.append(Residual(below, channels, 2 if stage and not block else 1, bottleneck))
            below = channels * (EXPANSION if bottleneck else 1)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(below, classes)
    return _initialized(nn.Sequential(*layers, *head), initialization)


def inception_small(image: Image, classes: int, batch_normalization: bool = True) -> nn.Module:
    """Build the small Inception of Zhang et al. 2017, Appendix A and Figure 3.

    ASSUME: convolutions have biases and normalizations scale and shift: the published number of
    parameters, 1,649,402, is that of the convolutions with biases and the linear layer. Images are
    padded by one pixel on every side, which mirrors TensorFlow's ``SAME``.

    Args:
        batch_normalization: Whether each convolution is followed by batch normalization.
    """
    below, layers = 96, [_convolved(image[0], 96, 3, batch_normalization)]
    for narrow, wide in (
        *((32, 32), (32, 48), (0, 80)),
        *((112, 48), (96, 64), (80, 80), (48, 96), (0, 96)),
        *((176, 160), (176, 160)),
    ):
        # The convolution that halves the sides stands beside a pooling instead of one of 1×1.
        halves = not narrow
        branches = [_convolved(below, wide, 3, batch_normalization, 2 if halves else 1)]
        other = (
            nn.MaxPool2d(3, 2, 1) if halves else _convolved(below, narrow, 1, batch_normalization)
        )
        layers.append(Branches([other, *branches]))
        below = wide + (below if halves else narrow)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(below, classes))


def alexnet_small(image: Image, classes: int) -> nn.Module:
    """Build the small AlexNet of Zhang et al. 2017, Appendix A.

    Two modules of a 5×5 convolution, 3×3 max-pooling and local response normalization, linear
    layers of 384 and 192 units, the logits. ASSUME: 64 channels, which gives the published number
    of parameters, 1,387,786; a stride of 2 of the poolings; the normalization over nine channels of
    TensorFlow's network for CIFAR-10, whose linear layers have these widths.
    """
    layers: list[nn.Module] = []
    below, side = image[0], image[1]
    for channels in (64, 64):
        layers += [nn.Conv2d(below, channels, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        # TensorFlow's alpha is that of one channel, 0.001 / 9; torch's is the sum of all nine.
        layers.append(nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0))
        below, side = channels, _halved(side, up=True)
    layers.append(nn.Flatten())
    below *= side**2
    for units in (384, 192):
        layers += [nn.Linear(below, units), nn.ReLU()]
        below = units
    return nn.Sequential(*layers, nn.Linear(below, classes))


class Residual(nn.Module):
    """A residual block: ReLU of the sum of convolutions and a shortcut (He et al. 2016, Figure 5).

    Attributes:
        convolutions: Convolutions with normalizations, the last without an activation function.
        shortcut: What the input passes through beside them.
        relu: The last activation function.
    """

    def __init__(self, below: int, channels: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        above = channels * (EXPANSION if bottleneck else 1)
        sizes = [(below, channels, 3, stride), (channels, channels, 3, 1)]
        if bottleneck:
            sizes = [
                (below, channels, 1, 1),
                (channels, channels, 3, stride),
                (channels, above, 1, 1),
            ]
        layers = [
            layer
            for start, end, kernel, step in sizes
            for layer in _normalized(nn.Conv2d(start, end, kernel, step, kernel // 2, bias=False))
        ]
        self.convolutions = nn.Sequential(*layers[:-1])
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or below != above:
            projection = nn.Conv2d(below, above, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(above))
        self.relu = nn.ReLU()

    def forward(self, inputs: Tensor) -> Tensor:
        """Add both paths."""
        return self.relu(self.convolutions(inputs) + self.shortcut(inputs))


class Branches(nn.ModuleList):
    """Parts that see the same feature maps, whose outputs are concatenated as channels."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Concatenate the outputs."""
        return torch.cat([branch(inputs) for branch in self], dim=1)


def _normalized(convolution: nn.Conv2d) -> Iterator[nn.Module]:
    """Yield a convolution, its normalization and its activation function."""
    yield from (convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU())


def _convolved(
    below: int, above: int, kernel: int, batch_normalization: bool, stride: int = 1
) -> nn.Sequential:
    """Build a module of Inception: a convolution, perhaps normalized, and its activation."""
    layers = list(_normalized(nn.Conv2d(below, above, kernel, stride, kernel // 2)))
    return nn.Sequential(*layers if batch_normalization else layers[::2])


def _initialized(network: nn.Module, initialization: str) -> nn.Module:
    """Initialize convolutions and linear layers.

    Raises:
        ValueError: If the initialization is not known.
    """
    if initialization not in INITIALIZATIONS:
        raise ValueError(
            f"initialization must be one of {', '.join(INITIALIZATIONS)}, not {initialization!r}."
        )
    for layer in network.modules() if initialization != "uniform" else ():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        if initialization == "normal":
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        else:
            nn.init.normal_(layer.weight)
        if layer.bias is not None:
            nn.init.normal_(layer.bias, std=float(initialization == "standard_normal"))
    return network


def _scaled(channels: int, width_scale: float) -> int:
    """Return a scaled number of channels.

    Raises:
        ValueError: If none is left.
    """
    if (scaled := int(channels * width_scale)) < 1:
        raise ValueError(
            f"width_scale must leave at least one of {channels} channels, not {width_scale!r}."
        )
    return scaled


def _of(table: dict[int, tuple[int, ...]], depth: int) -> tuple[int, ...]:
    """Look up what a depth stands for.

    Raises:
        ValueError: If it is not offered.
    """
    if depth not in table:
        raise ValueError(f"depth must be one of {', '.join(map(str, table))}, not {depth!r}.")
    return table[depth]


def _halved(side: int, times: int = 1, up: bool = False) -> int:
    """Return the side of an image that poolings, which round down, or strides halve."""
    for _ in range(times):
        side = -(-side // 2) if up else side // 2
    return side
