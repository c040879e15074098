"""CIFAR-10: photographs of ten classes of objects."""

from pathlib import Path

from generalization.datasets.raw_dataset import RawDataset
from generalization.datasets.torchvision_source import cifar_dataset


def cifar10(data_root: Path | None = None) -> RawDataset:
    """Return 50,000 + 10,000 images of 3 channels and 32×32 pixels (Krizhevsky 2009).

    Args:
        data_root: Folder of the user with ``cifar-10-batches-py``, see ``cifar_dataset``.
    """
    return cifar_dataset(data_root, name="cifar10", torchvision_class="CIFAR10", classes=10)
