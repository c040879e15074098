import numpy as np
import pytest

from generalization.datasets.raw_dataset import random_order, stratified_split


def test_order_never_changes():
    assert random_order(8, "digits train").tolist() == [0, 2, 6, 7, 3, 4, 1, 5]


def test_order_is_a_permutation_of_its_own_for_every_purpose():
    first, second = random_order(1000, "a"), random_order(1000, "b")
    assert sorted(first) == sorted(second) == list(range(1000))
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / 1000**0.5


@pytest.mark.parametrize("train_size", [0, 1, 17, 300, 599, 600])
def test_split_has_every_image_once_and_equal_parts_of_classes(train_size):
    labels = np.repeat([0, 1, 2], [100, 200, 300])
    images = np.arange(600, dtype=np.uint16).view(np.uint8).reshape(600, 1, 1, 2)
    raw = stratified_split(images, labels, train_size=train_size, name="toy", source="")
    parts = [
        np.ascontiguousarray(part).view(np.uint16).ravel()
        for part in (raw.train_images, raw.test_images)
    ]
    assert len(parts[0]) == train_size
    assert sorted(np.concatenate(parts)) == list(range(600))
    np.testing.assert_array_equal(labels[parts[0]], raw.train_labels)
    np.testing.assert_array_equal(labels[parts[1]], raw.test_labels)
    shares = np.array([1, 2, 3]) / 6 * train_size
    np.testing.assert_allclose(np.bincount(raw.train_labels, minlength=3), shares, atol=1)


def test_split_is_random_within_classes():
    """In a class sorted by time, the first and the second half are drawn equally often."""
    images = np.arange(1000, dtype=np.uint16).view(np.uint8).reshape(1000, 1, 1, 2)
    labels = np.zeros(1000, int)
    raw = stratified_split(images, labels, train_size=500, name="toy", source="")
    early = (np.ascontiguousarray(raw.train_images).view(np.uint16) < 500).sum()
    assert abs(early - 250) < 5 * (1000 / 16) ** 0.5
