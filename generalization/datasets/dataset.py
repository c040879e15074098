"""A prepared dataset as tensors."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Images and their classes; the first n rows of either part are a random sample.

    With pixels from 0 (black) to 1 (white), an image is pixel_mean + pixel_deviation · input, with
    one mean and one deviation per image. If these are not given, inputs are such pixels. Where
    channels differ in what normalization removes, deviations are NaN and ``channel_black`` is set.

    Attributes:
        name: Name of the dataset.
        classes: Number of classes.
        train_inputs: Training images; as prepared, each has mean 0 and variance 1.
        train_labels: Training labels, from 0 to ``classes`` − 1.
        test_inputs: Test images.
        test_labels: Test labels.
        train_pixel_means: Means of the pixels of training images.
        train_pixel_deviations: Pixels per unit of input, for training images.
        test_pixel_means: Means of the pixels of test images.
        test_pixel_deviations: Pixels per unit of input, for test images.
        channel_black: Input of a black pixel by channel, where images share it and channels do not.
        sha256: Hash of the content of the file that the dataset was read from, if any.
    """

    name: str
    classes: int
    train_inputs: Float32[Tensor, "train channels height width"]
    train_labels: Int64[Tensor, "train"]
    test_inputs: Float32[Tensor, "test channels height width"]
    test_labels: Int64[Tensor, "test"]
    train_pixel_means: Float64[Tensor, "train"] | None = None
    train_pixel_deviations: Float64[Tensor, "train"] | None = None
    test_pixel_means: Float64[Tensor, "test"] | None = None
    test_pixel_deviations: Float64[Tensor, "test"] | None = None
    channel_black: Float64[Tensor, "channels"] | None = None
    sha256: str | None = None

    def __post_init__(self):
        for part, inputs in (("train", self.train_inputs), ("test", self.test_inputs)):
            for unit, value in (("pixel_means", 0), ("pixel_deviations", 1)):
                if getattr(self, f"{part}_{unit}") is None:
                    same = torch.full((len(inputs),), value, dtype=torch.float64)
                    object.__setattr__(self, f"{part}_{unit}", same.to(inputs.device))

    @property
    def train_black(self) -> Float32[Tensor, "train channels"]:
        """Input of a black pixel in each training image and channel."""
        samples, channels = self.train_inputs.shape[:2]
        black = self.channel_black
        if black is None:
            black = -(self.train_pixel_means / self.train_pixel_deviations).unsqueeze(1)
        return black.float().expand(samples, channels)

    def to(self, device: torch.device | str) -> Dataset:
        """Return the dataset on another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {name: x.to(device) for name, x in values.items() if torch.is_tensor(x)}
        return replace(self, **moved)


def read_dataset(path: Path) -> Dataset:
    """Read a dataset file written by ``prepare_dataset``."""
    # Imported here, because measures need no HDF5: their installation has none.
    from generalization.datasets.dataset_file import read_dataset_file

    arrays, attributes = read_dataset_file(path)
    return Dataset(
        name=attributes["name"],
        classes=int(attributes["classes"]),
        sha256=str(attributes["sha256"]),
        **{key.replace("/", "_"): torch.from_numpy(array) for key, array in arrays.items()},
    )
