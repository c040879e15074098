"""Whatever happens to a file that is read again is told in one sentence that names the file."""

import json
import pickle
import shutil
import subprocess
import time
from functools import partial
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from oracles.blobs import blobs
from oracles.made_up import kept

from generalization.activations import Activations, write_activations
from generalization.collecting import read_tables
from generalization.datasets.dataset import read_dataset
from generalization.datasets.dataset_file import write_dataset
from generalization.errors import InputError
from generalization.files import read_checked, write_checked
from generalization.hyperparameters import Hyperparameters
from generalization.networks.networks_file import read_networks, write_networks
from generalization.tables import read_table, write_table
from generalization.training import train_ensemble

INPUTS = torch.randn(11, 1, 2, 3, generator=torch.Generator().manual_seed(0))
TRAINING = Hyperparameters(dataset="blobs", width=5, batch_size=16, max_steps=20)


def write_some_dataset(path):
    generator = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 5), ("test", 4)):
        arrays[f"{part}/inputs"] = generator.random((count, 2, 4, 3))
        arrays[f"{part}/labels"] = generator.integers(3, size=count)
        arrays[f"{part}/pixel_means"] = generator.random(count)
        arrays[f"{part}/pixel_deviations"] = generator.random(count)
    words = {"name": "toy", "classes": 3, "normalization": "none", "source": "made here"}
    write_dataset(path, arrays, **words)


class Killed(Exception):
    """Stands for a kill after the first checkpoint."""


def write_some_checkpoint(path):
    calls = []

    def report(done, share):
        calls.append(done)
        if len(calls) == 4:
            raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr("generalization.training.ensemble.REPORT_SECONDS", 0.0)
        train_ensemble(
            blobs(), TRAINING, (1, 2), checkpoint=path, checkpoint_seconds=0.0, report=report
        )


def read_checkpoint(path):
    return repr(train_ensemble(blobs(), TRAINING, (1, 2), checkpoint=path).training)


def write_some_table(path):
    values = np.random.default_rng(0).random(40)
    write_table(path, pd.DataFrame({"ensemble": "toy-00000000", "seed": 1, "value": values}))


def read_all_activations(path):
    with Activations(path) as record:
        described = repr([record.ensemble, record.kind, record.seeds, record.steps, record.depth])
        networks = [(seed, step) for seed in record.seeds for step in range(len(record.steps))]
        inputs, layers = record.stacked(networks)
        return (
            described,
            record.inputs_hash,
            *(tensor.numpy().tobytes() for tensor in layers),
            (inputs.numpy().tobytes()),
        )


def read_all_networks(path):
    read = read_networks(path)
    tensors = [
        (name, tensor.numpy().tobytes())
        for stack in read.networks
        for name, tensor in stack.tensors.items()
    ]
    return repr([read.hyperparameters, read.seeds, read.steps, read.statuses]), tensors


def read_all_of_dataset(path):
    about = vars(read_dataset(path))
    return [
        value.numpy().tobytes() if torch.is_tensor(value) else value for value in about.values()
    ]


COPIES = partial(write_activations, layers=range(2), samples_per_chunk=3)
ZSTD = partial(write_activations, compression="zstd")

# Kind of file → its name, how it is written, how all of it is read, and how its sentence begins.
KINDS = {
    "networks": (
        "networks.safetensors",
        lambda path: write_networks(path, kept(biases=True)),
        read_all_networks,
        "networks must be a whole safetensors file of this project, not '{path}' (",
    ),
    "checkpoint": (
        "checkpoint-0.safetensors",
        write_some_checkpoint,
        read_checkpoint,
        "checkpoint must be a whole file of this project, not '{path}' (",
    ),
    **{
        name: (
            f"{name}.h5",
            lambda path, write=write: write(path, kept(), INPUTS),
            read_all_activations,
            "activations must be a whole HDF5 file of this project, not '{path}' (",
        )
        for name, write in {
            "activations": write_activations,
            "noisy_copies": COPIES,
            "compressed": ZSTD,
        }.items()
    },
    "dataset": ("toy.h5", write_some_dataset, read_all_of_dataset, "The dataset {path} must "),
    "table": ("training.csv", write_some_table, read_table, "{path} must have the contents "),
    "one of many tables": (
        "weight_norm.csv",
        write_some_table,
        lambda path: read_tables([path]),
        "{path} must have the contents ",
    ),
    "text": (
        "summary.txt",
        lambda path: write_checked(path, "ρ is 0.7.\nNo network diverged.\n".encode()),
        read_checked,
        "{path} must have the contents ",
    ),
}


def flipped(content, place, bit=0):
    place %= len(content)
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def at(share):
    """A place within a file, by its share of the bytes."""
    return lambda content: flipped(content, int(share * len(content)), 3)


# What may happen to the bytes of any file.
DAMAGES = {
    "first byte": lambda content: flipped(content, 0),
    "ninth byte": lambda content: flipped(content, 8, 1),
    **{f"a bit at {share}": at(share) for share in (0.2, 0.4, 0.5, 0.6, 0.8, 0.9)},
    "last byte": lambda content: flipped(content, -1, 2),
    "last 8 bytes lost": lambda content: content[:-8],
    "half": lambda content: content[: len(content) // 2],
    "one byte": lambda content: content[:1],
    "empty": lambda content: b"",
    "begun later": lambda content: content[64:],
    "doubled": lambda content: content + content,
    "zeros": lambda content: bytes(len(content)),
    "zeros at the end": lambda content: content[: len(content) // 2] + bytes(len(content) // 2),
    "noise": lambda content: np.random.default_rng(0).bytes(len(content)),
    "text": lambda content: b"This is not it.\n" * 9,
    "page of an error": lambda content: b"<html><body>404 Not Found</body></html>",
    "JSON": lambda content: b'{"seeds": [1, 2]}',
    "line ends of another system": lambda content: content.replace(b"\n", b"\r\n") + b"\r\n",
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Kind → a sound file of it, and what is read from it."""
    folder, files = tmp_path_factory.mktemp("sound"), {}
    for kind, (name, write, read, _) in KINDS.items():
        path = folder / kind / name
        path.parent.mkdir()
        write(path)
        copied = shutil.copytree(path.parent, folder / f"read-{kind}")
        files[kind] = path, read(copied / name)
    return files


def same(one, other):
    return one.equals(other) if isinstance(one, pd.DataFrame) else one == other


@pytest.fixture
def damaged(sound, tmp_path):
    """Copy a sound file, with what stands beside it, and change its bytes."""

    def change(kind, damage):
        path = shutil.copytree(sound[kind][0].parent, tmp_path / "copy") / KINDS[kind][0]
        path.write_bytes(damage(path.read_bytes()))
        return path

    return change


HDF5 = ("activations", "noisy_copies", "compressed", "dataset")


def refused(kind, path):
    """Whether a file is refused, and what is said about it, or what is read from it."""
    try:
        return False, KINDS[kind][2](path)
    except InputError as error:
        assert str(error).startswith(KINDS[kind][3].format(path=path))
        assert "\n" not in str(error)
        return True, str(error)


def refusal(kind, path):
    """What is said about a file, which is refused."""
    is_refused, sentence = refused(kind, path)
    assert is_refused
    return sentence


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_contents_make_the_same_bytes_at_another_time(kind, sound, tmp_path):
    path = sound[kind][0]
    time.sleep(max(0.0, 1.1 - (time.time() - path.stat().st_mtime)))  # HDF5 counts seconds.
    KINDS[kind][1](tmp_path / path.name)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_there_are_22_damages():
    assert len(DAMAGES) == 22


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_in_one_sentence(kind, damage, damaged, sound):
    path = damaged(kind, DAMAGES[damage])
    is_refused, read = refused(kind, path)
    if not is_refused:
        # HDF5 leaves room between its parts and ignores what follows the last of them.
        assert kind in HDF5
        assert damage.startswith("a bit") or damage in {"last byte", "doubled"}
        assert same(read, sound[kind][1])


@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_changes_what_is_read(kind, sound, damaged):
    path = damaged(kind, bytes)
    content = path.read_bytes()
    refusals = 0
    for place in np.linspace(0, len(content) - 1, 40 if kind == "checkpoint" else 200).astype(int):
        path.unlink()
        path.write_bytes(flipped(content, place, place % 8))
        is_refused, read = refused(kind, path)
        refusals += is_refused
        assert is_refused or same(read, sound[kind][1]), f"a flip at {place}"
    assert refusals > 0


RECORDS = ("activations", "noisy_copies", "compressed")
TABLES = ("table", "one of many tables")


def rewritten(name, change):
    """Change one data set or attribute by the means of HDF5 itself, so that its format is whole."""

    def damage(path):
        with h5py.File(path, "a", libver=("v110", "v110")) as file:
            if name in file:
                values = change(file[name][...])
                del file[name]
                file[name] = values
            else:
                file.attrs[name] = change(file.attrs[name])

    return damage


REWRITTEN = {
    "another ensemble": rewritten("ensemble", lambda name: f"{name}0"),
    "other seeds": rewritten("seeds", lambda text: json.dumps(json.loads(text)[::-1])),
    "other steps": rewritten("steps", lambda text: text.replace("8", "9")),
    "other kind": rewritten("kind", lambda kind: "preactivations"),
    "no number any more": rewritten("layers/0", lambda values: values * np.nan),
    "one number": rewritten("layers/1", lambda values: np.nextafter(values, np.float32(9))),
    "nothing but zeros": rewritten("layers/1", np.zeros_like),
    "fewer units": rewritten("layers/0", lambda values: values[..., :-1]),
    "fewer samples": rewritten("layers/0", lambda values: values[:, :, :-1]),
    "fewer steps": rewritten("layers/0", lambda values: values[:-1]),
    "double precision": rewritten("layers/0", lambda values: values.astype(float)),
    "other inputs": rewritten("inputs", lambda values: values + 1),
    "other order of inputs": rewritten("inputs", lambda values: values[::-1]),
    "other checksums": rewritten("checksums/layers/1", lambda values: values + 1),
}


@pytest.mark.parametrize("kind", RECORDS)
@pytest.mark.parametrize("damage", REWRITTEN)
def test_activations_that_another_program_changed(kind, damage, damaged):
    path = damaged(kind, bytes)
    REWRITTEN[damage](path)
    refusal(kind, path)


def test_a_dataset_of_another_shape_with_the_same_bytes(damaged):
    path = damaged("dataset", bytes)
    with h5py.File(path, "a") as file:
        values = file["train/inputs"][...]
        del file["train/inputs"]
        file["train/inputs"] = values.reshape(len(values), -1)
    assert refusal("dataset", path) == (
        f"The dataset {path} must hold inputs of shape (n, channels, height, width) and n labels, "
        "not train/inputs of shape (5, 24) and labels of (5,)."
    )


def test_a_table_whose_one_digit_is_changed(damaged):
    path = damaged("table", lambda content: content.replace(b",1,0.6", b",1,0.7", 1))
    assert refusal("table", path) == (
        f"{path} must have the contents of which .training.csv.sha256 beside it is the checksum, "
        "but is damaged or was changed; without it the same command makes it again."
    )


def test_a_table_of_someone_else_needs_no_checksum(damaged):
    path = damaged("table", bytes)
    path.with_name(".training.csv.sha256").unlink()
    assert len(read_table(path)) == 40


@pytest.mark.parametrize("content", [b"", b"\0" * 80, b"0" * 64 + b"  training.csv\n"])
def test_a_damaged_checksum_of_a_table(content, damaged):
    path = damaged("table", bytes)
    path.with_name(".training.csv.sha256").write_bytes(content)
    refusal("table", path)


def test_sha256sum_verifies_tables(sound):
    folder = sound["table"][0].parent
    done = subprocess.run(
        "sha256sum --check .*.sha256", shell=True, cwd=folder, capture_output=True, text=True
    )
    assert done.stdout == "training.csv: OK\n", done.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_a_file_of_another_kind(kind, other, sound, damaged):
    if any({kind, other} <= alike for alike in ({kind}, {*RECORDS}, {*TABLES})):
        return
    refusal(kind, damaged(kind, lambda _: sound[other][0].read_bytes()))


class Malicious:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def pickled(path, as_zip):
    file = BytesIO()
    torch.save(Malicious(path), file, _use_new_zipfile_serialization=as_zip)
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["pickle", "torch", "old torch"])
def test_a_malicious_pickle_does_not_run(kind, shape, damaged, tmp_path):
    trace = tmp_path / "it ran"
    content = (
        pickle.dumps(Malicious(trace)) if shape == "pickle" else pickled(trace, shape == "torch")
    )
    if shape == "pickle":
        pickle.loads(content)
    else:
        torch.load(BytesIO(content), weights_only=False)
    trace.unlink()  # It would run if it were unpickled.
    refusal(kind, damaged(kind, lambda _: content))
    assert not trace.exists()
