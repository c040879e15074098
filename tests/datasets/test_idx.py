import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torchvision

from generalization.datasets.idx import FILES, idx_dataset
from generalization.errors import InputError


@pytest.fixture
def read(idx_sha256):
    return partial(idx_dataset, name="toy", torchvision_class="MNIST", sha256=idx_sha256)


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("folder", ["", "MNIST/raw", "toy"])
def test_what_was_written_is_read(tmp_path, read, write_idx, idx_arrays, folder, gzipped):
    write_idx(tmp_path / "data" / folder, gzipped=gzipped)
    raw = read(tmp_path / "data")
    found = (raw.train_images, raw.train_labels, raw.test_images, raw.test_labels)
    for array, expected in zip(found, idx_arrays, strict=True):
        np.testing.assert_array_equal(array.squeeze(), expected)
    assert raw.train_images.shape == (3, 1, 4, 5)
    assert raw.source == "MNIST; sha256 of the four published files verified"


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_names_with_a_dot(tmp_path, read, write_idx, idx_arrays, suffix):
    folder = tmp_path / "data"
    write_idx(folder, gzipped=bool(suffix))
    for file in FILES[:3]:
        dotted = file.replace("-idx", ".idx")
        (folder / f"{file}{suffix}").rename(folder / f"{dotted}{suffix}")
    raw = read(folder)
    np.testing.assert_array_equal(raw.train_images[:, 0], idx_arrays[0])
    np.testing.assert_array_equal(raw.test_labels, idx_arrays[3])


def test_error_lists_what_was_found_and_what_is_missing(tmp_path, read, write_idx, no_network):
    folder = tmp_path / "data"
    write_idx(folder, gzipped=True)
    (folder / f"{FILES[0]}.gz").rename(folder / "train-images.idx3-ubyte.gz")
    (folder / f"{FILES[1]}.gz").unlink()
    (folder / f"{FILES[3]}.gz").unlink()
    sentence = (
        f"{folder} must hold the four files of toy, gzipped or not, but holds only "
        "train-images.idx3-ubyte.gz, t10k-images-idx3-ubyte.gz and lacks train-labels-idx1-ubyte, "
        "t10k-labels-idx1-ubyte."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        read(folder)


def test_places_are_tried_in_order(tmp_path, read, write_idx, cache):
    """A place is recognized by its broken file: what is wrong with the first is said."""
    places = [tmp_path / "data", tmp_path / "system", cache / "MNIST" / "raw"]
    for place in places:
        write_idx(place)
        (place / FILES[0]).write_bytes(b"broken")
    for place in places:
        with pytest.raises(InputError, match=f"^{place / FILES[0]}, unpacked, must have sha256"):
            read(tmp_path / "data", other_folders=(tmp_path / "system",))
        (place / FILES[1]).unlink()


def test_files_of_another_dataset_are_passed_over(tmp_path, read, write_idx, idx_arrays):
    """Those of MNIST and of Fashion-MNIST have the same names."""
    write_idx(tmp_path / "data")
    (tmp_path / "data" / FILES[2]).write_bytes(b"of another dataset")
    write_idx(tmp_path / "system")
    raw = read(tmp_path / "data", other_folders=(tmp_path / "system",))
    np.testing.assert_array_equal(raw.test_images[:, 0], idx_arrays[2])


def test_other_content_is_refused(tmp_path, read, write_idx, idx_sha256):
    write_idx(tmp_path / "data")
    (tmp_path / "data" / FILES[2]).write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    sentence = (
        f"{tmp_path}/data/{FILES[2]}, unpacked, must have sha256 {idx_sha256[FILES[2]]}, "
        f"not {empty}."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        read(tmp_path / "data")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[:-9], "Compressed file ended before the end-of-stream marker was"),
        (lambda content: b"no" + content[2:], "Not a gzipped file (b'no')"),
        (lambda content: content[:10] + b"\xff" + content[11:], "Error -3 while decompressing"),
    ],
)
def test_damaged_gzip_file_is_refused(tmp_path, read, write_idx, damage, reason):
    write_idx(tmp_path / "data", gzipped=True)
    path = tmp_path / "data" / f"{FILES[0]}.gz"
    path.write_bytes(damage(path.read_bytes()))
    sentence = f"{path} must be a whole gzip file ({reason}"
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}.*\\)\\.$"):
        read(tmp_path / "data")


def test_error_names_every_place_that_was_tried(tmp_path, read, no_network, cache):
    sentence = (
        f"toy is in none of {tmp_path}/data, {tmp_path}/data/MNIST/raw, {tmp_path}/data/toy, "
        f"/system, {cache}/MNIST/raw, and torchvision could not download it "
        "(<urlopen error no network>): ask someone, or set data_root to a folder that holds "
        "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
        "t10k-labels-idx1-ubyte."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$") as error:
        read(tmp_path / "data", other_folders=(Path("/system"),), advice="ask someone, or ")
    assert error.value.__suppress_context__
    assert list(cache.iterdir()) == []


def test_download_is_kept_whole(read, write_idx, idx_arrays, cache, monkeypatch):
    downloads = []

    class Downloading:
        def __init__(self, root, download):
            downloads.append(root)
            write_idx(Path(root) / "MNIST" / "raw")

    monkeypatch.setattr(torchvision.datasets, "MNIST", Downloading)
    for _ in range(2):
        np.testing.assert_array_equal(read(None).train_labels, idx_arrays[1])
    assert len(downloads) == 1
    assert list(cache.iterdir()) == [cache / "MNIST"]
