"""From images as they are published to the file of a dataset. Imports no torch."""

from pathlib import Path

from generalization.datasets.dataset_file import write_dataset
from generalization.datasets.normalization import (
    NORMALIZATION,
    normalized_images,
    pixel_units,
)
from generalization.datasets.raw_dataset import RawDataset, random_order


def prepare_dataset(name: str, raw: RawDataset, path: Path) -> None:
    """Write the file of a dataset: images normalized, rows in a random order that never changes.

    Args:
        name: Of the dataset; the order depends on it.
        raw: Its images and labels.
        path: Of the file to write.
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
