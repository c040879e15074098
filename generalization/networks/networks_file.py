"""Networks on disk: safetensors, which cannot execute code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from generalization.errors import InputError
from generalization.files import written_whole
from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import Architecture, architecture_of
from generalization.networks.stacked_networks import (
    AnyArchitecture,
    StackedNetworks,
    networks_of_tensors,
)


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
    """

    hyperparameters: Hyperparameters
    seeds: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    statuses: tuple[str, ...]
    networks: tuple[StackedNetworks, ...]

    def distinct(self) -> Iterator[tuple[int, int, int]]:
        """(kept step, position, training step) of every network that was not kept before."""
        for kept, steps in enumerate(self.steps):
            for position, step in enumerate(steps):
                if kept == 0 or step != self.steps[kept - 1][position]:
                    yield kept, position, step


def write_networks(path: Path | str, kept: KeptNetworks) -> None:
    """Write networks, whole or not at all.

    The tensors are ``layers.<l>.weight`` of shape (kept steps, seeds, fan_out, fan_in), of
    convolutions (kept steps, seeds, channels out, channels in, height, width), and if there are
    such ``layers.<l>.bias`` and, of ``BatchNormalization``, ``layers.<l>.norm.scale``, ``.shift``,
    ``.mean`` and ``.variance``; l counts the layers that have weights. The metadata
    ``hyperparameters``, ``seeds``, ``steps``, ``statuses``, ``sha256`` (of the tensors, in the
    order of their names) and, of convolutional networks, ``image`` (channels, height and width) are
    JSON.

    Args:
        path: A safetensors file.
        kept: What to write.
    """
    architecture = kept.networks[0].architecture
    stacks = [stack.tensors for stack in kept.networks]
    tensors = {
        name: torch.stack([stack[name] for stack in stacks]).cpu().contiguous()
        for name in stacks[0]
    }
    metadata = {
        "hyperparameters": json.dumps(kept.hyperparameters.as_dict()),
        "seeds": json.dumps(kept.seeds),
        "steps": json.dumps(kept.steps),
        "statuses": json.dumps(kept.statuses),
        "sha256": json.dumps(_sha256(tensors)),
    }
    if isinstance(architecture, Architecture):
        metadata["image"] = json.dumps(architecture.image)
    with written_whole(path) as beside:
        save_file(tensors, beside, metadata=metadata)


def read_networks(path: Path | str, device: torch.device | str = "cpu") -> KeptNetworks:
    """Read networks.

    Args:
        path: A file of ``write_networks``.
        device: Where the weights shall be.

    Returns:
        What was written.

    Raises:
        InputError: If the file is missing, damaged or holds something else.
    """
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            described = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _verify(tensors, described["sha256"])
        hyperparameters = Hyperparameters(**described["hyperparameters"])
        architecture = _architecture(hyperparameters, described, tensors)
        steps = tuple(map(tuple, described["steps"]))
        stacks = tuple(
            networks_of_tensors(
                {name: tensor[kept] for name, tensor in tensors.items()},
                hyperparameters.activation,
                architecture,
            )
            for kept in range(len(steps))
        )
        seeds, statuses = tuple(described["seeds"]), tuple(described["statuses"])
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"networks must be a whole safetensors file of this project, not {str(path)!r} "
            f"({type(error).__name__}: {error})."
        ) from error
    return KeptNetworks(hyperparameters, seeds, steps, statuses, stacks)


def _architecture(
    hyperparameters: Hyperparameters, described: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> AnyArchitecture:
    """That of the networks of a file.

    Raises:
        ValueError: If a weight of convolutional networks does not have its shape.
    """
    count = sum(name.endswith(".weight") for name in tensors)
    shapes = [tuple(tensors[f"layers.{layer}.weight"].shape[2:]) for layer in range(count)]
    if hyperparameters.architecture == "fully_connected":
        return (shapes[0][1], *(units for units, _ in shapes))
    architecture = architecture_of(hyperparameters, tuple(described["image"]), shapes[-1][0])
    expectations = [one.weight_shape for one in architecture.weighted]
    for layer, (shape, expected) in enumerate(zip(shapes, expectations, strict=True)):
        if shape != expected:
            raise ValueError(f"layers.{layer}.weight must have shape {expected}, not {shape}")
    return architecture


def _verify(tensors: dict[str, torch.Tensor], expected: str) -> None:
    """Refuse tensors that are not as they were written.

    Raises:
        ValueError: If a bit is another.
    """
    if _sha256(tensors) != expected:
        raise ValueError("its tensors are not those of which the sha256 was taken")


def _sha256(tensors: dict[str, torch.Tensor]) -> str:
    digest = sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].cpu().numpy())
    return digest.hexdigest()
