"""Order in which the networks of an ensemble are trained, in stacks that fit the memory."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from generalization.devices import first_line
from generalization.errors import InputError
from generalization.training.checkpoint import Checkpoint, read_checkpoint
from generalization.training.course import Course
from generalization.training.initialization import initial_networks
from generalization.training.stacks import Stack, Training

log = logging.getLogger(__name__)


@dataclass
class Queue:
    """Stacks of the networks whose training has not ended.

    When a GPU runs out of memory, stacks are halved from then on. Networks of which there is a
    checkpoint go on from there: it is put aside in a second file, from which one half after the
    other is read.

    Attributes:
        training: Training in progress.
        course: Course of training.
        size: Number of networks per stack.
        files: Checkpoints with networks that have not ended; the first is that of the stack.
        checkpoint: File of the checkpoint, if there is one.
        opened: Contents of the first file, if they have been read and not been used.
        saved: Whether the checkpoint is of the stack in training.
        largest: Number of networks of the largest stack that was trained.
    """

    training: Training
    course: Course
    size: int
    files: list[Path]
    checkpoint: Path | None
    opened: Checkpoint | None = None
    saved: bool = False
    largest: int = 0

    @classmethod
    def of(cls, training: Training, size: int, checkpoint: Path | None) -> Queue:
        """Begin a training, or resume it from the files of its checkpoint."""
        files = [] if checkpoint is None else [checkpoint, put_aside(checkpoint)]
        files = [file for file in files if file.exists()]
        if files:
            opened = read_checkpoint(files[0], training)
            return cls(training, opened.course(), size, files, checkpoint, opened)
        one = initial_networks(training.architecture, training.hyperparameters, training.seeds[:1])
        course = Course.of(training.kept_steps, len(training.seeds), one)
        return cls(training, course, size, files, checkpoint)

    def stacks(self) -> Iterator[Stack]:
        """Yield stacks until all networks are done."""
        while self.course.unfinished:
            try:
                stack = self._next()
            except torch.OutOfMemoryError as error:
                members, told = min(self.size, len(self.course.unfinished)), first_line(error)
            else:
                yield stack
                continue
            self._halve(members, told)

    def trained(self, stack: Stack) -> Iterator[None]:
        """Train a stack; if the memory of a GPU runs out, its networks come again in halves.

        Yields:
            None after every step, when stack and course can be written to a checkpoint.
        """
        members = len(stack.positions)
        try:
            yield from self.training.train(stack, self.course)
            self.largest = max(self.largest, members)
            return
        except torch.OutOfMemoryError as error:
            told = first_line(error)
        # Only here is the memory of the interrupted step released; now that of the stack is.
        stack.positions = []
        for name in ("networks", "optimizer", "times_met"):
            vars(stack).pop(name, None)
        self._halve(members, told)

    def _next(self) -> Stack:
        """Return the next stack, from a checkpoint if one has networks that are not done."""
        while self.files:
            opened = self.opened or read_checkpoint(self.files[0], self.training)
            self.opened = None
            stack, left = opened.stack(set(self.course.unfinished), self.size)
            self.saved = self.files[0] == self.checkpoint
            if stack is None:
                self.files.pop(0)
                continue
            if left and self.saved:
                self._put_aside()
            self.course.forget(stack.positions, stack.step)
            return stack
        self.saved = False
        positions = self.course.unfinished[: self.size]
        self.course.forget(positions, -1)
        return self.training.begin(positions)

    def _halve(self, members: int, told: str) -> None:
        """Halve the size of stacks, after one of so many networks has not fitted.

        Raises:
            InputError: If it was of one network.
        """
        name = self.training.hyperparameters.name
        if members == 1:
            raise InputError(
                f"{name} must have networks of which one fits the memory of the GPU, but it does "
                f"not ({told}); device: cpu would do."
            )
        self.size = (members + 1) // 2
        log.warning(
            "%s: %d networks at once need more memory than the GPU has; they go on by %d. %s",
            *(name, members, self.size, told),
        )
        if self.saved:
            self._put_aside()
        gc.collect()
        torch.cuda.empty_cache()

    def _put_aside(self) -> None:
        """Keep a checkpoint from which a part of its networks goes on now, and the rest later."""
        aside = put_aside(self.checkpoint)
        if not aside.exists():
            self.checkpoint.replace(aside)
        self.files, self.saved = [aside], False


def put_aside(checkpoint: Path) -> Path:
    """Return the file of a checkpoint whose networks go on in parts."""
    return checkpoint.with_name(f"{checkpoint.stem}-aside{checkpoint.suffix}")
