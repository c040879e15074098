"""Networks of another place, or of other shapes than they say, are named where they are read."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from oracles.convolutions import KINDS, hyperparameters_of, kept_convolutions
from oracles.made_up import kept
from torch import Generator

from generalization.activations import Activations, write_activations
from generalization.errors import InputError
from generalization.networks.block_file import read_block
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.networks_file import read_networks, write_networks
from generalization.networks.tensor_file import read_tensors, write_tensors

KEPT = kept(biases=True, normalization="batch")
NAME = KEPT.hyperparameters.name
INPUTS = torch.randn(3, 1, 2, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def block(tmp_path):
    """A file of networks in the folder of its block."""
    path = tmp_path / NAME / "seeds-1-2/networks.safetensors"
    write_networks(path, KEPT)
    return path


def test_networks_are_read_from_their_folder_and_from_any_that_is_no_block(block, tmp_path):
    elsewhere = tmp_path / "networks.safetensors"
    shutil.copy(block, elsewhere)
    for path in (block, elsewhere):
        read = read_block(path)
        assert read.hyperparameters == KEPT.hyperparameters
        assert torch.equal(read.networks[-1].weights[0], KEPT.networks[-1].weights[0])


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_of_convolutional_networks_are_those_that_they_describe(tmp_path, kind):
    written = kept_convolutions(hyperparameters_of(kind, normalization="batch", biases=True))
    write_networks(tmp_path / "networks.safetensors", written)
    assert read_block(tmp_path / "networks.safetensors").seeds == written.seeds


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("digits-ffffffff/seeds-1-2", "digits-ffffffff with seeds 1 to 2"),
        (f"{NAME}/seeds-3-4", f"{NAME} with seeds 3 to 4"),
        (f"{NAME}/seeds-1-3", f"{NAME} with seeds 1 to 3"),
    ],
)
def test_a_file_that_was_copied_from_elsewhere_is_named(block, tmp_path, folder, expected):
    (tmp_path / folder).mkdir(parents=True)
    copied = block.rename(tmp_path / folder / block.name)
    with pytest.raises(InputError) as error:
        read_block(copied)
    assert str(error.value) == (
        f"{copied} must hold networks of {expected}, not of {NAME} with seeds 1, 2; without it "
        "the same command makes it again."
    )


def test_a_record_that_was_copied_from_elsewhere_is_named(tmp_path):
    path = tmp_path / NAME / "seeds-1-2/activations.h5"
    write_activations(path, KEPT, INPUTS)
    with Activations(path) as record:
        assert record.ensemble == NAME
    copied = path.rename(tmp_path / NAME / "activations.h5")
    (tmp_path / "digits-ffffffff/seeds-1-2").mkdir(parents=True)
    copied = copied.rename(tmp_path / "digits-ffffffff/seeds-1-2/activations.h5")
    with pytest.raises(InputError, match=rf"^{copied} must hold networks of digits-ffffffff with"):
        Activations(copied)


@pytest.mark.parametrize("script", sorted(Path("scripts").glob("*.py")), ids=lambda path: path.stem)
def test_scripts_read_networks_as_those_of_their_folder(script):
    assert "read_networks" not in script.read_text()


def without(name):
    return lambda tensors: {key: one for key, one in tensors.items() if key != name}


def changed(name, change):
    return lambda tensors: tensors | {name: change(tensors[name]).contiguous()}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            changed("layers.1.weight", lambda weight: weight[..., :4]),
            "layers.1.weight must have shape (3, 2, 5, 5), not (3, 2, 5, 4)",
        ),
        (
            changed("layers.0.bias", lambda bias: bias[..., :1]),
            "layers.0.bias must have shape (3, 2, 5), not (3, 2, 1)",
        ),
        (
            changed("layers.1.norm.mean", lambda mean: mean[..., :1]),
            "layers.1.norm.mean must have shape (3, 2, 5), not (3, 2, 1)",
        ),
        (without("layers.2.bias"), "layers.2.bias must have shape (3, 2, 4), not none"),
        (
            lambda tensors: tensors | {"layers.2.mask": torch.zeros(3, 2, 4)},
            "layers.2.mask must have shape none, not (3, 2, 4)",
        ),
        (
            lambda tensors: {name: torch.cat([one, one]) for name, one in tensors.items()},
            "layers.0.bias must have shape (3, 2, 5), not (6, 2, 5)",
        ),
        (
            lambda tensors: {name: one[:, :1].contiguous() for name, one in tensors.items()},
            "layers.0.bias must have shape (3, 2, 5), not (3, 1, 5)",
        ),
    ],
    ids=["fan-in", "bias", "mean", "missing", "more", "steps", "seeds"],
)
def test_tensors_of_other_shapes_than_described_are_named(block, change, told):
    description, tensors = read_tensors(block)
    write_tensors(block, change(tensors), description)
    with pytest.raises(InputError) as error:
        read_block(block)
    assert str(error.value) == (
        f"networks must have the shapes that '{block}' describes ({told}); without it the same "
        "command makes it again."
    )


@pytest.mark.parametrize(
    "change",
    [{"statuses": ("fitted",)}, {"steps": ((0, 0), (8, 8), (30,))}],
    ids=["statuses", "steps"],
)
def test_descriptions_of_another_number_of_networks_are_named(block, change):
    write_networks(block, replace(KEPT, **change))
    told = "2 networks must have as many steps and statuses"
    with pytest.raises(InputError, match=re.escape(f"({told})")):
        read_block(block)


def test_another_width_than_described_is_named(block, tmp_path):
    other = replace(KEPT.hyperparameters, width=6)
    path = tmp_path / other.name / "seeds-1-2/networks.safetensors"
    write_networks(path, replace(KEPT, hyperparameters=other))
    assert read_networks(path).hyperparameters.width == 6
    told = "layers.0.bias must have shape (3, 2, 6), not (3, 2, 5)"
    with pytest.raises(InputError, match=re.escape(f"({told})")):
        read_block(path)


MAPPED = """
import sys

from generalization.networks.block_file import read_block


def anonymous():
    lines = dict(line.split(":") for line in open("/proc/self/status"))
    return 1024 * int(lines["RssAnon"].split()[0])


read_block(sys.argv[1])  # What is imported late is there now.
before = anonymous()
kept = read_block(sys.argv[2])
print(anonymous() - before)
"""


def test_networks_stay_in_their_file_until_they_are_needed(block, tmp_path):
    """The checksum is of the file as it is mapped: the system may take this memory back."""
    wide = replace(KEPT.hyperparameters, width=1_000, normalization="none")
    stack = initialize_fully_connected((784, 1_000, 1_000, 10), "relu6", [Generator()] * 2)
    large = replace(KEPT, hyperparameters=replace(wide, biases=False), networks=(stack,) * 3)
    path = tmp_path / "large.safetensors"
    write_networks(path, large)
    assert path.stat().st_size > 40_000_000
    command = [sys.executable, "-c", MAPPED, str(block), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 4_000_000
