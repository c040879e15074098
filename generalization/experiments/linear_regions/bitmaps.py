"""Pictures in tables: the pixels of a row as one text."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Shaped, UInt8


def packed(pixels: Shaped[np.ndarray, "rows columns"]) -> list[str]:
    """Hexadecimal digits of every row: a bit per pixel that is a bool, a byte per one that is not.

    Args:
        pixels: Pixels, as bool or uint8.

    Returns:
        Whole bytes, the most significant bit first, after ``0x``, so that nobody takes them for a
        number.
    """
    rows = np.packbits(pixels, axis=1) if pixels.dtype == bool else pixels
    return ["0x" + row.tobytes().hex() for row in rows]


def unpacked(rows: Iterable[str]) -> UInt8[np.ndarray, "rows bytes"]:
    """The bytes of rows of hexadecimal digits."""
    each = [bytes.fromhex(row.removeprefix("0x")) for row in rows]
    return np.stack([np.frombuffer(row, np.uint8) for row in each])


def gray_levels(
    image: Float[np.ndarray, "channels height width"],
) -> UInt8[np.ndarray, "height width"]:
    """An image from black, the least mean over channels, to white, the greatest."""
    gray = image.mean(0)
    gray = (gray - gray.min()) / max(np.ptp(gray), np.finfo(gray.dtype).tiny)
    return (255 * gray).round().astype(np.uint8)
