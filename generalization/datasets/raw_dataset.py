"""Images as published, before any processing."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from jaxtyping import Int64, Integer, UInt8

from generalization.errors import InputError


@dataclass(frozen=True, kw_only=True)
class RawDataset:
    """Images and labels, in any order.

    Attributes:
        train_images: Pixel values of training images, (images, channels, height, width).
        train_labels: Training labels, from 0 to ``classes`` − 1.
        test_images: Pixel values of test images.
        test_labels: Test labels.
        classes: Number of classes.
        source: Description of the origin of the images and how it was verified.
        white: Largest possible value of a pixel; black is 0.
    """

    train_images: UInt8[np.ndarray, "train channels height width"]
    train_labels: Integer[np.ndarray, "train"]
    test_images: UInt8[np.ndarray, "test channels height width"]
    test_labels: Integer[np.ndarray, "test"]
    classes: int
    source: str
    white: int = 255


def random_order(rows: int, purpose: str) -> Int64[np.ndarray, "rows"]:
    """Return a random order of rows that depends only on the purpose.

    Rows are sorted by uniform numbers, because numpy guarantees the bits of PCG64 and SeedSequence
    across versions, but not the results of ``Generator.permutation``.
    """
    keys = np.random.default_rng(list(purpose.encode())).random(rows)
    return np.argsort(keys, kind="stable")


def stratified_split(
    images: UInt8[np.ndarray, "images channels height width"],
    labels: Integer[np.ndarray, "images"],
    *,
    train_size: int,
    name: str,
    source: str,
    white: int = 255,
) -> RawDataset:
    """Split a dataset without a test set by a fixed stratified random split.

    The n members of a class, in random order, get the quantiles ½/n, 3/2n, 5/2n, …. The
    ``train_size`` rows with the smallest quantiles are the training set, which thus contains equal
    shares of all classes.

    Args:
        images: All images.
        labels: Class of each image; each of 0, …, classes − 1 must occur.
        train_size: Number of training images.
        name: Name of the dataset, which determines the split.
        source: Description of the origin, see :class:`RawDataset`.
        white: Largest possible value of a pixel, see :class:`RawDataset`.
    """
    order = random_order(len(labels), f"{name} split")
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    train, test = np.split(np.argsort(position, kind="stable"), [train_size])
    return RawDataset(
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[test],
        test_labels=labels[test],
        classes=int(labels.max()) + 1,
        source=source,
        white=white,
    )


def verify_sha256(content: bytes, expected: str, what: str) -> None:
    """Refuse content that differs from the published one.

    Raises:
        InputError: If the sha256 of the content differs.
    """
    actual = sha256(content).hexdigest()
    if actual != expected:
        raise InputError(f"{what} must have sha256 {expected}, not {actual}.")
