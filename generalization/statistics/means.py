"""Means over networks, with intervals that know which networks belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.statistics.fit_statistics import FEWEST_ENSEMBLES
from generalization.statistics.resampling import bootstrap_counts
from generalization.tables import with_networks

Numbers = Float[np.ndarray, "numbers"]


def check_resampling(level: float, resamples: int) -> None:
    """Refuse settings of intervals that make none.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples are none.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}.")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples!r}.")


def before_and_after(profile: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """The rows of networks at step 0, and at their last step.

    Args:
        profile: Table of a profile of a study.
        training: Table of ``collect_training``.

    Returns:
        These rows, with the columns of ``training`` and ``trained``, whether the step is not 0.
    """
    rows = with_networks(profile, training)
    rows = rows[rows["final"] | (rows["step"] == 0)]
    return rows.assign(trained=rows["step"] > 0)


def mean_over_networks(
    values: pd.Series,
    ensembles: pd.Series,
    *,
    generator: np.random.Generator,
    resamples: int,
    level: float,
    scale: Callable[[Numbers], Numbers] = np.asarray,
) -> dict[str, Any]:
    """The mean of the finite values, and its percentile interval.

    Args:
        values: One per network.
        ensembles: Of the networks. A resample draws ensembles, then seeds within them.
        generator: Of the resamples.
        resamples: How many.
        level: Of the interval.
        scale: Applied to means: with ``np.exp``, those of logarithms are geometric means.

    Returns:
        ``estimate``, ``low`` and ``high``, the latter two missing if there is one network;
        ``networks`` and ``ensembles``, how many of each have a finite value.
    """
    finite = np.isfinite(values.to_numpy(float))
    there = values.to_numpy(float)[finite]
    codes, names = pd.factorize(ensembles[finite])
    found = {"estimate": np.nan, "low": np.nan, "high": np.nan}
    if len(there):
        found["estimate"] = scale(there.mean()).item()
    if len(there) > 1:
        counts = bootstrap_counts(codes, resamples=resamples, generator=generator)
        draws = scale(counts @ there / counts.sum(1))
        found["low"], found["high"] = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return found | {"networks": len(there), "ensembles": len(names)}


def missing(networks: int, of: int, what: str) -> str:
    """What a mean lacks, for a note: networks without what it is of, and networks at all."""
    lost = f"{of - networks} of {of} networks have no {what}"
    few = {0: "no network is left", 1: "no interval of one network"}.get(networks, "")
    return "; ".join(filter(None, [lost if networks < of else "", few]))


def few_ensembles(mean: Mapping[str, Any]) -> str:
    """Whether an interval tells of other ensembles, for a note.

    Args:
        mean: Of ``mean_over_networks``.
    """
    ensembles = mean["ensembles"]
    if mean["networks"] < 2 or ensembles >= FEWEST_ENSEMBLES:
        return ""
    return f"{ensembles} of the {FEWEST_ENSEMBLES} ensembles that an interval needs"
