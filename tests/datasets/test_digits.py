import numpy as np
import pytest
from sklearn.datasets import load_digits

from generalization.catalog import DATASETS
from generalization.datasets import digits as module
from generalization.errors import InputError


def test_every_image_is_in_one_part_with_its_label(shape_of):
    """Images are distinct, so that a sorted list of them, with labels, says it all."""
    raw, loaded = module.digits(), load_digits()
    images = np.concatenate([raw.train_images, raw.test_images]).reshape(-1, 64)
    labels = np.concatenate([raw.train_labels, raw.test_labels])
    expected = sorted(zip(loaded.data.tolist(), loaded.target.tolist(), strict=True))
    assert sorted(zip(images.tolist(), labels.tolist(), strict=True)) == expected
    assert shape_of(raw) == DATASETS["digits"]


def test_every_class_has_its_share_of_the_training_set():
    raw = module.digits()
    train, test = np.bincount(raw.train_labels), np.bincount(raw.test_labels)
    np.testing.assert_allclose(train, (train + test) * 1000 / 1797, atol=1)


def test_other_images_are_refused(monkeypatch):
    monkeypatch.setattr(module, "SHA256", "0")
    sentence = (
        r"^scikit-learn's digits must have sha256 0, not "
        r"87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826\.$"
    )
    with pytest.raises(InputError, match=sentence):
        module.digits()
