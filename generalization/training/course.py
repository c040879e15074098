"""Networks, statuses and evaluations recorded during training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from generalization.hyperparameters import Hyperparameters
from generalization.networks.networks_file import KeptNetworks
from generalization.networks.stacked_networks import StackedNetworks

STATUSES = ("fitted", "stopped", "diverged")
PERFORMANCE = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


# Names that kept_steps accepts → the steps, from the step limit and the steps per epoch.
NAMED_STEPS = {
    "powers_of_two": lambda limit, _: {0, *(2**power for power in range(limit.bit_length()))},
    "every_epoch": lambda limit, steps_per_epoch: set(range(0, limit, steps_per_epoch)),
}


def planned_steps(
    hyperparameters: Hyperparameters, limit: int, steps_per_epoch: int
) -> tuple[list[int], set[int]]:
    """Return the steps before the last one at which networks are kept and evaluated.

    Args:
        hyperparameters: Hyper-parameters, of which ``kept_steps`` is used.
        limit: Maximum number of training steps.
        steps_per_epoch: Number of batches per epoch.

    Returns:
        Kept steps in ascending order, and evaluated steps: 0, powers of two, and the kept steps.
    """
    named = {name: steps(limit, steps_per_epoch) for name, steps in NAMED_STEPS.items()}
    wanted = hyperparameters.kept_steps
    kept = named[wanted] if isinstance(wanted, str) else set(wanted)
    return (
        sorted(step for step in kept if step < limit),
        {step for step in named["powers_of_two"] | kept if step < limit},
    )


@dataclass
class Course:
    """The networks of an ensemble at their kept steps, and their evaluations.

    Attributes:
        kept_steps: Ascending steps at which networks are kept, in addition to their final state.
        networks: Networks on the CPU, with an axis of kept steps before that of networks; the last
            kept step is the final state.
        steps: Training step of every kept network.
        statuses: Index in ``STATUSES`` for each network; −1 until its training has ended.
        evaluations: Rows of position, step, and ``PERFORMANCE`` of a network.
    """

    kept_steps: Sequence[int]
    networks: StackedNetworks
    steps: Int64[Tensor, "kept networks"]
    statuses: Int64[Tensor, "networks"]
    evaluations: list[tuple[float, ...]] = field(default_factory=list)

    @classmethod
    def of(cls, kept_steps: Sequence[int], networks: int, one: StackedNetworks) -> Course:
        """Return the course before training, for networks with the tensors of ``one``."""
        kept = len(kept_steps) + 1
        return cls(
            kept_steps=kept_steps,
            networks=one.map(
                lambda tensor: torch.zeros(kept, networks, *tensor.shape[1:], dtype=tensor.dtype)
            ),
            steps=torch.full((kept, networks), -1),
            statuses=torch.full((networks,), -1),
        )

    def keep(self, networks: StackedNetworks, positions: Sequence[int], step: int) -> None:
        """Keep a stack of networks if this is one of the kept steps."""
        if step in self.kept_steps:
            self._store(self.kept_steps.index(step), networks, positions, step)

    def finish(
        self, networks: StackedNetworks, positions: Sequence[int], step: int, status: str
    ) -> None:
        """Keep networks that are done, at all remaining kept steps."""
        for slot, kept_step in enumerate(self.kept_steps):
            if kept_step > step:
                self._store(slot, networks, positions, step)
        self._store(-1, networks, positions, step)
        self.statuses[list(positions)] = STATUSES.index(status)

    @property
    def unfinished(self) -> list[int]:
        """Positions of the networks whose training has not ended."""
        return (self.statuses < 0).nonzero().flatten().tolist()

    def forget(self, positions: Sequence[int], step: int) -> None:
        """Forget the evaluations of networks after a step from which they are trained again."""
        of = set(positions)
        self.evaluations = [row for row in self.evaluations if row[0] not in of or row[1] <= step]

    def _store(
        self, slot: int, networks: StackedNetworks, positions: Sequence[int], step: int
    ) -> None:
        kept = self.networks.tensors
        for name, tensor in networks.tensors.items():
            kept[name][slot, list(positions)] = tensor.cpu()
        self.steps[slot, list(positions)] = step

    def kept_networks(self, hyperparameters: Hyperparameters, seeds: Sequence[int]) -> KeptNetworks:
        """Return the networks of an ensemble whose training has ended."""
        return KeptNetworks(
            hyperparameters=hyperparameters,
            seeds=tuple(seeds),
            steps=tuple(map(tuple, self.steps.tolist())),
            statuses=tuple(STATUSES[status] for status in self.statuses.tolist()),
            networks=tuple(
                self.networks.map(lambda tensor, slot=slot: tensor[slot])
                for slot in range(len(self.steps))
            ),
        )

    def rows(self, ensemble: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Return the rows of ``training.csv``, by seed and step; the status is the final one."""
        return [
            {
                "ensemble": ensemble,
                "seed": seeds[int(position)],
                "step": int(step),
                **dict(zip(PERFORMANCE, performance, strict=True)),
                "status": STATUSES[self.statuses[int(position)]],
            }
            for position, step, *performance in sorted(self.evaluations)
        ]
