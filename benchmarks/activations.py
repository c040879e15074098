"""Recording activations: compressions compared, beside what the disk alone gives."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import h5py
import hdf5plugin
import numpy as np
import torch

from generalization.activations import Activations, layer_activations, write_activations
from generalization.hyperparameters import Hyperparameters
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.networks_file import KeptNetworks
from generalization.randomness import generator_for

SEEDS, SAMPLES, WIDTH, LAYERS = 8, 10_000, 200, 5
IMAGES, OF_IMAGE = 20, 3 * 256
LAYOUTS = {
    "none (default)": {},
    "zstd, level 1": hdf5plugin.Zstd(clevel=1),
    "bitshuffle + lz4": hdf5plugin.Bitshuffle(cname="lz4"),
    "lzf": {"compression": "lzf"},
    "gzip, level 4": {"compression": "gzip", "compression_opts": 4},
}


def recorded() -> list[np.ndarray]:
    """Layers of ReLU networks: seeds × samples × units."""
    generators = [generator_for("benchmark", seed) for seed in range(SEEDS)]
    networks = initialize_fully_connected([784] + LAYERS * [WIDTH] + [10], "relu", generators)
    inputs = torch.randn(SAMPLES, 784, generator=generator_for("benchmark inputs"))
    return [layer.numpy() for layer in layer_activations(networks, inputs)[:-1]]


def write(path: Path, layers: list[np.ndarray], layout: dict) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        for position, layer in enumerate(layers):
            chunks = (1, *layer.shape[1:])
            data = file.create_dataset(
                f"layers/{position}", layer.shape, layer.dtype, chunks=chunks, **layout
            )
            for seed in range(len(layer)):
                data[seed] = layer[seed]
    with path.open("rb") as file:
        os.fsync(file.fileno())


def forget(path: Path) -> None:
    """Make the next reader wait for the disk, where the system can."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(path: Path) -> None:
    with h5py.File(path) as file:
        for data in file["layers"].values():
            for seed in range(len(data)):
                data[seed]


def plain(path: Path, layers: list[np.ndarray]) -> None:
    with path.open("wb") as file:
        for layer in layers:
            file.write(layer.data)
        file.flush()
        os.fsync(file.fileno())


def read_plain(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(4 * SAMPLES * WIDTH):
            pass


def median_seconds(function: Callable, path: Path, *arguments) -> float:
    """Of three runs, fewer if they are slow; by the wall, for what counts is how long one waits."""
    taken = []
    while len(taken) < 3 and sum(taken) < 10:
        if path.exists():
            forget(path)
        begin = time.perf_counter()
        function(path, *arguments)
        taken.append(time.perf_counter() - begin)
    return median(taken)


def clouds_in_chunks() -> None:
    """Noisy copies, read image by image of all networks: chunks of an image against one chunk."""
    generators = [generator_for("benchmark", seed) for seed in range(SEEDS)]
    networks = initialize_fully_connected([784] + LAYERS * [WIDTH] + [10], "relu", generators)
    kept = KeptNetworks(
        hyperparameters=Hyperparameters(dataset="mnist", depth=LAYERS + 1, width=WIDTH),
        seeds=tuple(range(SEEDS)),
        steps=(SEEDS * (0,),),
        statuses=SEEDS * ("fitted",),
        networks=(networks,),
    )
    copies = torch.randn(IMAGES * OF_IMAGE, 784, generator=generator_for("benchmark inputs"))
    megabytes = 4e-6 * SEEDS * LAYERS * WIDTH * len(copies)
    print(f"Clouds of {IMAGES} images, {OF_IMAGE} copies of each: {megabytes:.0f} MB")

    def write_clouds(path: Path, samples: int) -> None:
        write_activations(path, kept, copies, layers=range(LAYERS), samples_per_chunk=samples)

    def read_clouds(path: Path) -> None:
        with Activations(path) as activations:
            for first in range(0, len(copies), OF_IMAGE):
                together = [(seed, 0) for seed in activations.seeds]
                activations.stacked(together, slice(first, first + OF_IMAGE))

    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder, "noisy_copies.h5")
        for name, samples in (("of an image", OF_IMAGE), ("of a network", len(copies))):
            written = median_seconds(write_clouds, path, samples)
            back = median_seconds(read_clouds, path)
            print(
                f"  chunks {name:<14} computed and written {megabytes / written:6.0f} MB/s"
                f"   read {megabytes / back:6.0f} MB/s",
                flush=True,
            )
        seconds = median_seconds(lambda _: layer_activations(networks, copies), path)
    print(f"  computed alone {megabytes / seconds:31.0f} MB/s")


def main() -> None:
    torch.set_num_threads(1)
    layers = recorded()
    megabytes = sum(layer.nbytes for layer in layers) / 1e6
    print(f"{SEEDS} seeds × {LAYERS} layers × {SAMPLES} points × {WIDTH} units: {megabytes:.0f} MB")

    def row(name: str, path: Path, written: float, back: float) -> None:
        rates = (
            f"{word} {megabytes / taken:6.0f} MB/s ({limit / taken:4.0%} of the disk)"
            for word, taken, limit in (("write", written, disk[0]), ("read", back, disk[1]))
        )
        print(f"  {name:<28}{path.stat().st_size / 1e6:5.0f} MB  ", "   ".join(rates), flush=True)

    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder, "plain")
        disk = median_seconds(plain, path, layers), median_seconds(read_plain, path)
        row("bytes alone, synced to disk", path, *disk)
        for name, layout in LAYOUTS.items():
            path = Path(folder, "activations.h5")
            row(name, path, median_seconds(write, path, layers, layout), median_seconds(read, path))
    clouds_in_chunks()


if __name__ == "__main__":
    main()
