"""Files of activations: HDF5 with one data set per layer, for partial reading.

Args:
    samples: Slice of the recorded inputs; all by default.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import hdf5plugin
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from generalization.errors import InputError
from generalization.files import written_whole
from generalization.networks.networks_file import KeptNetworks
from generalization.networks.stacked_networks import StackedNetworks

# Chosen by benchmarks/activations.py: on ReLU activations no filter is fastest for both reading and
# writing. Zstandard saves 44 % of the size at a quarter of the speed; gzip saves as much at a sixth
# of that.
COMPRESSIONS = {"none": {}, "zstd": hdf5plugin.Zstd(clevel=1)}


def layer_activations(
    networks: StackedNetworks,
    inputs: Float[Tensor, "samples *features"],
    *,
    kind: str = "activations",
) -> list[Float[Tensor, "networks samples *units"]]:
    """Compute the activations of every layer for a batch of inputs.

    Those of a convolution have the axes channels, height and width, before any pooling: they are
    the units that are normalized, activated and dropped.

    Args:
        networks: A stack of networks.
        inputs: One batch shared by all networks.
        kind: ``activations`` (after the activation function; for the last layer, the logits) or
            ``preactivations``.

    Returns:
        One tensor per weight layer.
    """
    layers = networks.preactivations(inputs)
    if kind == "preactivations":
        return layers
    return [*(networks.phi.function(layer) for layer in layers[:-1]), layers[-1]]


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

    The data set ``inputs`` holds the inputs, samples first. The data set ``layers/<l>``, float32,
    has shape (kept steps, seeds, samples, units) or, for convolutions, (kept steps, seeds, samples,
    channels, height, width). Attributes of the file are ``ensemble``, ``kind``, ``seeds``,
    ``steps`` (kept steps × seeds), ``depth``, and ``inputs``, a hash of the inputs. A network that
    finished before a kept step is not stored again.

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
    depth = kept.hyperparameters.depth
    chosen = range(depth) if layers is None else layers
    if missing := [layer for layer in chosen if not 0 <= layer < depth]:
        raise InputError(f"layers must be from 0 to {depth - 1}, not {missing}.")
    together = min(samples_per_chunk or len(inputs), len(inputs))
    with written_whole(path) as beside, h5py.File(beside, "w", libver="latest") as file:
        file.attrs["ensemble"] = kept.hyperparameters.name
        file.attrs["kind"] = kind
        file.attrs["seeds"] = json.dumps(kept.seeds)
        file.attrs["steps"] = json.dumps(kept.steps)
        file.attrs["depth"] = depth
        shown = inputs.cpu().numpy()
        file.attrs["inputs"] = blake2b(shown.tobytes(), digest_size=16).hexdigest()
        file["inputs"] = shown
        units = [layer.shape[2:] for layer in layer_activations(kept.networks[0][:1], inputs[:1])]
        for layer in chosen:
            file.create_dataset(
                f"layers/{layer}",
                shape=(len(kept.steps), len(kept.seeds), len(inputs), *units[layer]),
                dtype=np.float32,
                chunks=(1, 1, together, *units[layer]),
                **COMPRESSIONS[compression],
            )
        for step, seed, _ in kept.distinct():
            network = kept.networks[step][[seed]].folded()
            for first in range(0, len(inputs), together):
                some = slice(first, first + together)
                recorded = layer_activations(network, inputs[some], kind=kind)
                for layer in chosen:
                    file[f"layers/{layer}"][step, seed, some] = recorded[layer][0].cpu().numpy()


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
    """

    def __init__(self, path: Path | str):
        """Open a file written by ``write_activations``.

        Args:
            path: Path of the HDF5 file, which is opened read-only.

        Raises:
            InputError: If the file is missing, damaged or of another kind.
        """
        try:
            self._file = h5py.File(path, "r")
            self.ensemble: str = self._file.attrs["ensemble"]
            self.kind: str = self._file.attrs["kind"]
            self.seeds: list[int] = json.loads(self._file.attrs["seeds"])
            self.steps: list[list[int]] = json.loads(self._file.attrs["steps"])
            self.depth = int(self._file.attrs["depth"])
            self.inputs_hash: str = self._file.attrs["inputs"]
            self.layers = sorted(int(layer) for layer in self._file["layers"])
            self.shapes = [self._file[f"layers/{layer}"].shape[2:] for layer in self.layers]
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"activations must be a whole HDF5 file of this project, not {str(path)!r} "
                f"({type(error).__name__}: {error})."
            ) from error

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
            InputError: If the layer or seed was not recorded.
        """
        for name, value, recorded in (("layer", layer, self.layers), ("seed", seed, self.seeds)):
            if value not in recorded:
                raise InputError(f"{name} must be one of {recorded}, not {value!r}.")
        of_seed = [steps[self.seeds.index(seed)] for steps in self.steps]
        position = of_seed.index(of_seed[kept_step])  # The first occurrence, which is stored.
        return self._file[f"layers/{layer}"][position, self.seeds.index(seed), samples]

    def inputs(self, samples: slice = slice(None)) -> Float[np.ndarray, "samples *features"]:
        """Read the inputs of the networks."""
        return self._file["inputs"][samples]

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
