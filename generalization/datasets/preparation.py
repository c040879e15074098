"""Preparation of dataset files from published images. Does not import torch."""

from pathlib import Path

from generalization.datasets.dataset_file import write_dataset
from generalization.datasets.normalization import (
    NORMALIZATION,
    normalized_images,
    pixel_units,
)
from generalization.datasets.raw_dataset import RawDataset, random_order


def prepare_dataset(name: str, raw: RawDataset, path: Path) -> None:
    """Write a dataset file with normalized images, in a fixed random order.

    Args:
        name: Name of the dataset, which determines the order.
        raw: Images and labels.
        path: Path of the file to write.
    """
    arrays = {}
    for part, images, labels in (
        ("train", raw.train_images, raw.train_labels),
        ("test", raw.test_images, raw.test_labels),
    ):
        order = random_order(len(labels), f"{name} {part}")
        arrays[f"{part}/inputs"] = normalized_images(images[order])
        arrays[f"{part}/labels"] = labels[order]
        means, deviations = pixel_units(images[order], white=raw.white)
        arrays |= {f"{part}/pixel_means": means, f"{part}/pixel_deviations": deviations}
    write_dataset(
        path,
        arrays,
        name=name,
        classes=raw.classes,
        normalization=NORMALIZATION,
        source=raw.source,
    )
