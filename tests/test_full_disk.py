"""A full disk is told with the file and the cure, and so is one that is read only."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]

# A disk of 1 MB, in a namespace of mounts of its own: written to, made larger, written to again.
ON_A_SMALL_DISK = """
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from oracles.made_up import kept

from generalization import files
from generalization.activations import write_activations
from generalization.datasets.dataset_file import write_dataset
from generalization.figures.svg_file import save_figure
from generalization.files import written_whole
from generalization.networks.networks_file import KeptNetworks, write_networks
from generalization.tables import write_table

disk_usage = files.disk_usage
inputs = torch.randn(20_000, 1, 2, 3)


def write_some_dataset(path):
    arrays = {}
    for part in ("train", "test"):
        arrays[f"{part}/inputs"] = np.zeros((9_000, 1, 4, 4))
        arrays |= {
            f"{part}/{name}": np.zeros(9_000)
            for name in ("labels", "pixel_means", "pixel_deviations")
        }
    write_dataset(path, arrays, name="", classes=2, normalization="", source="")


def write_some_networks(path):
    wide = kept(seeds=tuple(range(1, 3_000)))
    write_networks(path, wide)


def draw(path):
    figure = Figure()
    figure.figimage(np.random.default_rng(0).random((800, 800, 3)))
    save_figure(path, figure)


def write_some_text(path):
    with written_whole(path) as beside:
        beside.write_text("page " * 900_000)


writers = {
    "networks.safetensors": write_some_networks,
    "activations.h5": lambda path: write_activations(path, kept(), inputs),
    "noisy_copies.h5": lambda path: write_activations(
        path, kept(), inputs, layers=range(2), samples_per_chunk=500
    ),
    "compressed.h5": lambda path: write_activations(path, kept(), inputs, compression="zstd"),
    "dataset.h5": write_some_dataset,
    "table.csv": lambda path: write_table(path, pd.DataFrame({"value": inputs.flatten()})),
    "figure.svg": draw,
    "page.html": write_some_text,
}


def write_twice(kind, write, disk):
    # What is said when the disk is full, what stands there then, and when there is room.
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    try:
        write(disk / kind)
        said = None
    except Exception as error:
        said = [type(error).__name__, str(error)]
    left = [path.name for path in disk.iterdir()]
    subprocess.run(["mount", "-o", "remount,size=80m", str(disk)], check=True)
    write(disk / kind)
    return said, left, [path.name for path in disk.iterdir()]


folder, told = Path(sys.argv[1]), {}
for kind, write in writers.items():
    files.disk_usage = disk_usage
    told[f"{kind} foreseen"] = write_twice(kind, write, folder / f"{kind} foreseen")
    # Others fill the disk in the meantime.
    files.disk_usage = lambda folder: type("Usage", (), {"free": 1e12})
    told[kind] = write_twice(kind, write, folder / kind)
print(json.dumps(told))
"""


def in_namespace(*command, check=True, **settings):
    """Run a command that may mount disks that nobody else sees."""
    return subprocess.run(
        [*NAMESPACE, *command], check=check, capture_output=True, text=True, **settings
    )


def mounts():
    """Whether a disk may be mounted, and made larger."""
    if shutil.which("unshare") is None:
        return False
    commands = (
        "mount -t tmpfs -o size=1m tmpfs /tmp && mount -o remount,size=80m /tmp && touch /tmp/file"
    )
    return in_namespace("sh", "-c", commands, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(not mounts(), reason="no mounts of one's own are allowed here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("disks")


@pytest.fixture(scope="module")
def told(folder):
    """What is told of every kind of file on a full disk."""
    tests = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{tests}:{tests.parent}"}
    done = in_namespace(
        *(sys.executable, "-c", ON_A_SMALL_DISK, str(folder)), check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


KINDS = [
    *("networks.safetensors", "activations.h5", "noisy_copies.h5", "compressed.h5", "dataset.h5"),
    *("table.csv", "figure.svg", "page.html"),
]


@needs_mounts
@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_gets_full(kind, folder, told):
    (error, sentence), left, after = told[kind]
    assert error == "InputError"
    path = folder / kind / kind
    assert sentence.startswith(f"{path} must have room on its disk, which is full (")
    assert sentence.endswith(
        "); nothing was written under its name, and the same command writes it when there is room."
    )
    assert left == []
    assert kind in after


@needs_mounts
@pytest.mark.parametrize("kind", [kind for kind in KINDS[:5] if kind != "compressed.h5"])
def test_too_little_room_is_told_before_it_starts(kind, folder, told):
    (error, sentence), left, after = told[f"{kind} foreseen"]
    assert error == "InputError"
    assert sentence.startswith(f"{folder / f'{kind} foreseen' / kind} must have ")
    assert " MB of room on its disk, which has " in sentence
    assert sentence.endswith(
        " MB; nothing was written, and the same command writes it when there is room."
    )
    assert left == []
    assert after == [kind]


FULL = "mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs"  # There is no room for a file, not even empty.


@needs_mounts
def test_a_full_temporary_folder_stops_nothing(new_study, tmp_path):
    """Sockets of the server that scripts are forked from are there, too."""
    full, output = tmp_path / "full", "results/datasets/digits.h5"
    full.mkdir()
    environment = os.environ | {
        **{"TMPDIR": str(full), "XDG_RUNTIME_DIR": str(full)},
        "PYTHONPATH": str(new_study.path),
    }
    snakemake = Path(sys.executable).with_name("snakemake")
    # The scheduler of other profiles writes there.
    profile = "--workflow-profile workflow/profiles/local"
    commands = (
        f"{FULL} {full} && ! touch {full}/file && {snakemake} --cores 1 {profile} -- {output}"
    )
    done = in_namespace("sh", "-c", commands, check=False, env=environment, cwd=new_study.path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (new_study.path / output).stat().st_size > 100_000


@needs_mounts
def test_results_that_are_read_only_are_refused_before_the_first_job(new_study):
    (new_study.path / "results").mkdir()
    commands = (
        "mount --bind results results && mount -o remount,ro,bind results && "
        f"{Path(sys.executable).with_name('snakemake')} --cores 1 --quiet rules"
    )
    environment = os.environ | {"PYTHONPATH": str(new_study.path)}
    done = in_namespace(*("sh", "-c", commands), check=False, cwd=new_study.path, env=environment)
    folder = new_study.path / "results"
    assert f"\nresults must be a folder that can be written to, not {folder}.\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
