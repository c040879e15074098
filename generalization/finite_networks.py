"""Networks of an ensemble with finite weights, as measures and profiles are given them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from generalization.datasets.dataset import Dataset
from generalization.devices import SHARE_OF_MEMORY, usable_memory
from generalization.networks.convolutional import ConvolutionalNetworks
from generalization.networks.module_networks import ModuleNetworks
from generalization.networks.modules import Networks, number_of_networks
from generalization.networks.networks_file import KeptNetworks
from generalization.networks.sequences import module_of
from generalization.networks.stacked_networks import StackedNetworks
from generalization.randomness import generator_for

NOT_FINITE = "weights that are not finite"  # Why such a network has no value of any measure.


@dataclass(frozen=True)
class FiniteNetworks:
    """Networks with finite weights, among those kept.

    Attributes:
        kept: All networks of the ensemble.
        rows: Kept step, position of the seed, and step, of every network that was kept.
        positions: Positions in ``rows`` of the networks with finite weights.
    """

    kept: KeptNetworks
    rows: list[tuple[int, int, int]]
    positions: list[int]

    @classmethod
    def of(cls, kept: KeptNetworks) -> FiniteNetworks:
        """Find them, each once: a network that has ended stays the same from then on."""
        rows = list(kept.distinct())
        return cls(kept, rows, [row for row, found in enumerate(rows) if _is_finite(kept, found)])

    @property
    def finite_rows(self) -> list[tuple[int, int, int]]:
        """Rows of the networks with finite weights."""
        return [self.rows[position] for position in self.positions]

    def stack(self) -> StackedNetworks:
        """Stack them, as they were trained."""
        stacks = [stack.tensors for stack in self.kept.networks]
        joined = {
            name: torch.cat([
                stacks[kept][name][seed : seed + 1] for kept, seed, _ in self.finite_rows
            ])
            for name in stacks[0]
        }
        return self.kept.networks[0].with_tensors(joined)


def grouped(stacks: Mapping[str, StackedNetworks]) -> list[tuple[slice, dict[str, Networks]]]:
    """Group networks as measures and profiles are given them.

    Fully connected networks are given as one stack. Others are given one at a time, as a module,
    which measures that know of no other stacks accept; those of a user are the user's modules.

    Args:
        stacks: Name of the argument → stack of all networks.

    Returns:
        Positions in the stacks, and the arguments.
    """
    if not isinstance(stacks["networks"], ConvolutionalNetworks | ModuleNetworks):
        return [(slice(None), dict(stacks))]
    members = [slice(position, position + 1) for position in range(len(stacks["networks"]))]
    return [
        (member, {name: module_of(stack[member]) for name, stack in stacks.items()})
        for member in members
    ]


@dataclass
class Groups:
    """Networks in the memory of this machine, which are moved to a device as they are needed.

    Attributes:
        stacks: Name of the argument → stack of all networks.
        device: Device on which they are measured.
    """

    stacks: Mapping[str, StackedNetworks]
    device: torch.device
    _moved: dict[int, list[tuple[slice, dict[str, Networks]]]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[slice, dict[str, Networks]]]:
        """Yield what ``grouped`` returns, with as many networks on the device as fit its memory."""
        size = self.size()
        if size == len(self.stacks["networks"]):
            # There is room for all, which then stay there for what is measured next.
            yield from self._moved.setdefault(size, grouped(self.together()))
            return
        self._moved.clear()
        for first in range(0, len(self.stacks["networks"]), size):
            part = slice(first, first + size)
            for members, networks in grouped(self.together(part)):
                start = first + (members.start or 0)
                yield slice(start, start + number_of_networks(networks["networks"])), networks

    def one_by_one(self) -> Iterator[tuple[slice, dict[str, StackedNetworks]]]:
        """Yield every network as a stack of one, on the device."""
        for position in range(len(self.stacks["networks"])):
            member = slice(position, position + 1)
            yield member, self.together(member)

    @property
    def in_parts(self) -> bool:
        """Whether only some of the networks are on the device at a time."""
        return self.size() < len(self.stacks["networks"])

    def together(self, part: slice = slice(None)) -> dict[str, StackedNetworks]:
        """Return all networks, or a part of them, on the device."""
        # Without normalization, networks are the same folded and as trained.
        moved = {id(stack): stack[part].to(self.device) for stack in self.stacks.values()}
        return {name: moved[id(stack)] for name, stack in self.stacks.items()}

    def size(self) -> int:
        """Return the number of networks to have on the device at a time."""
        count = len(self.stacks["networks"])
        if self.device.type == "cpu":
            return count
        stacks = {id(stack): stack for stack in self.stacks.values()}.values()
        stored = sum(tensor.nbytes for stack in stacks for tensor in stack.tensors.values())
        room = int(SHARE_OF_MEMORY * usable_memory(self.device))
        return max(1, min(count, room * count // stored))


def offered_of_ensemble(kept: KeptNetworks, data: Dataset, samples: int | None) -> dict[str, Any]:
    """Return everything offered that is the same for all networks of an ensemble.

    Args:
        samples: Number of test inputs, if not all.
    """
    return {
        "inputs": data.test_inputs[:samples],
        "pixel_deviations": data.test_pixel_deviations[:samples],
        "train_inputs": data.train_inputs,
        "train_labels": data.train_labels,
        "hyperparameters": kept.hyperparameters,
        "init_scale": kept.hyperparameters.as_dict()["init_scale"],
        "loss": kept.hyperparameters.loss,
        "shared_generator": generator_for(data.name, "shared"),
    }


def _is_finite(kept: KeptNetworks, row: tuple[int, int, int]) -> bool:
    tensors = kept.networks[row[0]].tensors.values()
    return all(bool(torch.isfinite(tensor[row[1]]).all()) for tensor in tensors)
