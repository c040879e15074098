import re
from pathlib import Path

import numpy as np
import pytest
import torchvision

from generalization.datasets.cifar10 import cifar10
from generalization.errors import InputError

FOLDER = "cifar-10-batches-py"


@pytest.mark.parametrize(
    ("place", "data_root"),
    [(FOLDER, "~"), (FOLDER, f"~/{FOLDER}"), (f"cifar10/{FOLDER}", "~")],
)
def test_what_was_written_is_read(
    tmp_path, write_cifar, without_md5, place, data_root, monkeypatch
):
    """A row of a batch is the red plane, then the green, then the blue, each row by row."""
    cifar = torchvision.datasets.CIFAR10
    rows, labels = write_cifar(cifar, tmp_path / place, "labels")
    without_md5(cifar)
    monkeypatch.setenv("HOME", str(tmp_path))
    raw = cifar10(Path(data_root))
    images = rows.reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(raw.train_images, images[:10])
    np.testing.assert_array_equal(raw.test_images, images[10:])
    assert raw.train_labels.tolist() == labels[:10].tolist()
    assert raw.test_labels.tolist() == labels[10:].tolist()
    assert raw.classes == 10
    assert raw.source == "CIFAR10 by torchvision, which verified the MD5 of every file"


def test_earlier_download_is_found(write_cifar, without_md5, cache):
    cifar = torchvision.datasets.CIFAR10
    _, labels = write_cifar(cifar, cache / FOLDER, "labels")
    without_md5(cifar)
    assert cifar10().test_labels.tolist() == labels[10:].tolist()


def test_other_content_is_refused_before_it_is_unpickled(tmp_path, write_cifar):
    write_cifar(torchvision.datasets.CIFAR10, tmp_path / FOLDER, "labels")
    sentence = (
        f"The files of cifar10 in {tmp_path}/{FOLDER} must have the published MD5, and do not."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        cifar10(tmp_path)


def test_error_names_every_place_that_was_tried(tmp_path, no_network, cache):
    sentence = (
        f"cifar10 is in none of {tmp_path}, {tmp_path}/{FOLDER}, {tmp_path}/cifar10/{FOLDER}, "
        f"{cache}/{FOLDER}, and torchvision could not download it (<urlopen error no network>): "
        f"set data_root to a folder that holds {FOLDER}."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        cifar10(tmp_path)
