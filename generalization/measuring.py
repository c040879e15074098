"""Taking measures and profiles of the networks of an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from generalization.datasets.dataset import Dataset
from generalization.networks.convolutional import ConvolutionalNetworks
from generalization.networks.modules import Networks
from generalization.networks.networks_file import KeptNetworks
from generalization.networks.sequences import sequence_of
from generalization.networks.stacked_networks import StackedNetworks
from generalization.randomness import generator_for
from generalization.signatures import named_by
from generalization.tables import KEPT_NETWORK
from generalization.training.initialization import initial_networks

Recorded = Callable[[list[tuple[int, int]], slice], tuple[Tensor, list[Tensor]]]


def measure_networks(
    kept: KeptNetworks,
    data: Dataset,
    measures: Mapping[str, Callable[..., Tensor]],
    settings: Mapping[str, Mapping[str, Any]],
    *,
    together: Collection[str] = (),
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Take measures of all networks, at every step at which they were kept.

    A measure is given what its signature names, see ``generalization.measures``; a parameter named
    as another measure is given that one's values, if they were taken before with the same samples.

    Args:
        kept: The networks of an ensemble.
        data: What they were trained and tested on.
        measures: Name → function.
        settings: Name → keyword arguments; ``samples`` is the number of test inputs instead.
        together: Names of measures that are given a whole stack of convolutional networks.

    Yields:
        Name and table: ensemble, seed, step, measure, value, status. The value of a network whose
        weights are not finite does not exist.
    """
    rows, finite = _rows(kept)
    if not finite:
        yield from ((name, _table(kept, rows, [], name, torch.empty(0))) for name in measures)
        return
    stack = _stack(kept, rows, finite)
    begun = initial_networks(stack.architecture, kept.hyperparameters, kept.seeds)
    begun = begun.to(data.test_inputs.device)[[rows[i][1] for i in finite]]
    stacks = {"networks": stack.folded(), "trained_networks": stack, "initial_networks": begun}
    groups, whole = _groups(stacks), [(slice(None), stacks)]
    taken: dict[int | None, dict[str, Tensor]] = {}
    for name, measure in measures.items():
        chosen = dict(settings[name])
        samples = chosen.pop("samples", None)
        values, before = [], taken.setdefault(samples, {})
        for members, networks in whole if name in together else groups:
            available = {
                **networks,
                **_of_inputs(data, samples),
                "train_inputs": data.train_inputs,
                "train_labels": data.train_labels,
                "init_scale": kept.hyperparameters.init_scale,
                "generator": generator_for(kept.hyperparameters.name, *kept.seeds, name),
                **{other: of_other[members] for other, of_other in before.items()},
            }
            values.append(measure(**named_by(measure, available), **chosen))
        before[name] = torch.cat(values)
        yield name, _table(kept, rows, finite, name, before[name])


def profile_networks(
    kept: KeptNetworks,
    data: Dataset,
    profile: Callable[..., pd.DataFrame],
    settings: Mapping[str, Any],
    recorded: Recorded | None = None,
    *,
    together: bool = False,
) -> pd.DataFrame:
    """Take a profile of all networks, at every step at which they were kept.

    A profile is given what its signature names, see ``generalization.profiles``.

    Args:
        kept: The networks of an ensemble.
        data: What they were trained and tested on.
        profile: The function.
        settings: Keyword arguments; ``samples`` is the number of test inputs instead.
        recorded: Of (seed, kept step) of some networks, and of a slice of what they were shown,
            that and their layers, where a profile is made from a record.
        together: Whether it compares networks, and is given a stack of convolutional ones, too.

    Returns:
        The rows of the profile, with ensemble, seed and step before its own columns. A network
        whose weights are not finite has none.
    """
    rows, finite = _rows(kept)
    if not finite:
        return pd.DataFrame(columns=KEPT_NETWORK)
    chosen = dict(settings)
    samples = chosen.pop("samples", None)
    stack = {"networks": _stack(kept, rows, finite).folded()}
    shown = [rows[i] for i in finite]
    which, tables = _members(kept, shown), []
    for members, networks in [(slice(None), stack)] if together else _groups(stack):
        available = {
            **networks,
            "members": which[members].reset_index(drop=True),
            "hyperparameters": kept.hyperparameters,
            **_of_inputs(data, samples),
            "labels": data.test_labels[:samples],
            "train_inputs": data.train_inputs,
            "train_labels": data.train_labels,
            "init_scale": kept.hyperparameters.init_scale,
            "generator": generator_for(data.name, profile.__name__),
            "recorded": recorded and partial(recorded, _recorded_as(kept, shown[members])),
        }
        tables.append(profile(**named_by(profile, available), **chosen))
        tables[-1]["network"] += members.start or 0
    table = pd.concat(tables, ignore_index=True)
    of_row = [rows[finite[position]] for position in table.pop("network")]
    table.insert(0, "ensemble", kept.hyperparameters.name)
    table.insert(1, "seed", [kept.seeds[position] for _, position, _ in of_row])
    table.insert(2, "step", [step for *_, step in of_row])
    return table


def _of_inputs(data: Dataset, samples: int | None) -> dict[str, Any]:
    """What is offered of the first test inputs, the same for all networks of a dataset."""
    return {
        "inputs": data.test_inputs[:samples],
        "pixel_deviations": data.test_pixel_deviations[:samples],
        "shared_generator": generator_for(data.name, "shared"),
    }


def _rows(kept: KeptNetworks) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Every kept network once, and which of them have finite weights."""
    rows = list(kept.distinct())
    return rows, [position for position, row in enumerate(rows) if _is_finite(kept, row)]


def _groups(stacks: Mapping[str, StackedNetworks]) -> list[tuple[slice, dict[str, Networks]]]:
    """What measures and profiles are given of networks, and which networks that are.

    Stacks of fully connected networks are given whole. Of others every network is given alone, as
    a module, which measures that know of no stacks but these take.
    """
    if not isinstance(stacks["networks"], ConvolutionalNetworks):
        return [(slice(None), dict(stacks))]
    members = [slice(position, position + 1) for position in range(len(stacks["networks"]))]
    return [
        (member, {name: sequence_of(stack[member]) for name, stack in stacks.items()})
        for member in members
    ]


def _stack(
    kept: KeptNetworks, rows: list[tuple[int, int, int]], finite: list[int]
) -> StackedNetworks:
    """The networks with finite weights, as one stack."""
    return _joined([kept.networks[rows[i][0]][[rows[i][1]]] for i in finite])


def _members(kept: KeptNetworks, rows: list[tuple[int, int, int]]) -> pd.DataFrame:
    """Which networks these are."""
    last = kept.steps[-1]
    members = [(kept.seeds[place], step, step == last[place]) for _, place, step in rows]
    return pd.DataFrame(members, columns=["seed", "step", "final"])


def _recorded_as(kept: KeptNetworks, rows: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Seeds and kept steps."""
    return [(kept.seeds[place], kept_step) for kept_step, place, _ in rows]


def _is_finite(kept: KeptNetworks, row: tuple[int, int, int]) -> bool:
    tensors = kept.networks[row[0]].tensors.values()
    return all(bool(torch.isfinite(tensor[row[1]]).all()) for tensor in tensors)


def _joined(networks: list[StackedNetworks]) -> StackedNetworks:
    """One stack of several."""
    stacks = [stack.tensors for stack in networks]
    joined = {name: torch.cat([stack[name] for stack in stacks]) for name in stacks[0]}
    return networks[0].with_tensors(joined)


def _table(
    kept: KeptNetworks,
    rows: list[tuple[int, int, int]],
    finite: list[int],
    name: str,
    values: Tensor,
) -> pd.DataFrame:
    means = values.double() if values.dim() == 1 else values.double().mean(1)
    exists = dict(zip(finite, means.tolist(), strict=True))
    return pd.DataFrame({
        "ensemble": kept.hyperparameters.name,
        "seed": [kept.seeds[position] for _, position, _ in rows],
        "step": [step for *_, step in rows],
        "measure": name,
        "value": [exists.get(row) for row in range(len(rows))],
        "status": [kept.statuses[position] for _, position, _ in rows],
    })
