"""Which test images networks get wrong, one bit each: as text in a table, and as an array."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, UInt64

from generalization.errors import InputError
from generalization.tables import NETWORK

WORD = 8  # Bytes of an unsigned integer.
PREFIX = "base64:"  # Without it, a table of few images could be read as one of numbers.


class PackedErrors(NamedTuple):
    """Errors of the networks of a study on their test sets.

    Attributes:
        bits: Bit i of the bytes of a network is 1 if it gets test image i wrong, the first image
            being the highest bit of the first byte (``np.packbits``); 0 after the last image, and
            where there is no network.
        images: Number of test images of every ensemble.
        test_sets: Test set of every ensemble: those with the same number see the same images.
    """

    bits: UInt64[np.ndarray, "ensembles seeds words"]
    images: Int[np.ndarray, "ensembles"]
    test_sets: Int[np.ndarray, "ensembles"]

    @property
    def wrong(self) -> Int[np.ndarray, "ensembles seeds"]:
        """Number of images that every network gets wrong."""
        return np.bitwise_count(self.bits).sum(2, dtype=int)

    def correct(self, ensemble: int, seeds: Bool[np.ndarray, "seeds"]) -> Bool[np.ndarray, "s i"]:
        """Tell which test images some networks of an ensemble classify correctly."""
        packed = np.ascontiguousarray(self.bits[ensemble, seeds]).view(np.uint8)
        return np.unpackbits(packed, axis=1, count=int(self.images[ensemble])) == 0

    def some(self, ensembles: Int[np.ndarray, "some"]) -> PackedErrors:
        """Return the errors of some ensembles."""
        return PackedErrors(*(part[ensembles] for part in self))


def packed_text(wrong: Bool[np.ndarray, "images"]) -> str:
    """Pack errors for a cell of a table: ``np.packbits``, then base64 (RFC 4648), and which it is.

    10,000 images take 1,675 characters.

    Args:
        wrong: Whether each test image is classified wrongly.
    """
    return PREFIX + base64.b64encode(np.packbits(wrong).tobytes()).decode("ascii")


def unpacked_text(text: str, images: int) -> Bool[np.ndarray, "images"]:
    """Return which images are classified wrongly, from ``packed_text``.

    Args:
        images: Number of images.

    Raises:
        InputError: If the text is not one of so many images.
    """  # noqa: DOC502
    return np.unpackbits(_packed_bytes(text, images), count=images) == 1


def packed_errors(wrong: Bool[np.ndarray, "ensembles seeds images"]) -> PackedErrors:
    """Pack the errors of networks that all saw the same test images."""
    ensembles, seeds, images = wrong.shape
    bits = np.zeros((ensembles, seeds, _words(images) * WORD), np.uint8)
    bits[:, :, : -(-images // 8)] = np.packbits(wrong, axis=2)
    return PackedErrors(bits.view(np.uint64), np.full(ensembles, images), np.zeros(ensembles, int))


def errors_of_networks(
    image_errors: pd.DataFrame,
    networks: pd.DataFrame,
    ensembles: pd.Index,
    seeds: Sequence[int],
) -> tuple[PackedErrors | None, int]:
    """Arrange the errors of networks by ensemble and seed.

    Args:
        image_errors: Table of the profile of this name, of a study.
        networks: Networks that count: ensemble, seed and dataset. A dataset is a test set.
        ensembles: Names of the ensembles, in their order.
        seeds: Seeds, in their order.

    Returns:
        Errors, None if those of a network are not in the table; and of how many they are not.

    Raises:
        InputError: If a text is not one of as many images as its row says.
    """  # noqa: DOC502
    rows = networks[[*NETWORK, "dataset"]].merge(
        image_errors.drop_duplicates(NETWORK, keep="last")[
            [*NETWORK, "test_images", "misclassified"]
        ],
        on=NETWORK,
        how="left",
        validate="one_to_one",
    )
    lacking = int(rows["misclassified"].isna().sum())
    if lacking or rows.empty:
        return None, lacking
    images = rows["test_images"].to_numpy(int)
    bits = np.zeros((len(ensembles), len(seeds), _words(int(images.max())) * WORD), np.uint8)
    places = ensembles.get_indexer(rows["ensemble"]), pd.Index(seeds).get_indexer(rows["seed"])
    for ensemble, seed, text, size in zip(*places, rows["misclassified"], images, strict=True):
        packed = _packed_bytes(text, size)
        bits[ensemble, seed, : len(packed)] = packed
    of_ensemble = rows.drop_duplicates("ensemble").set_index("ensemble").loc[ensembles]
    sets = np.unique(of_ensemble["dataset"].to_numpy(str), return_inverse=True)[1].ravel()
    sizes = of_ensemble["test_images"].to_numpy(int)
    return PackedErrors(bits.view(np.uint64), sizes, sets), 0


def _words(images: int) -> int:
    return max(1, -(-images // (8 * WORD)))


def _packed_bytes(text: str, images: int) -> np.ndarray:
    """Bytes of ``packed_text``.

    Raises:
        InputError: If they are not those of so many images.
    """
    prefix, given, coded = str(text).partition(PREFIX)
    try:
        packed = np.frombuffer(base64.b64decode(coded, validate=True), np.uint8)
    except ValueError:
        given = ""
    else:
        unused = 8 * len(packed) - images
        if not (0 <= unused < 8) or (unused and packed[-1] & (2**unused - 1)):
            given = ""
    if prefix or not given:
        size = -(-images // 8)
        raise InputError(
            f"Errors of {images} test images must be {PREFIX} and {size} bytes, not {text!r:.40}."
        )
    return packed
