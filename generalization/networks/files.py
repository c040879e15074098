"""Networks on disk: safetensors, which cannot execute code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from generalization.errors import InputError
from generalization.files import written_whole
from generalization.hyperparameters import Hyperparameters
from generalization.networks.fully_connected import FullyConnectedNetworks


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
    networks: tuple[FullyConnectedNetworks, ...]

    def distinct(self) -> Iterator[tuple[int, int, int]]:
        """(kept step, position, training step) of every network that was not kept before."""
        for kept, steps in enumerate(self.steps):
            for position, step in enumerate(steps):
                if kept == 0 or step != self.steps[kept - 1][position]:
                    yield kept, position, step


def write_networks(path: Path | str, kept: KeptNetworks) -> None:
    """Write networks, whole or not at all.

    The tensors are ``layers.<l>.weight`` of shape (kept steps, seeds, fan_out, fan_in), and if
    there are such ``layers.<l>.bias`` and, of ``BatchNormalization``, ``layers.<l>.norm.scale``,
    ``.shift``, ``.mean`` and ``.variance``; the metadata ``hyperparameters``, ``seeds``, ``steps``
    ``statuses`` and ``sha256`` (of the tensors, in the order of their names) are JSON.

    Args:
        path: A safetensors file.
        kept: What to write.
    """
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
        steps = tuple(map(tuple, described["steps"]))
        stacks = tuple(
            FullyConnectedNetworks.of_tensors(
                {name: tensor[kept] for name, tensor in tensors.items()}, hyperparameters.activation
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
