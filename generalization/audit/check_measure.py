"""Checks of any measure, as those of this project are checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import signature
from typing import Any
from warnings import catch_warnings, simplefilter

import pandas as pd
import scipy.stats
import torch
from torch import Tensor

from generalization.audit.cases import ROLES, Case, small_case
from generalization.audit.changes import (
    INVARIANCES,
    Change,
    exchanged_test_labels,
    exchanged_train_labels,
    reordered_points,
)
from generalization.audit.evaluations import LEVEL, Difference, Subject, compared, difference
from generalization.audit.pairs_of_networks import is_of_pairs, mean_over_others
from generalization.errors import InputError
from generalization.signatures import named_by

COLUMNS = ["check", "outcome", "value", "unit", "detail"]
# Relative error at which the numbers of points and of draws are told.
PRECISION = 0.01
# ASSUME: single precision suffices for a measure whose values it changes by less than this.
SINGLE = 1e-3
PARTS = 4
# Permutations, or factors, that are tried before a measure is called invariant.
DRAWS = 5
# Confidence level of the range of a number that is needed.
CONFIDENCE = 0.95
POINTS = ("inputs", "train_inputs")
OUTCOMES = {"same": "invariant"}

Row = dict[str, Any]


def check_measure(
    function: Callable[..., Any],
    settings: Mapping[str, Any] | None = None,
    *,
    case: Case | None = None,
    repeats: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Check a measure on small networks, random and trained: one row per check.

    ``returns``
        Whether values are a floating-point tensor of shape (R,) or (R, inputs) for a stack of R
        networks, or for each network as a ``torch.nn.Module``.
    ``leaves networks``
        Whether weights are what they were afterwards.
    ``same seed``
        Whether the same generators give the same values.
    ``stack and modules``
        Whether a stack has the values of its networks, alone and as modules.
    ``order of inputs``
        Whether it makes no difference which input comes first.
    ``permutation of units``, ``rescaling of layers``, ``scale of logits``, ``scale of inputs``
        Whether it is invariant if units of hidden layers are permuted; if a layer is multiplied
        by 3 and the next one divided by 3; if the last layer, or all inputs, are multiplied by 3.
        ``invariant`` is equal up to rounding, 1e-6 of the value, for this and for four other draws:
        other permutations, and factors from 1/10 to 10, of all layers with product 1.
    ``unit of inputs``
        The same for inputs times 3, a first layer divided by 3, and a third of the pixels per unit
        of input: nothing but another unit.
    ``labels``
        Labels that it sees: ``none``, ``training``, or ``test``, which only an oracle may. None
        where five permutations make no difference.
    ``float32``
        Relative error of single precision.
    ``repeatability``
        Relative standard deviation over seeds of the generators.
    ``points for 1 %``, ``draws for 1 %``
        Number of inputs, and of calls with other random numbers, of which the relative standard
        error would be 1 %. It is extrapolated from the spread by 1/√n; that over points is over the
        values of inputs or, if there are none, over four disjoint parts of the points. The detail
        has the 95 % interval that the number of values leaves, if they are normal.
    ``cost``
        Seconds per network.

    A measure that is sampled is compared by means over seeds where a change moves random numbers:
    if they differ, but not significantly, the outcome is ``within noise``, and the detail tells the
    change in percent of the value that the tests would not have found.

    Args:
        function: Measure. Its parameters name what it needs as ``generalization.offered`` describes
            it; ``module`` stands for ``networks`` that are given one at a time, as a module. A
            measure of pairs, with parameters such as ``logits_a`` and ``logits_b`` as
            ``generalization.measure_pairs`` describes them, or a similarity of two layers ``a`` and
            ``b``, is checked by the mean over the pairs of each network with all others.
        settings: Its keyword arguments.
        case: Other networks and points.
        repeats: Number of seeds of a measure that is sampled, at least 2.

    Returns:
        One row per check: ``check``; ``outcome`` (passed, failed, invariant, within noise, changes,
        no value, …); ``value`` in ``unit``, which is the ratio of the changed to the original value
        for the network where this is farthest from 1; ``detail``, in words. What fails is a row
        that says why.

    Raises:
        InputError: If repeats is less than 2.
    """
    if repeats < 2:
        raise InputError(f"repeats must be at least 2, not {repeats!r}.")
    case = case or small_case(seed)
    function = partial(function, **(settings or {}))
    if is_of_pairs(function):
        function = mean_over_others(function)
    first, battery = _returns(function, case, [seed + one for one in range(repeats)])
    if battery is None:
        rows = [first, *(_row(name, "skipped", detail="values cannot be read") for name in CHECKS)]
        return pd.DataFrame(rows, columns=COLUMNS)
    rows = [first, *(_tried(name, check, battery) for name, check in CHECKS.items())]
    return pd.DataFrame(rows, columns=COLUMNS)


class Battery:
    """A measure, its case, and its values there.

    Attributes:
        subject: The measure.
        case: Networks and points.
        seeds: Seeds of the generators; one if nothing is drawn.
        raw: Values of the first seed.
        values: One row per seed, one column per network.
        seconds: Time of the fastest call, per network.
    """

    def __init__(self, subject: Subject, case: Case, seeds: list[int]):
        self.subject, self.case = subject, case
        self.seeds = seeds if subject.draws else seeds[:1]
        times, found = [], []
        for one in self.seeds:
            began = time.perf_counter()
            found.append(subject.raw(case, one))
            times.append(time.perf_counter() - began)
        self.raw = found[0]
        self.values = torch.stack([one if one.dim() == 1 else one.mean(1) for one in found])
        self.seconds = min(times) / len(case)

    @property
    def drawn(self) -> bool:
        """Whether other random numbers give other values."""
        first = self.values[:1].expand_as(self.values)
        return not torch.allclose(self.values, first, rtol=1e-12, atol=0, equal_nan=True)

    @property
    def needed_seeds(self) -> list[int]:
        """Seeds that a comparison needs."""
        return self.seeds if self.drawn else self.seeds[:1]

    def under(self, change: Callable[[Case], Case], **settings: float) -> Difference:
        """Compare the values with those after a change.

        Args:
            settings: Those of ``compared``.
        """
        compute = partial(self.subject.values, change(self.case))
        before = self.values[: len(self.needed_seeds)]
        return compared(before, compute, self.needed_seeds, **settings)

    def told(self, network: int) -> str:
        """Say which network a number is of."""
        return f"{self.case.kinds[network]} network {network}" if network >= 0 else ""


def _row(check: str, outcome: str, value: float = torch.nan, unit: str = "", detail="") -> Row:
    return dict(zip(COLUMNS, (check, outcome, value, unit, detail), strict=True))


def _reason(error: Exception) -> str:
    """Return the message of an error on one line."""
    words = " ".join(str(error).split())
    known = words and isinstance(error, ValueError | TypeError)
    return words if known else f"{type(error).__name__}: {words}".rstrip(": ")


def _tried(name: str, check: Callable[[Battery], Row], battery: Battery) -> Row:
    """Run a check; one that fails leaves the others."""
    try:
        return {**check(battery), "check": name}
    except Exception as error:
        return _row(name, "failed", detail=_reason(error))


def _returns(
    function: Callable[..., Any], case: Case, seeds: list[int]
) -> tuple[Row, Battery | None]:
    """Find out whether a measure takes a stack, or modules only, and returns values."""
    reasons = []
    for modules in (False, True):
        try:
            if not modules and "module" in signature(function).parameters:
                continue
            battery = Battery(Subject(function, modules), case, seeds)
        except Exception as error:
            reasons.append(_reason(error))
            continue
        found = battery.raw
        per_input = f", one per input at {found.shape[1]} inputs" if found.dim() == 2 else ""
        given = "each network as a module" if modules else "a stack"
        detail = f"one value per network of {given}{per_input}"
        return _row("returns", "passed", detail=detail), battery
    return _row("returns", "failed", detail=reasons[0]), None


def _leaves_networks(battery: Battery) -> Row:
    """Compare the weights before and after a call."""
    case, subject = battery.case, battery.subject
    one = case.member(len(case) - 1) if subject.modules else case
    offered = one.offered(battery.seeds[0], module=subject.modules)
    offered["module"] = offered["networks"]
    stacks = [offered[role] for role in ROLES]

    def tensors() -> list[Tensor]:
        states = [one.state_dict() if subject.modules else one.tensors for one in stacks]
        return [tensor.detach().clone() for state in states for tensor in state.values()]

    before = tensors()
    with catch_warnings():
        simplefilter("ignore")
        subject.function(**named_by(subject.function, offered))
    same = all(torch.equal(one, other) for one, other in zip(before, tensors(), strict=True))
    return _row("", "passed" if same else "failed", detail="" if same else "weights have changed")


def _same_seed(battery: Battery) -> Row:
    again = battery.subject.values(battery.case, battery.seeds[:1])
    same = torch.equal(again.nan_to_num(), battery.values[:1].nan_to_num())
    found = difference(battery.values[:1], again)
    detail = "" if same else f"another value at the second call, {battery.told(found.network)}"
    return _row("", "passed" if same else "failed", found.ratio, "ratio", detail)


def _stack_and_modules(battery: Battery) -> Row:
    """Compare a stack with its first and last network, as a stack of one and as a module."""
    subject, case = battery.subject, battery.case
    if subject.modules:
        return _row("", "modules only", detail="it takes each network as a module")
    if getattr(subject.function, "pairs", False):
        return _row("", "pairs", detail="it compares networks, and has no value of one alone")
    positions = [0, len(case) - 1]
    members = [case.member(position) for position in positions]

    def alone(one: Subject) -> Difference:
        # All seeds, since of modules may be sampled what is exact of a stack.
        return compared(
            battery.values[:, positions],
            lambda seeds: torch.cat([one.values(member, seeds) for member in members], dim=1),
            battery.seeds,
        )

    found = {"a stack of one": alone(subject)}
    try:
        found["a module"] = alone(Subject(subject.function, True))
    except Exception as error:  # It may use what modules have not.
        refused = _reason(error)
    else:
        refused = ""
    for kind, one in found.items():
        if one.outcome == "different":
            detail = f"{kind} has another value: {battery.told(positions[one.network])}"
            return _row("", "failed", one.ratio, "ratio", detail)
    outcome = "stacks only" if refused else "passed"
    hidden = max(one.hidden for one in found.values())
    return _row("", outcome, found["a stack of one"].ratio, "ratio", refused or _hidden(hidden))


def _hidden(hidden: float) -> str:
    """Say how large a difference of means over seeds may be that noise hides."""
    if not hidden:
        return ""
    percent = float(f"{100 * hidden:.2g}")
    return f"noise of the means over seeds would hide a change below {percent:g} % of them"


def _invariance(battery: Battery, change: Change) -> Row:
    """Compare values before and after draws of a change, until one makes a difference."""
    found = []
    for draw in range(DRAWS):
        found.append(battery.under(partial(change, draw=draw), level=LEVEL / DRAWS))
        if found[-1].outcome == "different":
            return _changed(battery, found[-1])
    least = next((one for one in found if one.outcome != "same"), found[0])
    outcome = OUTCOMES.get(least.outcome, least.outcome)
    hidden = max(one.hidden for one in found)
    return _row("", outcome, least.ratio, "ratio", _hidden(hidden))


def _changed(battery: Battery, found: Difference) -> Row:
    """Tell a counter-example."""
    told = battery.told(found.network)
    if found.ratio != found.ratio:
        told = f"a value appears or vanishes, {told}"
    return _row("", "changes", found.ratio, "ratio", told)


def _rescaling(battery: Battery, change: Change) -> Row:
    """Compare values where positive factors pass through the activation function."""
    if battery.case.networks.activation != "relu":
        return _row("", "no value", detail="only ReLU passes factors through")
    return _invariance(battery, change)


def _order_of_inputs(battery: Battery) -> Row:
    if {*POINTS}.isdisjoint(battery.subject.needs):
        return _row("", "passed", 1.0, "ratio", "it needs no points")
    row = _invariance(battery, reordered_points)
    outcome = {"invariant": "passed", "changes": "failed"}.get(row["outcome"], row["outcome"])
    return row | {"outcome": outcome}


def _labels(battery: Battery) -> Row:
    """Find out which labels change a value if they are permuted, by any of several draws."""
    kinds = {
        "test": ("labels", exchanged_test_labels),
        "training": ("train_labels", exchanged_train_labels),
    }
    for kind, (name, change) in kinds.items():
        if name not in battery.subject.needs:
            continue
        row = _invariance(battery, change)
        if row["outcome"] == "changes":
            return row | {"outcome": kind, "detail": f"permuted {kind} labels change the value"}
    return _row("", "none", 1.0, "ratio", "permuted labels change nothing")


def _float32(battery: Battery) -> Row:
    found = battery.under(lambda case: case.to(torch.float32), rounding=SINGLE)
    error = abs(found.ratio - 1)
    detail = battery.told(found.network)
    if found.outcome == "no value":
        return _row("", "no value")
    if found.outcome == "different" and found.ratio != found.ratio:
        detail = f"a value appears or vanishes, {detail}"
    outcome = {"same": "passed", "different": "failed"}.get(found.outcome, found.outcome)
    return _row("", outcome, error, "relative error", detail)


def _spread(values: Tensor) -> Tensor:
    """Standard deviation over the first axis relative to the mean, of networks with a value."""
    values = values[:, values.isfinite().all(0)]
    relative = values.std(0) / values.mean(0).abs()
    return relative[relative.isfinite()]


def _told_range(number: float, values: int) -> str:
    """Tell the interval of a number needed, which is a variance of some values of a network."""
    tail = (1 - CONFIDENCE) / 2
    low, high = (
        number * (values - 1) / scipy.stats.chi2.ppf(side, values - 1) for side in (1 - tail, tail)
    )
    return f"; from {_ceiling(low)} to {_ceiling(high)} with {100 * CONFIDENCE:g} % confidence"


def _repeatability(battery: Battery) -> Row:
    if not battery.drawn:
        return _row("", "exact", 0.0, "relative deviation", "other random numbers change nothing")
    spread = _spread(battery.values)
    if not len(spread):
        return _row("", "no value")
    detail = f"over {len(battery.seeds)} seeds, the largest of {len(spread)} networks"
    return _row("", "sampled", spread.max().item(), "relative deviation", detail)


def _draws(battery: Battery) -> Row:
    if not battery.drawn:
        return _row("", "none", 0, "calls", "exact")
    spread = _spread(battery.values)
    if not len(spread):
        return _row("", "no value")
    number = (spread.max().item() / PRECISION) ** 2
    calls, seeds = max(1, _ceiling(number)), len(battery.seeds)
    told = _told_range(number, seeds)
    detail = f"extrapolated by 1/√n from the spread over {seeds} seeds{told}"
    return _row("", "one suffices" if calls == 1 else "several", calls, "calls", detail)


def _points(battery: Battery) -> Row:
    """Extrapolate how many points are needed, from values of points or of parts of them."""
    named = [name for name in POINTS if name in battery.subject.needs]
    if not named:
        return _row("", "none", 0, "points", "it needs no points")
    size, kind = len(getattr(battery.case, named[0])), named[0].replace("_", " ")
    if battery.raw.dim() == 2:
        values, per, ratio = battery.raw.mT, 1, ""
        spread, detail = _spread(values), f"over {len(values)} points"
    else:
        parts = [battery.case.part(position, PARTS) for position in range(PARTS)]
        seeds = battery.seeds[:1]
        values = torch.cat([battery.subject.values(part, seeds) for part in parts])
        per = size // PARTS
        spread, detail = _spread(values), f"over {PARTS} parts"
        shares = (values.mean(0) / battery.values[0])[battery.values[0].isfinite()]
        shares = shares[shares.isfinite()]
        ratio = f"; parts have {shares.median():.3g} of the value of all" if len(shares) else ""
        biased = len(shares) and (shares.median() - 1).abs() > PRECISION
        if biased and len(spread) and spread.max() <= PRECISION:
            # One part would be enough by its spread, though its value is not that of all.
            return _row("", "biased", torch.nan, "points", f"by {size // PARTS} {kind}{ratio}")
    if not len(spread):
        return _row("", "no value")
    number = per * (spread.max().item() / PRECISION) ** 2
    count, told = _ceiling(number), _told_range(number, len(values))
    outcome = "enough" if count <= size else "too few"
    detail = f"extrapolated by 1/√n from the spread {detail} of {size} {kind}{told}{ratio}"
    return _row("", outcome, count, "points", detail)


def _ceiling(number: float) -> int:
    return int(-(-number // 1))


def _cost(battery: Battery) -> Row:
    detail = f"{len(battery.case)} networks, the fastest of {len(battery.seeds)} calls"
    return _row("", "measured", battery.seconds, "seconds per network", detail)


def _invariance_checks() -> Iterator[tuple[str, Callable[[Battery], Row]]]:
    for name, change in INVARIANCES.items():
        compare = _rescaling if name == "rescaling of layers" else _invariance
        yield name, partial(compare, change=change)


CHECKS: dict[str, Callable[[Battery], Row]] = {
    "leaves networks": _leaves_networks,
    "same seed": _same_seed,
    "stack and modules": _stack_and_modules,
    "order of inputs": _order_of_inputs,
    **dict(_invariance_checks()),
    "labels": _labels,
    "float32": _float32,
    "repeatability": _repeatability,
    "points for 1 %": _points,
    "draws for 1 %": _draws,
    "cost": _cost,
}
