"""Checkpoints of training; a resumed training ends with the same bits as an uninterrupted one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from generalization.errors import InputError
from generalization.networks.networks_file import networks_from_tensors
from generalization.networks.stacked_networks import StackedNetworks
from generalization.networks.tensor_file import read_tensors, write_tensors
from generalization.training.course import Course
from generalization.training.stacks import Stack, Training


def write_checkpoint(path: Path, training: Training, course: Course, stack: Stack) -> None:
    """Write the state of training atomically, as safetensors.

    Args:
        training: Training in progress, of which only ensemble and seeds are stored.
        course: Recorded course, stored as ``kept.<name>`` (one per tensor of the networks),
            ``steps``, ``statuses`` and ``evaluations``.
        stack: Stack in training, stored as ``networks.<name>``, ``optimizer.<name>.<i>`` (one per
            parameter), ``positions`` and ``times_met``.
    """
    parts = {"kept": course.networks.tensors, "networks": stack.networks.tensors}
    for name, tensors in stack.optimizer.state.items():
        parts[f"optimizer.{name}"] = dict(enumerate(tensors))
    tensors = {
        "steps": course.steps,
        "statuses": course.statuses,
        "evaluations": torch.tensor(course.evaluations, dtype=torch.float64),
        "positions": torch.tensor(stack.positions),
        "times_met": stack.times_met,
    }
    for part, members in parts.items():
        tensors |= {f"{part}.{name}": tensor.contiguous() for name, tensor in members.items()}
    progress = {"step": stack.step, "first": training.criterion.first}
    write_tensors(path, tensors, identity(training) | progress | {"made_on": training.made_on})


@dataclass
class Checkpoint:
    """State of a training, in the memory of this machine.

    Attributes:
        training: Training to resume.
        description: Seeds, step and the like.
        tensors: Tensors by the names that ``write_checkpoint`` gives them.
    """

    training: Training
    description: dict[str, Any]
    tensors: dict[str, Tensor]

    def course(self) -> Course:
        """Return the course of training."""
        return Course(
            kept_steps=self.training.kept_steps,
            networks=_networks(self.tensors, "kept", self.training),
            steps=self.tensors["steps"],
            statuses=self.tensors["statuses"],
            evaluations=[tuple(row) for row in self.tensors["evaluations"].tolist()],
        )

    def stack(self, positions: Collection[int], most: int) -> tuple[Stack | None, int]:
        """Return the stack in training, on the device of training.

        Args:
            positions: Positions of the networks that are wanted.
            most: Number of networks to resume, the first of these.

        Returns:
            The stack, None if it has none of the networks; and the number that is left out.
        """
        there = self.tensors["positions"].tolist()
        which = [place for place, position in enumerate(there) if position in positions]
        some = which[:most]
        return (self._stack(there, some) if some else None), len(which) - len(some)

    def _stack(self, positions: list[int], which: list[int]) -> Stack:
        training, tensors, device = self.training, self.tensors, self.training.device
        some = which if len(which) < len(positions) else slice(None)
        networks = _networks(tensors, "networks", training).map(lambda one: one[some].to(device))
        names = {key.split(".")[1] for key in tensors if key.startswith("optimizer.")}
        # The state of L-BFGS, which trains one network, has no axis of networks.
        part = ... if training.full_batch else some
        state = {
            name: [tensor[part].to(device) for tensor in _members(tensors, f"optimizer.{name}")]
            for name in sorted(names)
        }
        training.criterion.first = self.description["first"]
        positions = [positions[place] for place in which]
        return Stack(
            networks=networks,
            optimizer=training.optimizer(networks, positions, state),
            positions=positions,
            times_met=tensors["times_met"][some].to(device),
            step=self.description["step"],
        )


def read_checkpoint(path: Path, training: Training) -> Checkpoint:
    """Read the state of training.

    Args:
        path: File written by ``write_checkpoint``.
        training: Training to resume, which learns on which device it was begun.

    Raises:
        InputError: If the file is damaged, or belongs to another ensemble or other seeds.
    """
    try:
        description, tensors = read_tensors(path)
        found = {key: description[key] for key in identity(training)}
        if found == identity(training):
            training.continue_after(description["made_on"])
            # Copied, because BLAS may round differently for a different memory alignment.
            tensors = {name: tensor.clone() for name, tensor in tensors.items()}
            return Checkpoint(training, description, tensors)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(
            f"checkpoint must be a whole file of this project, not {str(path)!r} "
            f"({type(error).__name__}: {error}); without it training begins anew."
        ) from error
    wanted = identity(training)
    raise InputError(
        f"checkpoint must be of {wanted['ensemble']} with seeds {wanted['seeds']}, but "
        f"{str(path)!r} is of {found['ensemble']} with seeds {found['seeds']}."
    )


@contextmanager
def checkpoint_beside(networks: Path, code: str) -> Iterator[Path]:
    """Name the checkpoint of a training, and remove it once its results are written.

    Args:
        networks: File that the trained networks will be written to, in the same folder.
        code: Fingerprint of the code: a training resumes only what the same code began.

    Yields:
        The checkpoint. If the results are not written, it stays.
    """
    yield networks.with_name(f"checkpoint-{code}.safetensors")
    for left in networks.parent.glob("checkpoint-*.safetensors"):
        left.unlink(missing_ok=True)  # A job of a killed head may end the same training.


def identity(training: Training) -> dict[str, Any]:
    """Return the properties in which a checkpoint must agree with the resumed training."""
    return {"ensemble": training.hyperparameters.name, "seeds": list(training.seeds)}


def _members(tensors: dict[str, Tensor], name: str) -> list[Tensor]:
    """List the tensors named ``<name>.<i>`` in order."""
    indices = range(len(tensors))
    return [tensors[f"{name}.{i}"] for i in indices if f"{name}.{i}" in tensors]


def _networks(tensors: dict[str, Tensor], name: str, training: Training) -> StackedNetworks:
    members = {
        key.removeprefix(f"{name}."): tensor
        for key, tensor in tensors.items()
        if key.startswith(f"{name}.")
    }
    activation = training.hyperparameters.activation
    return networks_from_tensors(members, activation, training.architecture)
