"""Networks of an ensemble with finite weights, as measures and profiles are given them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from generalization.datasets.dataset import Dataset
from generalization.networks.convolutional import ConvolutionalNetworks
from generalization.networks.module_networks import ModuleNetworks
from generalization.networks.modules import Networks
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
        networks = [self.kept.networks[kept][[seed]] for kept, seed, _ in self.finite_rows]
        stacks = [network.tensors for network in networks]
        joined = {name: torch.cat([stack[name] for stack in stacks]) for name in stacks[0]}
        return networks[0].with_tensors(joined)


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
