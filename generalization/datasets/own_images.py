"""Folders of images of a user, a folder per class; what 8 bits of gray or RGB lose is refused.

Args:
    folder: Folder with a folder per class.
    place: Key and source of the images, for sentences.
    file: File of an image.
    image: Image of which the header is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from generalization.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".tif", ".tiff")

# Beside hidden files and folders, what file managers and archives leave behind.
LEFT_BEHIND = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
GRAY, COLORS = {"1", "L"}, {"P", "PA", "LA", "RGB", "RGBA"}
ORIENTATION = 0x0112  # Tag of EXIF; 1 is upright.


def image_arrays(folder: Path, place: str) -> tuple[np.ndarray, np.ndarray]:
    """Read images, a folder per class.

    Returns:
        Pixels from 0 to 1 in float32, channels first; names of classes, which are those of folders.

    Raises:
        InputError: If there are none, if anything is where it would not be read, or if an image
            cannot be read as it looks, or has another shape.
    """
    beside = [one.name for one in _visible(folder) if one.suffix.lower() in IMAGES]
    if beside:
        raise InputError(
            f"{place} must have every image in the folder of its class, not {beside[0]} beside "
            "the folders."
        )
    files = [file for one in class_folders(folder) for file in _images(one, place)]
    if not files:
        raise InputError(f"{place} must have one folder of images per class, not none.")
    arrays: list[np.ndarray] = []
    for file in files:
        arrays.append(_pixels(file, place))
        if arrays[-1].shape != arrays[0].shape:
            first, other = (one.relative_to(folder) for one in (files[0], file))
            raise InputError(
                f"{place} must have images of one shape, not {arrays[0].shape} of {first} and "
                f"{arrays[-1].shape} of {other}."
            )
    return np.stack(arrays), np.array([file.parent.name for file in files])


def class_folders(folder: Path) -> list[Path]:
    """Return the folders of classes, in alphabetical order."""
    return [one for one in _visible(folder) if one.is_dir()]


def _visible(folder: Path) -> list[Path]:
    """Return what is in a folder, in alphabetical order, without what is hidden or left behind."""
    return sorted(
        one
        for one in folder.iterdir()
        if not one.name.startswith(".") and one.name.lower() not in LEFT_BEHIND
    )


def _images(folder: Path, place: str) -> list[Path]:
    """Return the images of a class.

    Args:
        folder: Folder of the class.

    Raises:
        InputError: If there is none, or anything else.
    """
    found = _visible(folder)
    for one in found:
        if one.is_dir() or one.suffix.lower() not in IMAGES:
            kind = "folder" if one.is_dir() else "file"
            raise InputError(
                f"{place} must have only images ({', '.join(IMAGES)}) in the folder of a class, "
                f"not the {kind} {folder.name}/{one.name}."
            )
    if not found:
        raise InputError(
            f"{place} must have images in the folder of every class, but {folder.name} has none."
        )
    return found


def _pixels(file: Path, place: str) -> np.ndarray:
    """Read an image, channels first.

    Raises:
        InputError: If it cannot be read, or not as it looks.
        MemoryError: If it does not fit into memory.
    """
    from PIL import Image

    try:
        with Image.open(file) as image:
            for fault in _faults(image, file):
                raise InputError(f"{place} must have images {fault}.")
            array = np.asarray(image.convert("L" if image.mode in GRAY else "RGB"), np.float32)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Other bytes than those of an image fail in any way.
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"{place} must have images that can be read, but {file} cannot be: {reason}."
        ) from error
    array /= 255
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _faults(image: Image, file: Path) -> Iterator[str]:
    """Yield what an image must be, and is not."""
    deep = _deep(image)
    if deep:
        yield f"of 8 bits per channel, but {file} has pixels of mode {deep}: a .npz file keeps them"
    if image.mode not in GRAY | COLORS:
        yield f"in gray, RGB or a palette, but {file} has pixels of mode {image.mode}"
    # Further pictures in a photograph (MPO) are previews of the first.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        yield f"of one frame, but {file} has {frames}"
    turned = image.getexif().get(ORIENTATION, 1)
    if turned in range(2, 9):
        yield (
            f"that are stored upright, but {file} is to be turned (EXIF orientation {turned}), "
            "which ImageOps.exif_transpose of Pillow does"
        )
    # Where it is transparent, the color is arbitrary.
    if image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255:
        yield f"without transparency, but {file} is transparent in places"


def _deep(image: Image) -> str:
    """Return the mode of pixels of more than 8 bits per channel, which Pillow may cut off."""
    if image.mode.startswith(("I", "F")):
        return image.mode
    for tile in image.tile:  # The decoder is told how pixels are stored.
        told = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        if isinstance(told[0], str) and ";16" in told[0] and image.format in {"PNG", "TIFF"}:
            return told[0]
        if image.format == "PPM" and len(told) > 1 and told[1] > 255:
            return f"{told[0]} up to {told[1]}"
    return ""
