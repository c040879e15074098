import re

import numpy as np
import pytest

from generalization.catalog import DATASETS
from generalization.datasets import fashion_mnist as module
from generalization.errors import InputError


@pytest.mark.skipif(
    not module.DEBIAN_FOLDER.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)
def test_debian_has_the_published_images(shape_of):
    """Counts, mean and standard deviation as everyone else finds them."""
    raw = module.fashion_mnist()
    assert shape_of(raw) == DATASETS["fashion_mnist"]
    assert np.bincount(raw.train_labels).tolist() == [6000] * 10
    assert np.bincount(raw.test_labels).tolist() == [1000] * 10
    assert raw.train_images.mean() / 255 == pytest.approx(0.2860, abs=5e-5)
    assert raw.train_images[:10_000].std() / 255 == pytest.approx(0.3530, abs=2e-3)
    ankle_boot = raw.train_images[0, 0]
    assert raw.train_labels[0] == 9
    assert ankle_boot[-8:].mean() > 3 * ankle_boot[:8].mean()  # the sole is below


def test_error_advises_debians_package(tmp_path, no_network, cache, monkeypatch):
    monkeypatch.setattr(module, "DEBIAN_FOLDER", tmp_path / "debian")
    sentence = (
        f"fashion_mnist is in none of {tmp_path}/debian, {cache}/FashionMNIST/raw, and "
        "torchvision could not download it (<urlopen error no network>): install Debian's package "
        "dataset-fashion-mnist, or set data_root to a folder that holds train-images-idx3-ubyte, "
        "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        module.fashion_mnist()
