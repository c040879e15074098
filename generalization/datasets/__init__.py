"""Datasets of images.

A dataset is a module with a function of the same name, from ``data_root`` (a folder of the user,
or None) to a :class:`~generalization.datasets.raw_dataset.RawDataset`. It imports no torch.
"""

from typing import NamedTuple


class Shape(NamedTuple):
    """What is known before a dataset is read: numbers of images, channels, pixels, classes."""

    train: int
    test: int
    channels: int
    height: int
    width: int
    classes: int


DATASETS = {
    "digits": Shape(1_000, 797, 1, 8, 8, 10),
    "mnist_subset": Shape(1_000, 4_000, 1, 28, 28, 10),
    "mnist": Shape(60_000, 10_000, 1, 28, 28, 10),
    "fashion_mnist": Shape(60_000, 10_000, 1, 28, 28, 10),
    "cifar10": Shape(50_000, 10_000, 3, 32, 32, 10),
    "cifar100": Shape(50_000, 10_000, 3, 32, 32, 100),
}
