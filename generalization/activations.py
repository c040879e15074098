"""Files of activations: HDF5 with one data set per layer, for partial reading.

Args:
    samples: Slice of the recorded inputs; all by default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zlib import crc32

import h5py
import hdf5plugin
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from generalization.devices import halving_memory, items_at_once, origin
from generalization.errors import InputError
from generalization.hdf5 import hdf5_written_whole
from generalization.networks.block_file import check_block
from generalization.networks.layer_activations import layer_activations
from generalization.networks.networks_file import KeptNetworks

# Chosen by benchmarks/activations.py: on ReLU activations no filter is fastest for both reading and
# writing. Zstandard saves 44 % of the size at a quarter of the speed; gzip saves as much at a sixth
# of that. The checksum of HDF5 is verified before decompression, which may never end otherwise.
COMPRESSIONS = {"none": {}, "zstd": {**hdf5plugin.Zstd(clevel=1), "fletcher32": True}}

ATTRIBUTES = ("ensemble", "kind", "seeds", "steps", "depth", "inputs", "device", "driver", "torch")


def write_activations(
    path: Path | str,
    kept: KeptNetworks,
    inputs: Float[Tensor, "samples *features"],
    *,
    kind: str = "activations",
    layers: Sequence[int] | None = None,
    compression: str = "none",
    samples_per_chunk: int | None = None,
) -> None:
    """Record activations of kept networks atomically.

    The data set ``inputs`` is what the networks were shown, samples first. The data set
    ``layers/<l>`` has shape (kept steps, seeds, samples, units), or of a convolution (kept steps,
    seeds, samples, channels, height, width), float32; attributes of the file: ``ensemble``,
    ``kind``, ``seeds``, ``steps`` (kept steps × seeds), ``depth``, ``inputs``, a hash of the
    inputs, and the ``device``, ``driver`` and ``torch`` that computed them. A network that was done
    before a kept step stands there no second time. Every data set ``NAME`` has a ``checksums/NAME``
    with the CRC-32 of each sample, the attributes have their own in ``checksum``.

    Args:
        path: Path of the HDF5 file.
        kept: Networks to evaluate.
        inputs: Inputs of the networks.
        kind: Kind of activations, see ``layer_activations``.
        layers: Indices of the weight layers to record; all by default.
        compression: Name of a compression in ``COMPRESSIONS``.
        samples_per_chunk: Number of samples of a network that are computed, and can be read,
            together; all by default.

    Raises:
        InputError: If a layer does not exist.
    """
    (tensor, *_) = kept.networks[0].tensors.values()
    first = layer_activations(kept.networks[0][:1], inputs[:1].to(tensor.device), kind=kind)
    depth = len(first)
    chosen = range(depth) if layers is None else layers
    if missing := [layer for layer in chosen if not 0 <= layer < depth]:
        raise InputError(f"layers must be from 0 to {depth - 1}, not {missing}.")
    together = min(samples_per_chunk or len(inputs), len(inputs))
    shown = inputs.cpu().numpy()
    attributes = {
        "ensemble": kept.hyperparameters.name,
        "kind": kind,
        "seeds": json.dumps(kept.seeds),
        "steps": json.dumps(kept.steps),
        "depth": depth,
        "inputs": blake2b(shown.tobytes(), digest_size=16).hexdigest(),
        **origin(inputs.device),
    }
    units = [layer.shape[2:] for layer in first]
    recorded = (
        len(list(kept.distinct())) * len(inputs) * sum(units[layer].numel() for layer in chosen)
    )
    needed = 0 if COMPRESSIONS[compression] else shown.nbytes + 4 * recorded
    groups = ("layers", "checksums", "checksums/layers")
    with hdf5_written_whole(path, needed, groups) as file:
        file.attrs.update(attributes | {"checksum": _checksum_of_attributes(attributes)})
        file["inputs"] = shown
        file["checksums/inputs"] = _checksums(shown)
        for layer in chosen:
            file.create_dataset(
                f"layers/{layer}",
                shape=(len(kept.steps), len(kept.seeds), len(inputs), *units[layer]),
                dtype=np.float32,
                chunks=(1, 1, together, *units[layer]),
                **COMPRESSIONS[compression],
            )
            shape = (len(kept.steps), len(kept.seeds), len(inputs))
            file.create_dataset(f"checksums/layers/{layer}", shape=shape, dtype=np.uint32)
        for step, seed, _ in kept.distinct():
            network = kept.networks[step][[seed]].folded().to(inputs.device)
            for first in range(0, len(inputs), together):
                some = slice(first, first + together)
                recorded = _recorded(network, inputs[some], kind)
                for layer in chosen:
                    values = recorded[layer]
                    file[f"layers/{layer}"][step, seed, some] = values
                    file[f"checksums/layers/{layer}"][step, seed, some] = _checksums(values)


def _recorded(
    network: StackedNetworks, inputs: Float[Tensor, "samples *features"], kind: str
) -> list[np.ndarray]:
    """Return the activations of all layers of one network in the memory of this machine."""
    device, numbers = inputs.device, 2 * sum(network.widths)

    def compute() -> list[np.ndarray]:
        # On a CPU all samples of a chunk are in its memory anyway.
        on_cpu = device.type == "cpu"
        block = len(inputs) if on_cpu else items_at_once("activations", numbers, device)
        parts = [
            [layer[0].cpu() for layer in layer_activations(network, some, kind=kind)]
            for some in inputs.split(block)
        ]
        layers = zip(*parts, strict=True)
        return [(one[0] if len(one) == 1 else torch.cat(one)).numpy() for one in layers]

    return halving_memory("activations", compute)


def _checksums(values: np.ndarray) -> np.ndarray:
    """Return the CRC-32 of every sample, so that any of them can be verified alone."""
    rows = np.ascontiguousarray(values)
    return np.fromiter(map(crc32, rows), np.uint32, len(rows))


def _checksum_of_attributes(attributes: Mapping[str, Any]) -> int:
    """Return the CRC-32 of the attributes that describe a file."""
    return crc32("\n".join(str(attributes[key]) for key in ATTRIBUTES).encode())


def _verify(name: str, found: np.ndarray | int, written: np.ndarray | int) -> None:
    """Refuse contents whose checksums are not those that were written with them.

    Raises:
        ValueError: If one of them is another.
    """
    if not np.array_equal(found, written):
        raise ValueError(f"{name} must have the checksums that were written with them")


def _damaged(path: Path | str, error: Exception) -> str:
    """Return the sentence about a file that cannot be read as it was written."""
    return (
        f"activations must be a whole HDF5 file of this project, not {str(path)!r} "
        f"({type(error).__name__}: {' '.join(str(error).split())})."
    )


class Activations:
    """Recorded activations, read on demand.

    >>> with Activations("activations.h5") as activations:  # doctest: +SKIP
    ...     hidden = activations.read(layer=0, seed=1)  # samples × units, at the last kept step
    ...     begun = activations.read(layer=0, seed=1, kept_step=0)

    Attributes:
        ensemble: Name of the ensemble.
        kind: ``activations`` or ``preactivations``.
        seeds: Seeds of the networks.
        steps: Training steps, kept steps × seeds.
        layers: Indices of the recorded weight layers.
        shapes: Shapes of their activations, samples first.
        depth: Number of weight layers, recorded or not.
        inputs_hash: Hash of the inputs in their order.
        made_on: Device, driver and version of torch that computed them, see ``devices.origin``.
    """

    def __init__(self, path: Path | str):
        """Open a file written by ``write_activations``.

        Args:
            path: Path of the HDF5 file, which is opened read-only.

        Raises:
            InputError: If the file is missing, damaged, or of another kind, ensemble or block.
        """
        self._path = str(path)
        try:
            self._file = h5py.File(path, "r", locking=False)
            _verify(
                "attributes",
                _checksum_of_attributes(self._file.attrs),
                self._file.attrs["checksum"],
            )
            self.ensemble: str = self._file.attrs["ensemble"]
            self.kind: str = self._file.attrs["kind"]
            self.seeds: list[int] = json.loads(self._file.attrs["seeds"])
            self.steps: list[list[int]] = json.loads(self._file.attrs["steps"])
            self.depth = int(self._file.attrs["depth"])
            self.inputs_hash: str = self._file.attrs["inputs"]
            self.made_on = {key: self._file.attrs[key] for key in ("device", "driver", "torch")}
            self.layers = sorted(int(layer) for layer in self._file["layers"])
            self.shapes = [self._file[f"layers/{layer}"].shape[2:] for layer in self.layers]
        except (OSError, RuntimeError, LookupError, AttributeError, TypeError, ValueError) as error:
            raise InputError(_damaged(self._path, error)) from error
        check_block(path, self.ensemble, self.seeds)

    def read(
        self, *, layer: int, seed: int, kept_step: int = -1, samples: slice = slice(None)
    ) -> Float[np.ndarray, "samples *units"]:
        """Read the activations of one layer of one network.

        Args:
            layer: Index of a recorded layer.
            seed: Seed of a recorded network.
            kept_step: Index in ``steps``; the last by default.

        Returns:
            Activations in float32, samples × units or samples × channels × height × width.

        Raises:
            InputError: If that layer or seed was not recorded, or the file is damaged there.
        """
        for name, value, recorded in (("layer", layer, self.layers), ("seed", seed, self.seeds)):
            if value not in recorded:
                raise InputError(f"{name} must be one of {recorded}, not {value!r}.")
        of_seed = [steps[self.seeds.index(seed)] for steps in self.steps]
        position = of_seed.index(of_seed[kept_step])  # The first one, where it stands.
        return self._verified(f"layers/{layer}", position, self.seeds.index(seed), samples)

    def inputs(self, samples: slice = slice(None)) -> Float[np.ndarray, "samples *features"]:
        """Inputs of the networks; all samples by default."""
        return self._verified("inputs", samples)

    def _verified(self, name: str, *place: int | slice) -> np.ndarray:
        """Return samples of a data set, each as it was when its checksum was taken.

        Raises:
            InputError: If the file is damaged there.
        """
        try:
            values = self._file[name][place]
            _verify(name, _checksums(values), self._file[f"checksums/{name}"][place])
        except (OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
            raise InputError(_damaged(self._path, error)) from error
        return values

    def stacked(
        self, networks: Sequence[tuple[int, int]], samples: slice = slice(None)
    ) -> tuple[Float[Tensor, "samples *features"], list[Float[Tensor, "networks samples *units"]]]:
        """Read the inputs, and all recorded layers of several networks as stacks.

        Args:
            networks: Seed and index in ``steps`` of each network.
        """
        layers = [
            np.stack([
                self.read(layer=layer, seed=seed, kept_step=kept_step, samples=samples)
                for seed, kept_step in networks
            ])
            for layer in self.layers
        ]
        return torch.from_numpy(self.inputs(samples)), list(map(torch.from_numpy, layers))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
