"""Measures and profiles of the networks of an ensemble.

Args:
    kept: Networks of an ensemble.
    data: Data that they were trained and tested on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from generalization.datasets.dataset import Dataset
from generalization.networks.convolutional import ConvolutionalNetworks
from generalization.networks.modules import Networks, number_of_networks
from generalization.networks.networks_file import KeptNetworks
from generalization.networks.sequences import sequence_of
from generalization.networks.stacked_networks import StackedNetworks
from generalization.offered import (
    OfferedToMeasures,
    OfferedToProfiles,
    check_signature,
    checked_table,
    checked_values,
    is_square,
)
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
    """Compute measures of all networks at every kept step.

    The arguments of a measure are those that its signature names, see ``generalization.offered``. A
    parameter named after another measure receives its values, if they were computed before with the
    same samples.

    Args:
        measures: Name → function.
        settings: Name → keyword arguments, except for ``samples``, the number of test inputs.
        together: Names of measures that are computed for whole stacks of convolutional networks.

    Yields:
        Name and table: ensemble, seed, step, measure, value, status. The value is missing for
        networks with weights that are not finite.

    Raises:
        InputError: If a measure has a parameter that is not offered, which is checked before any is
            computed, or returns anything but values of the networks.
    """  # noqa: DOC502
    for name, measure in measures.items():
        check_signature(f"measure {name}", measure, OfferedToMeasures, settings[name])
    rows, finite = _rows(kept)
    if not finite:
        yield from ((name, _table(kept, rows, [], name, torch.empty(0))) for name in measures)
        return
    stack = _stack(kept, rows, finite)
    begun = initial_networks(stack.architecture, kept.hyperparameters, kept.seeds)
    begun = begun.to(data.test_inputs.device)[[rows[i][1] for i in finite]]
    stacks = {"networks": stack.folded(), "trained_networks": stack, "initial_networks": begun}
    groups, whole = _groups(stacks), [(slice(None), stacks)]
    computed: dict[int | None, dict[str, Tensor]] = {}
    for name, measure in measures.items():
        chosen = dict(settings[name])
        samples = chosen.pop("samples", None)
        before = computed.setdefault(samples, {})
        offer = partial(_offered_to_measure, name, kept, data, samples)
        members = whole if name in together else groups
        before[name] = _values(name, partial(measure, **chosen), members, offer, before)
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
    """Compute a profile of all networks at every kept step.

    The arguments of a profile are those that its signature names, see ``generalization.offered``.

    Args:
        profile: Function that computes the profile.
        settings: Keyword arguments, except for ``samples``, the number of test inputs.
        recorded: Function from pairs of seed and kept step and from a slice of the recorded inputs
            to these inputs and the recorded layers; None without a record.
        together: Whether the profile compares networks and is computed for whole stacks of
            convolutional networks.

    Returns:
        Rows of the profile, with ensemble, seed and step before its own columns; none for networks
        with weights that are not finite.

    Raises:
        InputError: If the profile has a parameter that is not offered, or returns anything but a
            table of the networks.
    """  # noqa: DOC502
    name = f"profile {profile.__name__}"
    check_signature(name, profile, OfferedToProfiles, settings)
    rows, finite = _rows(kept)
    if not finite:
        return pd.DataFrame(columns=KEPT_NETWORK)
    chosen = dict(settings)
    samples = chosen.pop("samples", None)
    stack = {"networks": _stack(kept, rows, finite).folded()}
    shown = [rows[i] for i in finite]
    which, tables = _members(kept, shown), []
    for members, networks in [(slice(None), stack)] if together else _groups(stack):
        offered = OfferedToProfiles(
            **networks,
            **_ensemble_offer(kept, data, samples),
            members=which[members].reset_index(drop=True),
            labels=data.test_labels[:samples],
            generator=generator_for(data.name, profile.__name__),
            recorded=recorded and partial(recorded, _recorded_as(kept, shown[members])),
        )
        table = profile(**named_by(profile, vars(offered)), **chosen)
        tables.append(checked_table(name, table, number_of_networks(offered.networks)))
        tables[-1]["network"] += members.start or 0
    table = pd.concat(tables, ignore_index=True)
    of_row = [rows[finite[position]] for position in table.pop("network")]
    table.insert(0, "ensemble", kept.hyperparameters.name)
    table.insert(1, "seed", [kept.seeds[position] for _, position, _ in of_row])
    table.insert(2, "step", [step for *_, step in of_row])
    return table


def _values(
    name: str,
    measure: Callable[..., Tensor],
    groups: Iterable[tuple[slice, dict[str, Networks]]],
    offer: Callable[..., OfferedToMeasures],
    before: Mapping[str, Tensor],
) -> Tensor:
    """Compute a measure for all networks, group by group.

    Raises:
        InputError: If it does not return values of the networks.
    """  # noqa: DOC502

    def compute(members: slice, networks: dict[str, Networks]) -> Tensor:
        known = {other: values[members] for other, values in before.items()}
        offered = vars(offer(**networks)) | known
        values = measure(**named_by(measure, offered))
        return checked_values(f"measure {name}", values, number_of_networks(networks["networks"]))

    values = []
    for members, networks in groups:
        values.append(compute(members, networks))
        if is_square(values[-1]):
            # As many inputs as networks: values of one network reveal whether axes are exchanged.
            compute(slice(1), {role: stack[:1] for role, stack in networks.items()})
    return torch.cat(values)


def _offered_to_measure(
    name: str, kept: KeptNetworks, data: Dataset, samples: int | None, **networks: Networks
) -> OfferedToMeasures:
    """Return everything that is offered to measures for some networks."""
    generator = generator_for(kept.hyperparameters.name, *kept.seeds, name)
    return OfferedToMeasures(
        **networks, **_ensemble_offer(kept, data, samples), generator=generator
    )


def _ensemble_offer(kept: KeptNetworks, data: Dataset, samples: int | None) -> dict[str, Any]:
    """Return everything that is offered alike for all networks of an ensemble."""
    return {
        "inputs": data.test_inputs[:samples],
        "pixel_deviations": data.test_pixel_deviations[:samples],
        "train_inputs": data.train_inputs,
        "train_labels": data.train_labels,
        "hyperparameters": kept.hyperparameters,
        "init_scale": kept.hyperparameters.init_scale,
        "loss": kept.hyperparameters.loss,
        "shared_generator": generator_for(data.name, "shared"),
    }


def _rows(kept: KeptNetworks) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Return every kept network once, and the indices of those with finite weights."""
    rows = list(kept.distinct())
    return rows, [position for position, row in enumerate(rows) if _is_finite(kept, row)]


def _groups(stacks: Mapping[str, StackedNetworks]) -> list[tuple[slice, dict[str, Networks]]]:
    """Group the networks for measures and profiles.

    Fully connected networks form one stack. Convolutional networks are passed one at a time, as
    modules, which all measures accept that are not restricted to fully connected networks.
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
    """Stack the networks with finite weights."""
    return _joined([kept.networks[rows[i][0]][[rows[i][1]]] for i in finite])


def _members(kept: KeptNetworks, rows: list[tuple[int, int, int]]) -> pd.DataFrame:
    """Return a table with seed and step of networks, and whether they are the final ones."""
    last = kept.steps[-1]
    members = [(kept.seeds[position], step, step == last[position]) for _, position, step in rows]
    return pd.DataFrame(members, columns=["seed", "step", "final"])


def _recorded_as(kept: KeptNetworks, rows: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Return the pairs of seed and kept step by which networks are recorded."""
    return [(kept.seeds[position], kept_step) for kept_step, position, _ in rows]


def _is_finite(kept: KeptNetworks, row: tuple[int, int, int]) -> bool:
    tensors = kept.networks[row[0]].tensors.values()
    return all(bool(torch.isfinite(tensor[row[1]]).all()) for tensor in tensors)


def _joined(networks: list[StackedNetworks]) -> StackedNetworks:
    """Concatenate stacks."""
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
