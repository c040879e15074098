"""Measures of the networks of an ensemble."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any, NamedTuple
from warnings import WarningMessage, catch_warnings, simplefilter

import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from generalization.datasets.dataset import Dataset
from generalization.devices import at_most, halving_memory
from generalization.errors import Approximated, InputError, NotFinite, in_order, reason_of
from generalization.finite_networks import NOT_FINITE, FiniteNetworks, Groups, offered_of_ensemble
from generalization.measuring_modules import (
    approximations,
    fitting_batch_size,
    is_drawn,
    method_of,
)
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
from generalization.standard_errors import collecting_standard_errors
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
        Name and table: ensemble, seed, step, measure, value, standard_error, method, status,
        reason. The standard error is over inputs where the value is their mean, else over the draws
        of the measure where it tells it, else missing. ``method`` is ``exact``, ``sampled`` or
        ``searched``, see ``Approximated``. The value of a network whose weights are not finite does
        not exist; where a value does not exist or is infinite, ``reason`` says why, and where it is
        an approximation, how close.

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
    # The same → how the values were found, which they hand on.
    methods: dict[int | None, dict[str, list[str]]] = {}
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

        before[name], said = halving_memory(f"measure {name}", values)
        of_others = methods.setdefault(samples, {})
        said = _with_methods(said, [of_others[one] for one in named_by(measure, of_others)])
        of_others[name] = [one.method for one in said]
        yield name, _table(finite, name, before[name], said)


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


class _Said(NamedTuple):
    """What is told of the value of one network.

    Attributes:
        reason: Why it may have none.
        how: How it is approximated.
        method: How it was found, empty where there is none.
        error: Its standard error over draws, if the measure tells it.
    """

    reason: str
    how: str = ""
    method: str = ""
    error: float = math.nan


def _values(
    name: str,
    measure: Callable[..., Tensor],
    groups: Iterable[tuple[slice, dict[str, Networks]]],
    offer: Callable[..., OfferedToMeasures],
    before: Mapping[str, Tensor],
) -> tuple[Tensor, list[_Said]]:
    """Values of a measure for all networks, group by group, and what is told of each.

    Raises:
        InputError: If they are not values of the networks.
    """  # noqa: DOC502

    def compute(members: slice, networks: dict[str, Networks]) -> tuple[Tensor, bool]:
        known = {other: values[members] for other, values in before.items()}
        offered = offer(members, **networks)
        unused = offered.generator.get_state()
        values = measure(**named_by(measure, vars(offered) | known))
        draws = not torch.equal(offered.generator.get_state(), unused)
        count = number_of_networks(networks["networks"])
        return checked_values(f"measure {name}", values, count), is_drawn(name, measure, draws)

    values, said = [], []
    for members, networks in groups:
        with catch_warnings(record=True) as warned, collecting_standard_errors() as errors:
            simplefilter("always")
            found, drawn = compute(members, networks)
        values.append(found)
        said += _said(warned, errors, len(found), drawn=drawn)
        if is_square(found):
            # As many inputs as networks: values of one network tell which axis is which.
            with catch_warnings():
                simplefilter("ignore")
                compute(slice(1), {role: stack[:1] for role, stack in networks.items()})
    return torch.cat(values), said


def _values_or_reasons(
    name: str,
    measure: Callable[..., Tensor],
    groups: Iterable[tuple[slice, dict[str, Networks]]],
    offer: Callable[..., OfferedToMeasures],
    before: Mapping[str, Tensor],
    *,
    foreign: bool,
) -> tuple[Tensor, list[_Said]]:
    """Values of a measure; of networks that it refuses, why: those whose logits are not finite.

    Of modules of a user it may refuse all, and is given as many inputs as the memory holds.

    Raises:
        OutOfMemoryError: If a GPU holds less, which is no reason of the measure.
    """
    values: list[Tensor | None] = []
    said = []
    refusals = Exception if foreign else NotFinite
    for members, networks in groups:
        # What another measure could not compute is none of its values.
        known = {other: one for other, one in before.items() if not one[members].isnan().all()}
        try:
            module = networks["trained_networks"] if foreign else None
            with _as_much_as_fits(module, offer(members, **networks).inputs):
                found, told = _values(name, measure, [(members, networks)], offer, known)
        except torch.OutOfMemoryError:
            raise
        except refusals as error:  # One measure that does not apply leaves the others.
            found, told = None, [_Said(reason_of(error))] * number_of_networks(networks["networks"])
        values.append(found)
        said += told
    some = next((found for found in values if found is not None), torch.empty(1))
    nothing = torch.full_like(some[:1], torch.nan)
    return torch.cat([nothing if found is None else found for found in values]), said


@contextmanager
def _as_much_as_fits(module: Networks | None, inputs: Tensor) -> Iterator[None]:
    """Restore a module afterwards, and limit its batches to a share of the free memory."""
    if not isinstance(module, nn.Module):
        yield
        return
    with left_as_it_was(module), at_most(fitting_batch_size(module, inputs)):
        yield


def _said(
    warned: Iterable[WarningMessage], errors: Sequence[Tensor], networks: int, *, drawn: bool
) -> list[_Said]:
    """Return what a measure says of each network: of reasons for no value the last."""
    messages = in_order(warned)
    of_draws = errors[-1].tolist() if errors else [math.nan] * networks
    said = []
    for place, error in enumerate(of_draws):
        own = [
            one for one in messages if [*getattr(one, "networks", ()), *[True] * networks][place]
        ]
        approximated = [one for one in own if isinstance(one, Approximated)]
        reasons = [" ".join(str(one).split()) for one in own if one not in approximated]
        method = method_of(approximated, drawn=drawn)
        said.append(_Said(["", *reasons][-1], approximations(approximated), method, error))
    return said


def _with_methods(said: Sequence[_Said], others: Sequence[Sequence[str]]) -> list[_Said]:
    """Let values that are exact have the methods of the values of others that they come from."""
    for methods in others:
        said = [
            one._replace(method=method) if one.method == "exact" else one
            for one, method in zip(said, methods, strict=True)
        ]
    return list(said)


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
    finite: FiniteNetworks, name: str, values: Tensor, said: Sequence[_Said]
) -> pd.DataFrame:
    """Table of a measure; values of one network and many inputs are averaged over these.

    Args:
        said: Remarks about the values of the finite networks.
    """
    kept, rows = finite.kept, finite.rows
    cells = dict.fromkeys(range(len(rows)), (None, math.nan, "", NOT_FINITE))
    means, errors = _means_and_errors(values)
    of_finite = zip(finite.positions, means.tolist(), errors.tolist(), said, strict=True)
    for row, value, error, one in of_finite:
        error = one.error if one.error > 0 else error
        undefined = "infinite" if math.isinf(value) else "undefined for this network"
        cells[row] = (
            (value, error, one.method, one.how)
            if math.isfinite(value)
            else (value, math.nan, "", one.reason or undefined)
        )
    value, error, method, reason = zip(*cells.values(), strict=True)
    return pd.DataFrame({
        "ensemble": kept.hyperparameters.name,
        "seed": [kept.seeds[place] for _, place, _ in rows],
        "step": [step for *_, step in rows],
        "measure": name,
        "value": value,
        "standard_error": error,
        "method": method,
        "status": [kept.statuses[place] for _, place, _ in rows],
        "reason": reason,
    })


def _means_and_errors(
    values: Tensor,
) -> tuple[Float64[Tensor, "networks"], Float64[Tensor, "networks"]]:
    """Return means over inputs and their standard errors, NaN without several inputs."""
    many = values.double() if values.dim() == 2 else values.double()[:, None]
    nothing = torch.full_like(many[:, 0], torch.nan)
    errors = many.std(1) / many.shape[1] ** 0.5 if many.shape[1] > 1 else nothing
    return many.mean(1), errors
