"""Images as their publishers give them, before anything is done to them."""

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
        train_images: Grey values, (images, channels, height, width).
        train_labels: From 0 to ``classes`` − 1.
        test_images: As ``train_images``.
        test_labels: As ``train_labels``.
        classes: Number of classes.
        source: Where the images come from and how that was verified, in words.
        white: The largest grey value that a pixel can have; black is 0.
    """

    train_images: UInt8[np.ndarray, "train channels height width"]
    train_labels: Integer[np.ndarray, "train"]
    test_images: UInt8[np.ndarray, "test channels height width"]
    test_labels: Integer[np.ndarray, "test"]
    classes: int
    source: str
    white: int = 255


def random_order(rows: int, purpose: str) -> Int64[np.ndarray, "rows"]:
    """Return a random order of rows that depends on the purpose only.

    Rows are sorted by uniform numbers, because numpy keeps the bits of PCG64 and SeedSequence from
    version to version, but not the numbers of ``Generator.permutation``.
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
    """Split a dataset that has no test set at random, always in the same way.

    The members of a class, in random order, stand at ½/n, 3/2n, 5/2n, … of their class. The
    ``train_size`` rows that stand first are the training set. Of classes of similar size it so
    has equal parts.

    Args:
        images: All images.
        labels: Their classes, every one of 0, …, classes − 1.
        train_size: Number of training images.
        name: Of the dataset; the split depends on it.
        source: As in :class:`RawDataset`.
        white: As in :class:`RawDataset`.
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
    """Refuse content that is not what was published.

    Raises:
        InputError: If the sha256 of the content is another.
    """
    actual = sha256(content).hexdigest()
    if actual != expected:
        raise InputError(f"{what} must have sha256 {expected}, not {actual}.")
