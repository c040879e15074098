"""Values of a measure on a case, and how far two sets of values are apart.

Args:
    values: One row per seed, one column per network.
    changed: Values of the same seeds after a change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

import scipy.stats
import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.audit.cases import Case
from generalization.errors import InputError
from generalization.offered import checked_values
from generalization.signatures import named_by

DRAWN = ("generator", "shared_generator")
# Values that differ by less than this are the same but for rounding in double precision.
ROUNDING = 1e-6
# Level of the test of whether the means of sampled values differ.
LEVEL = 0.001


@dataclass(frozen=True)
class Subject:
    """A measure under check.

    Attributes:
        function: Measure, with its settings; it names what it needs.
        modules: Whether it is given one module at a time instead of a stack.
    """

    function: Callable[..., Any]
    modules: bool = False

    @property
    def needs(self) -> list[str]:
        """Names of its parameters."""
        return list(signature(self.function).parameters)

    @property
    def draws(self) -> bool:
        """Whether it asks for random numbers."""
        return not {*DRAWN}.isdisjoint(self.needs)

    def raw(self, case: Case, seed: int) -> Tensor:
        """Compute values, R or R × N.

        Raises:
            InputError: If a parameter is not offered, or values have another shape.
        """  # noqa: DOC502
        cases = [case]
        if self.modules:
            cases = [case.member(position) for position in range(len(case))]
        found = [self._of(one, seed) for one in cases]
        return torch.cat(found)

    def _of(self, case: Case, seed: int) -> Tensor:
        offered = case.offered(seed, module=self.modules)
        offered["module"] = offered["networks"]
        self._refuse_unknown(offered)
        with catch_warnings():
            simplefilter("ignore")
            found = self.function(**named_by(self.function, offered))
        return checked_values("a measure", found, len(case)).detach().double().cpu()

    def _refuse_unknown(self, offered: dict[str, Any]) -> None:
        """Refuse parameters without a default that are not offered.

        Raises:
            InputError: If there is one.
        """
        for name, parameter in signature(self.function).parameters.items():
            if parameter.default is Parameter.empty and name not in offered:
                known = ", ".join(offered)
                raise InputError(f"Parameters of a measure must be among {known}, not {name!r}.")

    def values(self, case: Case, seeds: Sequence[int]) -> Float64[Tensor, "seeds networks"]:
        """Compute one value per seed and network, which is the mean over inputs."""
        found = (self.raw(case, seed) for seed in seeds)
        return torch.stack([one if one.dim() == 1 else one.mean(1) for one in found])


class Difference(NamedTuple):
    """Difference of values after a change from those before.

    Attributes:
        outcome: ``same``, ``within noise``, ``different`` or ``no value``.
        ratio: Changed over original value, of the network that changes most.
        network: Its position; −1 without values.
        hidden: Relative difference that noise would hide.
    """

    outcome: str
    ratio: float
    network: int = -1
    hidden: float = 0.0


def compared(
    values: Float64[Tensor, "seeds networks"],
    compute: Callable[[Sequence[int]], Float64[Tensor, "seeds networks"]],
    seeds: Sequence[int],
    *,
    rounding: float = ROUNDING,
    level: float = LEVEL,
) -> Difference:
    """Compare values with others that are computed, of all seeds only if the first one differs.

    Args:
        compute: Values of some seeds, after a change.
        seeds: Seed of every row of ``values``.
    """
    first = compute(seeds[:1])
    found = difference(values[:1], first, rounding=rounding, level=level)
    if len(seeds) == 1 or found.outcome in {"same", "no value"}:
        return found
    changed = torch.cat([first, compute(seeds[1:])])
    return difference(values, changed, rounding=rounding, level=level)


def difference(
    values: Float64[Tensor, "seeds networks"],
    changed: Float64[Tensor, "seeds networks"],
    *,
    rounding: float = ROUNDING,
    level: float = LEVEL,
) -> Difference:
    """Compare values before and after a change, network by network.

    Where values differ by more than rounding, they are compared over seeds by two t-tests of every
    network, with Bonferroni's correction and a variance that the networks share: the unpaired one,
    for random numbers that fall elsewhere after the change, and the paired one, for those that
    stay. Values are logarithms where all are positive, and relative to the larger one elsewhere.

    Args:
        rounding: Relative difference that counts as none.
        level: Level of the tests.
    """
    before, after = values.mean(0), changed.mean(0)
    there = before.isfinite() & after.isfinite()
    if not torch.equal(before.isfinite(), after.isfinite()):
        # A value that appears or vanishes has no ratio.
        network = int((before.isfinite() != after.isfinite()).nonzero()[0, 0])
        return Difference("different", torch.nan, network)
    if not there.any():
        return Difference("no value", torch.nan)
    size = torch.maximum(before.abs(), after.abs())
    apart = torch.where(size > 0, (after - before).abs() / size, 0.0).where(there, -1.0)
    network = int(apart.argmax())
    one, other = before[network].item(), after[network].item()
    ratio = 1.0 if one == other else other / one if one else torch.inf
    pair = values[:, there], changed[:, there]
    if (pair[0] - pair[1]).abs().le(rounding * size[there]).all():
        return Difference("same", ratio, network)
    p_value, hidden = _tested(*pair, level)
    outcome = "different" if p_value < level else "within noise"
    return Difference(outcome, ratio, network, hidden)


def _tested(values: Tensor, changed: Tensor, level: float) -> tuple[float, float]:
    """Return the corrected p-value that no network changes, and the difference that noise hides."""
    seeds, networks = values.shape
    if seeds < 2:
        return 0.0, 0.0
    positive = bool((values > 0).all() and (changed > 0).all())
    size = torch.maximum(values.abs().mean(0), changed.abs().mean(0)).clamp(min=1e-300)
    one, other = (some.log() if positive else some / size for some in (values, changed))
    freedom = (seeds - 1) * networks
    tests = {
        2 * freedom: ((one.var(0) + other.var(0)).mean() / seeds).sqrt().item(),
        freedom: ((other - one).var(0).mean() / seeds).sqrt().item(),
    }
    shift, corrected = (other - one).mean(0).abs().max().item(), networks * len(tests)
    p_values, hidden = [], []
    for degrees, error in tests.items():
        statistic = shift / error if error else float("inf")
        p_values.append(2 * corrected * scipy.stats.t.sf(statistic, degrees))
        hidden.append(error * scipy.stats.t.isf(level / (2 * corrected), degrees))
    least = min(hidden)
    return float(min(p_values)), math.expm1(least) if positive else float(least)
