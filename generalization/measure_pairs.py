"""Measures of an ensemble: of the pairs of its networks, from two blocks of seeds.

A measure receives what its signature names, of the final networks of either block: ``logits_a`` and
``logits_b``, ``train_accuracy_a`` and ``train_accuracy_b``, ``features_a`` and ``features_b``. Test
labels are not offered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from inspect import signature
from itertools import product
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from generalization.datasets.dataset import Dataset
from generalization.devices import halving_memory
from generalization.errors import InputError
from generalization.finite_networks import NOT_FINITE, Groups
from generalization.networks.networks_file import KeptNetworks
from generalization.refusals import with_article
from generalization.seen_in_networks import SEEN
from generalization.tables import PAIR

NO_VALUE = "no finite value"


def measure_pairs(
    a: KeptNetworks,
    b: KeptNetworks,
    data: Dataset,
    measures: Mapping[str, Callable[..., Tensor]],
    settings: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Compute measures of all pairs of networks of two blocks of seeds, in their final states.

    Args:
        a: A block of seeds.
        b: Another block of the same ensemble, or the same one, whose pairs then count once.
        measures: Functions, by the name of the measure.
        settings: Keyword arguments by measure; ``samples``, the number of test inputs, is none.

    Yields:
        Name and table with one row per pair: ensemble, step (the larger of their two), seed_a,
        seed_b, measure, value, and the reason if there is no value.

    Raises:
        InputError: If the blocks are of different ensembles, or a measure asks for something that
            is not offered or returns something else than values of the pairs.
    """
    if a.hyperparameters.name != b.hyperparameters.name:
        raise InputError(
            "Pairs must be of one ensemble, "
            f"not of {a.hyperparameters.name} and {b.hyperparameters.name}."
        )
    sides = {"a": _Side(a, data), "b": _Side(b, data)}
    shape = tuple(len(side.finite) for side in sides.values())
    for name, measure in measures.items():
        chosen = dict(settings[name])
        samples = chosen.pop("samples", None)
        asked = _asked(name, measure, chosen)
        values = torch.empty(shape)
        if all(shape):
            given = {f"{kind}_{side}": sides[side].seen(kind, samples) for kind, side in asked}
            values = _checked(name, measure(**given, **chosen), shape)
        yield name, _table(name, *sides.values(), values)


class _Side:
    """The final networks of a block, and what has been computed of those that are finite."""

    def __init__(self, kept: KeptNetworks, data: Dataset):
        self.kept, self.data, self.last = kept, data, kept.networks[-1]
        tensors = self.last.tensors.values()
        self.finite = [
            place
            for place in range(len(kept.seeds))
            if all(bool(tensor[place].isfinite().all()) for tensor in tensors)
        ]
        self.known: dict[tuple[str, int | None], Tensor] = {}

    def seen(self, kind: str, samples: int | None) -> Tensor:
        """Return logits, train accuracies or features of the finite networks."""
        if (kind, samples) not in self.known:
            stack = {"networks": self.last[self.finite].folded()}
            groups = Groups(stack, self.data.test_inputs.device)
            self.known[kind, samples] = halving_memory(
                f"{kind} of {self.kept.hyperparameters.name}",
                lambda: torch.cat([
                    SEEN[kind](networks["networks"], self.data, samples) for _, networks in groups
                ]),
            )
        return self.known[kind, samples]


def _asked(
    name: str, measure: Callable[..., Tensor], settings: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Return what the parameters of a measure name, and of which side.

    Raises:
        InputError: If one names nothing that is offered.
    """
    offered = {f"{kind}_{side}": (kind, side) for kind in SEEN for side in "ab"}
    asked = [one for one in signature(measure).parameters if one not in settings]
    for one in asked:
        if one not in offered:
            raise InputError(
                f"Parameters of ensemble measure {name} must be settings or among "
                f"{', '.join(offered)}, not {one!r}."
            )
    return [offered[one] for one in asked]


def _checked(name: str, values: Any, shape: tuple[int, ...]) -> Tensor:
    """Return the values of a measure if they are one per pair of finite networks.

    Raises:
        InputError: If they are not a floating-point tensor of this shape.
    """
    if isinstance(values, Tensor) and values.is_floating_point() and values.shape == shape:
        return values
    of_shape = isinstance(values, Tensor) and f"one of {values.dtype} and {tuple(values.shape)}"
    raise InputError(
        f"Ensemble measure {name} must return a floating-point tensor of shape {shape}, "
        f"not {of_shape or with_article(type(values).__name__)}."
    )


def _table(name: str, a: _Side, b: _Side, values: Tensor) -> pd.DataFrame:
    """Table of a measure, with one row per pair of different seeds."""
    known = dict(zip(product(a.finite, b.finite), values.flatten().tolist(), strict=True))
    rows = []
    for (i, seed_a), (j, seed_b) in product(enumerate(a.kept.seeds), enumerate(b.kept.seeds)):
        if seed_a >= seed_b:
            continue  # Blocks ascend, so that every pair is in this order once.
        value = known.get((i, j))
        reason = NOT_FINITE if value is None else "" if math.isfinite(value) else NO_VALUE
        step = max(a.kept.steps[-1][i], b.kept.steps[-1][j])
        about = (a.kept.hyperparameters.name, step, seed_a, seed_b, name)
        rows.append((*about, None if reason else value, reason))
    return pd.DataFrame(rows, columns=PAIR)
