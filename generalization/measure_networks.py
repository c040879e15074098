"""Measures of the networks of an ensemble."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any
from warnings import WarningMessage, catch_warnings, simplefilter

import pandas as pd
import torch
from torch import Tensor, nn

from generalization.datasets.dataset import Dataset
from generalization.devices import at_most, halving_memory
from generalization.errors import Approximated, InputError, NotFinite, in_order, reason_of
from generalization.finite_networks import NOT_FINITE, FiniteNetworks, Groups, offered_of_ensemble
from generalization.measuring_modules import fitting_batch_size
from generalization.networks.modules import Networks, left_as_it_was, number_of_networks
from generalization.networks.networks_file import KeptNetworks
from generalization.networks.sharing import Results, sharing_results
from generalization.networks.stacked_networks import StackedNetworks
from generalization.offered import (
    OfferedToMeasures,
    check_signature,
    checked_values,
    is_square,
)
from generalization.randomness import generator_for
from generalization.signatures import named_by
from generalization.training.initialization import initial_networks


def measure_networks(
    kept: KeptNetworks,
    data: Dataset,
    measures: Mapping[str, Callable[..., Tensor]],
    settings: Mapping[str, Mapping[str, Any]],
    *,
    alone: Collection[str] = (),
    training: pd.DataFrame | None = None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Compute measures of all networks, at every step at which they were kept.

    A measure is given what its signature names, see ``generalization.offered``; a parameter named
    as another measure is given that one's values, if they were computed before with the same
    samples.

    Args:
        measures: Name → function.
        settings: Name → keyword arguments; ``samples`` is the number of test inputs instead.
        alone: Names of measures that are given a stack of one network at a time, and a generator of
            this network. The generator of others belongs to the ensemble and the measure: all
            networks share it, whichever of the ensemble's seeds are measured with them.
        training: Rows of ``training.csv`` of the ensemble, if the course of training is known.

    Yields:
        Name and table: ensemble, seed, step, measure, value, status, reason. The value of a network
        whose weights are not finite does not exist; where a value does not exist or is infinite,
        ``reason`` says why, and where it is an approximation, how close.

    Raises:
        InputError: If a measure asks for something that is not offered, or ``training`` is of
            another ensemble, which is known before any is computed, or a measure returns something
            else than values of the networks.
    """  # noqa: DOC502
    _check_ensemble(kept, training)
    for name, measure in measures.items():
        check_signature(f"measure {name}", measure, OfferedToMeasures, settings[name])
    finite = FiniteNetworks.of(kept)
    if not finite.positions:
        yield from ((name, _table(finite, name, torch.empty(0), [])) for name in measures)
        return
    groups = Groups(_stacks(finite, measures.values()), data.test_inputs.device)
    course = _evaluations(finite, training)
    # Number of samples → measure → its values, which other measures may ask for.
    computed: dict[int | None, dict[str, Tensor]] = {}
    shared: Results = {}
    for name, measure in measures.items():
        chosen = dict(settings[name])
        samples = chosen.pop("samples", None)
        before = computed.setdefault(samples, {})
        purpose = partial(_purpose, finite, name, alone=name in alone)
        offer = partial(_offered_to_measure, purpose, kept, data, samples, course)
        foreign = kept.hyperparameters.is_foreign
        compute = partial(_values_or_reasons, name, partial(measure, **chosen), foreign=foreign)

        def values(compute=compute, one_by_one=name in alone, offer=offer, before=before):
            members = groups.one_by_one() if one_by_one else groups
            # What is shared would keep the networks of all parts on the device.
            with sharing_results({} if groups.in_parts else shared):
                return compute(members, offer, before)

        before[name], reasons = halving_memory(f"measure {name}", values)
        yield name, _table(finite, name, before[name], reasons)


def _check_ensemble(kept: KeptNetworks, training: pd.DataFrame | None) -> None:
    """Refuse a table of training that was copied from another ensemble.

    Raises:
        InputError: If it is one.
    """
    ensemble = kept.hyperparameters.name
    others = [] if training is None else sorted({*training["ensemble"]} - {ensemble})
    if others:
        raise InputError(
            f"The table of training must be of {ensemble}, not of {', '.join(others)}; without it "
            "the same command makes it again."
        )


def _stacks(
    finite: FiniteNetworks, measures: Iterable[Callable[..., Tensor]]
) -> dict[str, StackedNetworks]:
    """Return the stacks that are offered: folded, as trained, and, if asked, at initialization."""
    trained, kept = finite.stack(), finite.kept
    stacks = {"networks": trained.folded(), "trained_networks": trained}
    if any("initial_networks" in signature(measure).parameters for measure in measures):
        initial = initial_networks(trained.architecture, kept.hyperparameters, kept.seeds)
        stacks["initial_networks"] = initial[[place for _, place, _ in finite.finite_rows]]
    return stacks


def _evaluations(finite: FiniteNetworks, training: pd.DataFrame | None) -> dict[str, Tensor]:
    """Return the evaluations of every network until its step, as measures are offered them."""
    courses = []
    for _, place, step in finite.finite_rows if training is not None else ():
        rows = training[training["seed"] == finite.kept.seeds[place]]
        rows = rows[rows["step"] <= step].sort_values("step", kind="stable")
        courses.append(torch.tensor(rows[["step", "train_loss"]].to_numpy(float)))
    if not courses:
        courses = [torch.empty(0, 2, dtype=torch.float64)] * len(finite.positions)
    padded = nn.utils.rnn.pad_sequence(courses, batch_first=True, padding_value=torch.nan)
    return {"evaluated_steps": padded[..., 0], "evaluated_losses": padded[..., 1]}


def _values(
    name: str,
    measure: Callable[..., Tensor],
    groups: Iterable[tuple[slice, dict[str, Networks]]],
    offer: Callable[..., OfferedToMeasures],
    before: Mapping[str, Tensor],
) -> tuple[Tensor, list[tuple[str, str]]]:
    """Values of a measure for all networks, group by group, and what ``_reasons`` says of each.

    Raises:
        InputError: If they are not values of the networks.
    """  # noqa: DOC502

    def compute(members: slice, networks: dict[str, Networks]) -> Tensor:
        known = {other: values[members] for other, values in before.items()}
        offered = vars(offer(members, **networks)) | known
        values = measure(**named_by(measure, offered))
        return checked_values(f"measure {name}", values, number_of_networks(networks["networks"]))

    values, reasons = [], []
    for members, networks in groups:
        with catch_warnings(record=True) as warned:
            simplefilter("always")
            values.append(compute(members, networks))
        reasons += _reasons(warned, len(values[-1]))
        if is_square(values[-1]):
            # As many inputs as networks: values of one network tell which axis is which.
            compute(slice(1), {role: stack[:1] for role, stack in networks.items()})
    return torch.cat(values), reasons


def _values_or_reasons(
    name: str,
    measure: Callable[..., Tensor],
    groups: Iterable[tuple[slice, dict[str, Networks]]],
    offer: Callable[..., OfferedToMeasures],
    before: Mapping[str, Tensor],
    *,
    foreign: bool,
) -> tuple[Tensor, list[tuple[str, str]]]:
    """Values of a measure; of networks that it refuses, why: those whose logits are not finite.

    Of modules of a user it may refuse all, and is given as many inputs as the memory holds.

    Raises:
        OutOfMemoryError: If a GPU holds less, which is no reason of the measure.
    """
    values: list[Tensor | None] = []
    reasons = []
    refusals = Exception if foreign else NotFinite
    for members, networks in groups:
        # What another measure could not compute is none of its values.
        known = {other: one for other, one in before.items() if not one[members].isnan().all()}
        try:
            module = networks["trained_networks"] if foreign else None
            with _as_much_as_fits(module, offer(members, **networks).inputs):
                found, said = _values(name, measure, [(members, networks)], offer, known)
        except torch.OutOfMemoryError:
            raise
        except refusals as error:  # One measure that does not apply leaves the others.
            found, said = None, [(reason_of(error), "")] * number_of_networks(networks["networks"])
        values.append(found)
        reasons += said
    some = next((found for found in values if found is not None), torch.empty(1))
    nothing = torch.full_like(some[:1], torch.nan)
    return torch.cat([nothing if found is None else found for found in values]), reasons


@contextmanager
def _as_much_as_fits(module: Networks | None, inputs: Tensor) -> Iterator[None]:
    """Restore a module afterwards, and limit its batches to a share of the free memory."""
    if not isinstance(module, nn.Module):
        yield
        return
    with left_as_it_was(module), at_most(fitting_batch_size(module, inputs)):
        yield


def _reasons(warned: Iterable[WarningMessage], networks: int) -> list[tuple[str, str]]:
    """Return why each network may have no value, and how its value is approximated.

    Both are the last words of the measure about it, empty if there are none.
    """
    said = {False: [""] * networks, True: [""] * networks}
    for message in in_order(warned):
        about = getattr(message, "networks", ()) or [True] * networks
        words, kind = " ".join(str(message).split()), isinstance(message, Approximated)
        said[kind] = [words if one else was for one, was in zip(about, said[kind], strict=True)]
    return list(zip(said[False], said[True], strict=True))


def _purpose(
    finite: FiniteNetworks, name: str, members: slice, *, alone: bool
) -> tuple[str | int, ...]:
    """Return what the random numbers of a measure are for, whatever else is measured with it."""
    if not alone:
        return finite.kept.hyperparameters.name, name
    _, place, step = finite.finite_rows[members.start or 0]
    return finite.kept.hyperparameters.name, finite.kept.seeds[place], step, name


def _offered_to_measure(
    purpose: Callable[[slice], tuple[str | int, ...]],
    kept: KeptNetworks,
    data: Dataset,
    samples: int | None,
    course: Mapping[str, Tensor],
    members: slice,
    **networks: Networks,
) -> OfferedToMeasures:
    """Everything a measure may ask for of some networks."""
    # Nobody has asked for initial networks where there are none.
    networks.setdefault("initial_networks", networks["trained_networks"])
    return OfferedToMeasures(
        **networks,
        **offered_of_ensemble(kept, data, samples),
        **{role: values[members] for role, values in course.items()},
        generator=generator_for(*purpose(members)),
    )


def _table(
    finite: FiniteNetworks, name: str, values: Tensor, reasons: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Table of a measure; values of one network and many inputs are averaged over these.

    Args:
        reasons: Why each network may have no value, and how its value is approximated.
    """
    kept, rows = finite.kept, finite.rows
    means = values.double() if values.dim() == 1 else values.double().mean(1)
    exists = dict(zip(finite.positions, means.tolist(), strict=True))
    why = dict.fromkeys(range(len(rows)), NOT_FINITE)
    for row, value, (reason, how) in zip(finite.positions, means.tolist(), reasons, strict=True):
        undefined = "infinite" if math.isinf(value) else "undefined for this network"
        why[row] = how if math.isfinite(value) else reason or undefined
    return pd.DataFrame({
        "ensemble": kept.hyperparameters.name,
        "seed": [kept.seeds[place] for _, place, _ in rows],
        "step": [step for *_, step in rows],
        "measure": name,
        "value": [exists.get(row) for row in range(len(rows))],
        "status": [kept.statuses[place] for _, place, _ in rows],
        "reason": [why[row] for row in range(len(rows))],
    })
