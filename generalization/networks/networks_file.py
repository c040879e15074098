"""Files with the networks of an ensemble."""

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
from generalization.networks.foreign_architecture import ForeignArchitecture
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.module_networks import ModuleNetworks, check_shapes
from generalization.networks.stacked_networks import StackedNetworks, parts_by_name
from generalization.networks.tensor_file import read_tensors, write_tensors


@dataclass(frozen=True)
class KeptNetworks:
    """The networks of an ensemble at every kept step.

    Attributes:
        hyperparameters: Hyper-parameters that the networks share.
        seeds: One seed per network.
        steps: For each kept step, the training step of each network. A network that finished
            earlier is repeated in its final state, with its final step.
        statuses: ``fitted``, ``stopped`` or ``diverged``, one per network.
        networks: One stack of all seeds per kept step; the last one is the final state.
        dataset_sha256: Hash of the content of the prepared dataset, if known.
        made_on: Where they were trained, if known: device, driver, version of torch, and number of
            networks of the largest stack.
    """

    hyperparameters: Hyperparameters
    seeds: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    statuses: tuple[str, ...]
    networks: tuple[StackedNetworks | ModuleNetworks, ...]
    dataset_sha256: str | None = None
    made_on: Mapping[str, str | int] | None = None

    def distinct(self) -> Iterator[tuple[int, int, int]]:
        """Yield (kept step, position, training step) of every network without repetitions."""
        for kept, steps in enumerate(self.steps):
            for position, step in enumerate(steps):
                if kept == 0 or step != self.steps[kept - 1][position]:
                    yield kept, position, step


def write_networks(path: Path | str, kept: KeptNetworks) -> None:
    """Write networks atomically.

    The tensors are ``layers.<l>.weight`` of shape (kept steps, seeds, fan_out, fan_in), of
    convolutions (kept steps, seeds, channels out, channels in, height, width), and if there are
    such ``layers.<l>.bias`` and, of ``BatchNormalization``, ``layers.<l>.norm.scale``, ``.shift``,
    ``.mean`` and ``.variance``; l counts the layers that have weights. The metadata ``description``
    is a JSON object with ``hyperparameters``, ``seeds``, ``steps``, ``statuses``,
    ``dataset_sha256`` and ``made_on`` (or null), ``image`` (channels, height and width, of
    convolutional networks) and ``sha256`` (of all the rest). The same networks make the same bytes.
    Of a foreign architecture, the tensors are (kept steps, seeds, …) by their names in its module,
    and the description has ``image`` and ``classes``.

    Args:
        kept: Networks to write.
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
        "made_on": kept.made_on,
    }
    if isinstance(architecture, Architecture | ForeignArchitecture):
        description["image"] = architecture.image
    if isinstance(architecture, ForeignArchitecture):
        description["classes"] = architecture.classes
    write_tensors(path, tensors, description)


def read_networks(path: Path | str, device: torch.device | str = "cpu") -> KeptNetworks:
    """Read networks.

    Args:
        path: File written by ``write_networks``.
        device: Device of the weights.

    Returns:
        The networks as they were written.

    Raises:
        InputError: If the file is missing, damaged or of another kind.
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
            description.get("made_on"),
        )
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"networks must be a whole safetensors file of this project, not {str(path)!r} "
            f"({type(error).__name__}: {error})."
        ) from error


def networks_from_tensors(
    tensors: Mapping[str, torch.Tensor], activation: str, architecture: AnyArchitecture
) -> StackedNetworks | ModuleNetworks:
    """Build a stack from ``StackedNetworks.tensors``, modified or not.

    Args:
        tensors: Tensors by their names in files.
        architecture: Architecture of the networks; the widths if they are fully connected.
    """
    if isinstance(architecture, ForeignArchitecture):
        return ModuleNetworks(architecture, dict(tensors))
    parts = {"activation": activation, **parts_by_name(tensors)}
    if isinstance(architecture, Architecture):
        return ConvolutionalNetworks(**parts, architecture=architecture)
    return FullyConnectedNetworks(**parts)


def _architecture(
    hyperparameters: Hyperparameters, description: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> AnyArchitecture:
    """Return the architecture of the networks in a file.

    Raises:
        ValueError: If a tensor of networks that are not fully connected has an unexpected shape.
    """
    if hyperparameters.is_foreign:
        image, classes = description["image"], description["classes"]
        foreign = ForeignArchitecture.of(hyperparameters, image, classes)
        check_shapes(foreign, {name: tuple(one.shape[2:]) for name, one in tensors.items()})
        return foreign
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
