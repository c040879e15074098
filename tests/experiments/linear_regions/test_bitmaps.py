import numpy as np
import pytest

from generalization.experiments.linear_regions.bitmaps import gray_levels, packed, unpacked


def test_rows_of_bits_are_whole_bytes_with_the_most_significant_bit_first():
    pixels = np.array([[1, 0, 0, 1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0]], bool)
    assert packed(pixels) == ["0x9080", "0x0000"]
    assert packed(np.array([[0, 30, 255]], np.uint8)) == ["0x001eff"]


@pytest.mark.parametrize("columns", [1, 8, 28])
def test_unpacking_undoes_packing(columns):
    pixels = np.random.default_rng(0).integers(0, 256, (5, columns), np.uint8)
    assert (unpacked(packed(pixels)) == pixels).all()
    bits = np.unpackbits(unpacked(packed(pixels > 99)), axis=1, count=columns)
    assert (bits == (pixels > 99)).all()


def test_gray_levels_run_from_the_least_to_the_greatest_mean_over_channels():
    image = np.array([[[-1.0, 3.0, 0.0]], [[1.0, 5.0, 4.0]]])
    assert gray_levels(image).tolist() == [[0, 255, 128]]
    assert gray_levels(np.ones((1, 1, 2), np.float32)).tolist() == [[0, 0]]
