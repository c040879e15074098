"""CIFAR-100: photographs of a hundred classes of objects."""

from pathlib import Path

from generalization.datasets.raw_dataset import RawDataset
from generalization.datasets.torchvision_source import cifar_dataset


def cifar100(data_root: Path | None = None) -> RawDataset:
    """Return 50,000 + 10,000 images of 3 × 32 × 32 pixels with fine labels (Krizhevsky 2009).

    Args:
        data_root: Folder of the user with ``cifar-100-python``, see ``cifar_dataset``.
    """
    return cifar_dataset(data_root, name="cifar100", torchvision_class="CIFAR100", classes=100)
