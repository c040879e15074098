import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from oracles.convolutions import KINDS, hyperparameters_of, kept_convolutions
from oracles.made_up import kept
from safetensors import safe_open
from safetensors.torch import save_file

from generalization.errors import InputError
from generalization.networks.networks_file import read_networks, write_networks


@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize("biases", [False, True])
def test_what_is_read_is_what_was_written(tmp_path, biases, normalization):
    written = kept(biases, normalization=normalization)
    write_networks(tmp_path / "networks.safetensors", written)
    read = read_networks(tmp_path / "networks.safetensors")
    assert (read.hyperparameters, read.seeds) == (written.hyperparameters, written.seeds)
    assert (read.steps, read.statuses) == (written.steps, written.statuses)
    for one, other in zip(read.networks, written.networks, strict=True):
        assert list(one.tensors) == list(other.tensors)
        assert all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())


@pytest.mark.parametrize("kind", KINDS)
def test_convolutional_networks_are_read_as_they_were_written(tmp_path, kind):
    written = kept_convolutions(hyperparameters_of(kind, normalization="batch", biases=True))
    write_networks(tmp_path / "networks.safetensors", written)
    read = read_networks(tmp_path / "networks.safetensors")
    assert read.hyperparameters == written.hyperparameters
    for one, other in zip(read.networks, written.networks, strict=True):
        assert one.architecture == other.architecture
        assert list(one.tensors) == list(other.tensors)
        assert all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())


def test_other_programs_find_convolutions_too(tmp_path):
    written = kept_convolutions(hyperparameters_of("vgg"))
    write_networks(tmp_path / "networks.safetensors", written)
    with safe_open(tmp_path / "networks.safetensors", framework="numpy") as file:
        assert file.get_tensor("layers.2.weight").shape == (3, 2, 4, 2, 3, 3)
        assert file.get_tensor("layers.3.weight").shape == (3, 2, 3, 24)
        assert len(file.keys()) == 4
        assert json.loads(file.metadata()["description"])["image"] == [2, 9, 8]


def test_weights_of_another_shape_are_refused_in_one_sentence(tmp_path):
    path, written = tmp_path / "networks.safetensors", kept_convolutions(hyperparameters_of("vgg"))
    other = hyperparameters_of("vgg", width=5)
    write_networks(path, dataclasses.replace(written, hyperparameters=other))
    with pytest.raises(
        InputError,
        match=rf"^networks must be a whole safetensors file of this project, not '{path}' "
        r"\(ValueError: layers\.0\.weight must have shape \(5, 2, 3, 3\), not \(2, 2, 3, 3\)\)\.$",
    ):
        read_networks(path)


def test_other_programs_find_tensors_and_metadata(tmp_path):
    written = kept(biases=True, normalization="batch")
    write_networks(tmp_path / "networks.safetensors", written)
    with safe_open(tmp_path / "networks.safetensors", framework="numpy") as file:
        assert file.get_tensor("layers.0.weight").shape == (3, 2, 5, 6)
        assert file.get_tensor("layers.2.bias").shape == (3, 2, 4)
        for part in ("scale", "shift", "mean", "variance"):
            assert file.get_tensor(f"layers.1.norm.{part}").shape == (3, 2, 5)
        assert len(file.keys()) == 3 + 3 + 2 * 4
        metadata = file.metadata()
    assert list(metadata) == ["description"]
    description = json.loads(metadata["description"])
    assert description["seeds"] == [1, 2]
    assert description["steps"] == [[0, 0], [8, 8], [30, 8]]
    assert description["hyperparameters"]["activation"] == "relu6"
    assert description["dataset_sha256"] is None


def test_a_finished_network_is_reported_once():
    assert list(kept().distinct()) == [(0, 0, 0), (0, 1, 0), (1, 0, 8), (1, 1, 8), (2, 0, 30)]


def test_nothing_is_left_of_a_write_that_fails(tmp_path):
    broken = kept()
    object.__setattr__(broken, "seeds", {1})
    with pytest.raises(TypeError):
        write_networks(tmp_path / "networks.safetensors", broken)
    assert list(tmp_path.iterdir()) == []


WRITING = """
import sys
from dataclasses import replace
from oracles.made_up import kept
from generalization.networks.networks_file import write_networks

write_networks(sys.argv[1], replace(kept(True, normalization="batch"), dataset_sha256="ab"))
"""


def test_same_networks_make_the_same_bytes(tmp_path):
    tests = Path(__file__).parents[1]
    contents = set()
    for seed in ("1", "2", "3"):
        path = tmp_path / f"{seed}.safetensors"
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": f"{tests}:{tests.parent}",
        }
        subprocess.run([sys.executable, "-c", WRITING, str(path)], env=environment, check=True)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert read_networks(path).dataset_sha256 == "ab"


@pytest.mark.parametrize("metadata", [{}, {"description": "[1]"}, {"seeds": "[1, 2]"}])
def test_a_file_of_another_program_is_refused_in_one_sentence(tmp_path, metadata):
    path = tmp_path / "networks.safetensors"
    save_file({"layers.0.weight": torch.zeros(1, 1, 2, 3)}, path, metadata=metadata)
    sentence = (
        f"networks must be a whole safetensors file of this project, not '{path}' "
        "(ValueError: its metadata 'description' must be a JSON object)."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        read_networks(path)


@pytest.mark.parametrize("damage", ["missing", "cut", "random", "bit", "other"])
def test_damaged_file_is_reported_in_one_sentence(tmp_path, damage):
    path = tmp_path / "networks.safetensors"
    write_networks(path, kept())
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-100])
    elif damage == "bit":
        path.write_bytes(content[:-7] + bytes([content[-7] ^ 1]) + content[-6:])
    elif damage == "random":
        path.write_bytes(b"no networks here")
    else:
        save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(
        InputError,
        match=r"^networks must be a whole safetensors file of this project, "
        rf"not '{path}' \(.*\)\.$",
    ):
        read_networks(path)
