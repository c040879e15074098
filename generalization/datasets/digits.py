"""Handwritten digits of 8×8 pixels, included in scikit-learn."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from generalization.datasets.raw_dataset import RawDataset, stratified_split, verify_sha256

SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def digits(data_root: Path | None = None) -> RawDataset:
    """Return 1,797 images of 17 gray levels, the test part of UCI optdigits (Alpaydin 1998)."""
    loaded = load_digits()
    images, labels = loaded.images.astype(np.uint8), loaded.target.astype(np.uint8)
    verify_sha256(images.tobytes() + labels.tobytes(), SHA256, "scikit-learn's digits")
    # ASSUME: scikit-learn's digits have no test set; 1,000 are used for training, 797 for testing.
    return stratified_split(
        images[:, None],
        labels,
        train_size=1000,
        name="digits",
        source="UCI optdigits (test part) in scikit-learn; sha256 of images and labels verified",
        white=16,
    )
