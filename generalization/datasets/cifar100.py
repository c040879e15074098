"""CIFAR-100: photographs of a hundred kinds of things."""

from pathlib import Path

from generalization.datasets.raw_dataset import RawDataset
from generalization.datasets.torchvision_source import cifar_dataset


def cifar100(data_root: Path | None = None) -> RawDataset:
    """50,000 + 10,000 images of 3 channels and 32×32 pixels, fine labels (Krizhevsky 2009).

    Args:
        data_root: Folder of the user with ``cifar-100-python``; see ``cifar_dataset``.
    """
    return cifar_dataset(data_root, name="cifar100", torchvision_class="CIFAR100", classes=100)
