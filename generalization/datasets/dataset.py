"""A dataset, ready for networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from generalization.datasets.dataset_file import read_dataset_file


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Normalized images and their classes; the first n rows of either part are a random sample.

    Attributes:
        name: Of the dataset.
        classes: Number of classes.
        train_inputs: Every image has mean 0 and variance 1.
        train_labels: From 0 to ``classes`` − 1.
        test_inputs: As ``train_inputs``.
        test_labels: As ``train_labels``.
    """

    name: str
    classes: int
    train_inputs: Float32[Tensor, "train channels height width"]
    train_labels: Int64[Tensor, "train"]
    test_inputs: Float32[Tensor, "test channels height width"]
    test_labels: Int64[Tensor, "test"]

    def to(self, device: torch.device | str) -> Dataset:
        """The dataset on another device."""
        return replace(
            self,
            train_inputs=self.train_inputs.to(device),
            train_labels=self.train_labels.to(device),
            test_inputs=self.test_inputs.to(device),
            test_labels=self.test_labels.to(device),
        )


def read_dataset(path: Path) -> Dataset:
    """The dataset of a file that ``prepare_dataset`` wrote."""
    arrays, attributes = read_dataset_file(path)
    return Dataset(
        name=attributes["name"],
        classes=int(attributes["classes"]),
        **{key.replace("/", "_"): torch.from_numpy(array) for key, array in arrays.items()},
    )
