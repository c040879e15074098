from math import sqrt

import numpy as np
import pytest

from generalization.datasets.normalization import normalized_images, pixel_units
from generalization.errors import InputError


def test_two_pixels_become_minus_one_and_one():
    images = np.array([3, 7], np.uint8).reshape(1, 1, 1, 2)
    assert normalized_images(images).tolist() == [[[[-1.0, 1.0]]]]


def test_every_image_has_mean_zero_and_variance_one_over_all_channels():
    images = np.random.default_rng(0).integers(256, size=(1001, 3, 5, 4), dtype=np.uint8)
    normalized = normalized_images(images)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized.mean((1, 2, 3), dtype=np.float64), 0, atol=1e-7)
    np.testing.assert_allclose(normalized.var((1, 2, 3), dtype=np.float64), 1, atol=1e-6)
    image = images[1000].astype(float)
    np.testing.assert_allclose(
        normalized[1000], (image - image.mean()) / image.std(), rtol=1e-6, atol=1e-7
    )


def test_bits_of_8_bit_images_are_those_of_whole_numbers():
    """The definition in Python's integers, up to the last division: no machine can differ."""
    images = np.random.default_rng(0).integers(256, size=(3, 3, 32, 32), dtype=np.uint8)
    for image, normalized in zip(images, normalized_images(images), strict=True):
        values = [int(value) for value in image.ravel()]
        centered = [len(values) * value - sum(values) for value in values]
        variance = sum(number**2 for number in centered) / len(values)
        expected = [number / sqrt(variance) for number in centered]
        np.testing.assert_array_equal(normalized.ravel(), np.array(expected, np.float32))


def test_brightness_and_contrast_before_do_not_matter():
    images = np.random.default_rng(0).random((4, 1, 6, 6), dtype=np.float32)
    np.testing.assert_allclose(
        normalized_images(7 * images - 3), normalized_images(images), rtol=1e-5, atol=1e-5
    )


def test_pixel_units_undo_normalization():
    """Oracle: numpy's mean and standard deviation of every image."""
    images = np.random.default_rng(0).integers(17, size=(1001, 3, 5, 4), dtype=np.uint8)
    means, deviations = pixel_units(images, white=16)
    np.testing.assert_allclose(means, images.mean((1, 2, 3)) / 16, rtol=1e-14)
    np.testing.assert_allclose(deviations, images.std((1, 2, 3)) / 16, rtol=1e-14)
    scales = np.stack([means, deviations])[..., None, None, None]
    pixels = scales[0] + scales[1] * normalized_images(images)
    np.testing.assert_allclose(pixels, images / 16, atol=1e-6)


def test_black_and_white_halves_have_half_the_range():
    images = np.array([[0, 255], [255, 255]], np.uint8).reshape(2, 1, 1, 2)
    means, deviations = pixel_units(images, white=255)
    assert (means.tolist(), deviations.tolist()) == ([0.5, 1], [0.5, 0])


def test_constant_image_is_refused():
    images = np.random.default_rng(0).random((1600, 1, 3, 3), dtype=np.float32)
    images[1500] = 0.1
    sentence = r"^Images must not be constant to be normalized, but image 1500 is\.$"
    with pytest.raises(InputError, match=sentence):
        normalized_images(images)
