"""Networks of an ensemble on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import (
    AnyArchitecture,
    Architecture,
    architecture_of,
)
from generalization.networks.convolutional import ConvolutionalNetworks
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.stacked_networks import StackedNetworks, parts_by_name
from generalization.networks.tensor_file import read_tensors, write_tensors


@dataclass(frozen=True)
class KeptNetworks:
    """The networks of an ensemble, as they were at every kept step.

    Attributes:
        hyperparameters: What they share.
        seeds: One per network.
        steps: For every kept step the training step of every network. A network that was done
            earlier stands there as it was when it was done, at the step at which it was done.
        statuses: ``fitted``, ``stopped`` or ``diverged``, one per network.
        networks: One stack of seeds per kept step; the last is how training ended.
        dataset_sha256: Of the content of the dataset, as it was prepared, if that is known.
    """

    hyperparameters: Hyperparameters
    seeds: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    statuses: tuple[str, ...]
    networks: tuple[StackedNetworks, ...]
    dataset_sha256: str | None = None

    def distinct(self) -> Iterator[tuple[int, int, int]]:
        """Yield (kept step, position, training step) of every network not kept before."""
        for kept, steps in enumerate(self.steps):
            for position, step in enumerate(steps):
                if kept == 0 or step != self.steps[kept - 1][position]:
                    yield kept, position, step


def write_networks(path: Path | str, kept: KeptNetworks) -> None:
    """Write networks, whole or not at all.

    The tensors are ``layers.<l>.weight`` of shape (kept steps, seeds, fan_out, fan_in), of
    convolutions (kept steps, seeds, channels out, channels in, height, width), and if there are
    such ``layers.<l>.bias`` and, of ``BatchNormalization``, ``layers.<l>.norm.scale``, ``.shift``,
    ``.mean`` and ``.variance``; l counts the layers that have weights. The metadata ``description``
    is a JSON object with ``hyperparameters``, ``seeds``, ``steps``, ``statuses``,
    ``dataset_sha256`` (or null), ``image`` (channels, height and width, of convolutional networks)
    and ``sha256`` (of all the rest). The same networks make the same bytes.

    Args:
        kept: What to write.
    """
    architecture = kept.networks[0].architecture
    stacks = [stack.tensors for stack in kept.networks]
    tensors = {
        name: torch.stack([stack[name] for stack in stacks]).cpu().contiguous()
        for name in stacks[0]
    }
    description = {
        "hyperparameters": kept.hyperparameters.as_dict(),
        "seeds": kept.seeds,
        "steps": kept.steps,
        "statuses": kept.statuses,
        "dataset_sha256": kept.dataset_sha256,
    }
    if isinstance(architecture, Architecture):
        description["image"] = architecture.image
    write_tensors(path, tensors, description)


def read_networks(path: Path | str, device: torch.device | str = "cpu") -> KeptNetworks:
    """Read networks.

    Args:
        path: A file of ``write_networks``.
        device: Where the weights shall be.

    Returns:
        The networks as they were written.

    Raises:
        InputError: If the file is missing, damaged or holds something else.
    """
    try:
        description, tensors = read_tensors(path, device)
        hyperparameters = Hyperparameters(**description["hyperparameters"])
        architecture = _architecture(hyperparameters, description, tensors)
        steps = tuple(map(tuple, description["steps"]))
        stacks = tuple(
            networks_from_tensors(
                {name: tensor[kept] for name, tensor in tensors.items()},
                hyperparameters.activation,
                architecture,
            )
            for kept in range(len(steps))
        )
        return KeptNetworks(
            hyperparameters,
            tuple(description["seeds"]),
            steps,
            tuple(description["statuses"]),
            stacks,
            description["dataset_sha256"],
        )
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"networks must be a whole safetensors file of this project, not {str(path)!r} "
            f"({type(error).__name__}: {error})."
        ) from error


def networks_from_tensors(
    tensors: Mapping[str, torch.Tensor], activation: str, architecture: AnyArchitecture
) -> StackedNetworks:
    """Make a stack from the ``tensors`` of another one, changed or not.

    Args:
        tensors: By their names in files.
        activation: Name of the activation function.
        architecture: Of the networks; of fully connected ones the widths.
    """
    parts = {"activation": activation, **parts_by_name(tensors)}
    if isinstance(architecture, Architecture):
        return ConvolutionalNetworks(**parts, architecture=architecture)
    return FullyConnectedNetworks(**parts)


def _architecture(
    hyperparameters: Hyperparameters, description: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> AnyArchitecture:
    """Return the architecture of the networks of a file.

    Raises:
        ValueError: If a weight of convolutional networks does not have its shape.
    """
    count = sum(name.endswith(".weight") for name in tensors)
    shapes = [tuple(tensors[f"layers.{layer}.weight"].shape[2:]) for layer in range(count)]
    if hyperparameters.architecture == "fully_connected":
        return (shapes[0][1], *(units for units, _ in shapes))
    architecture = architecture_of(hyperparameters, tuple(description["image"]), shapes[-1][0])
    expectations = [one.weight_shape for one in architecture.weighted]
    for layer, (shape, expected) in enumerate(zip(shapes, expectations, strict=True)):
        if shape != expected:
            raise ValueError(f"layers.{layer}.weight must have shape {expected}, not {shape}")
    return architecture
