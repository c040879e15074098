import subprocess
import sys

import h5py
import pytest
import torch

from generalization.datasets.dataset import read_dataset
from generalization.datasets.digits import digits
from generalization.datasets.preparation import prepare_dataset


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("datasets") / "digits.h5"
    prepare_dataset("digits", digits(), path)
    return path


def test_digits_are_prepared_the_same_everywhere_and_for_ever(path):
    with h5py.File(path) as file:
        assert dict(file.attrs) == {
            "name": "digits",
            "classes": 10,
            "normalization": "each image to mean 0 and variance 1",
            "source": "UCI optdigits (test part) in scikit-learn; "
            "sha256 of images and labels verified",
            "sha256": "203402195f52827b099fce02f16774f3e52e2a2f9339b8eea0b634df9aa396b2",
        }


def test_images_keep_their_labels(path):
    """Every image is, up to contrast and brightness, a raw image of the same class."""
    dataset, raw = read_dataset(path), digits()
    for part in ("train", "test"):
        inputs = getattr(dataset, f"{part}_inputs").flatten(1)
        images = torch.from_numpy(getattr(raw, f"{part}_images")).float().flatten(1)
        correlations = torch.corrcoef(torch.cat([inputs, images]))[: len(inputs), len(inputs) :]
        best, partners = correlations.max(1)
        torch.testing.assert_close(best, torch.ones_like(best))
        assert sorted(partners.tolist()) == list(range(len(images)))
        labels = torch.from_numpy(getattr(raw, f"{part}_labels"))[partners]
        torch.testing.assert_close(getattr(dataset, f"{part}_labels"), labels.long())


def test_pixels_are_those_of_the_raw_images(path):
    """Grey values from 0 to 16, from 0 to 1: whole again after normalization, up to rounding."""
    dataset, raw = read_dataset(path), digits()
    for part in ("train", "test"):
        inputs, means, deviations = (
            getattr(dataset, f"{part}_{name}")
            for name in ("inputs", "pixel_means", "pixel_deviations")
        )
        pixels = means[:, None] + deviations[:, None] * inputs.flatten(1)
        torch.testing.assert_close(16 * pixels, (16 * pixels).round(), rtol=0, atol=1e-5)
        images = getattr(raw, f"{part}_images").reshape(len(pixels), -1)
        assert sorted((16 * pixels).round().tolist()) == sorted(images.astype(float).tolist())


def test_first_rows_are_a_random_sample(path):
    """Class counts of 100 rows agree with chance: chi² with 9 degrees of freedom."""
    dataset = read_dataset(path)
    for labels in (dataset.train_labels, dataset.test_labels):
        counts = labels[:100].bincount(minlength=10)
        assert ((counts - 10.0) ** 2 / 10).sum() < 33.7  # 0.01 % of random samples have more


def test_preparing_imports_no_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from generalization.datasets import cifar10, digits, mnist, mnist_subset, preparation\n"
        "raw, path = digits.digits(), Path(sys.argv[1])\n"
        "preparation.prepare_dataset('digits', raw, path)\n"
        "assert not {'torch', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "digits.h5")], check=True)
