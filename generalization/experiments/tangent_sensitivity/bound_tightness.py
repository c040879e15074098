"""How tight bounds of the tangent sensitivity are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from generalization.statistics.means import (
    before_and_after,
    check_resampling,
    mean_over_networks,
    missing,
)

COLUMNS = [
    "dataset",
    "trained",
    "bound",
    "hyperparameter",
    "value",
    "estimate",
    "low",
    "high",
    "level",
    "exceeded",
    "networks",
    "ensembles",
    "note",
]
# Of which bounds know most, after Daróczy 2020, Fig. 2.
HYPERPARAMETERS = ("depth", "width")
ROUNDING = 1e-5  # Of a value in single precision that attains its bound.


def bound_tightness(
    tangent_bounds: pd.DataFrame,
    training: pd.DataFrame,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> pd.DataFrame:
    """How far the tangent sensitivity is below each of its bounds, before and after training.

    The estimate is the mean over networks of ln(value / bound): 0 where a bound is attained, −2.3
    where it is ten times too large. The interval is the percentile interval of a bootstrap that
    resamples ensembles, then seeds within them.

    Args:
        tangent_bounds: Table of the profile of a study.
        training: Table of ``collect_training``.
        generator: Of resamples. Every row sees the same ones.
        resamples: Number of bootstrap resamples.
        level: Of the intervals.

    Returns:
        One row per dataset, ``trained`` (networks at their last step, whether they have fitted or
        not, and networks at step 0) and bound; then one for each ``value`` of depth and of width,
        where a dataset has several; with the columns ``COLUMNS``. ``exceeded`` counts networks
        whose value is above the bound. What does not exist is empty; ``note`` says why.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples are none.
    """  # noqa: DOC502
    check_resampling(level, resamples)
    entropy = int(generator.integers(2**63))
    networks = before_and_after(tangent_bounds, training)
    rows = [
        about | _mean(alike, np.random.default_rng(entropy), level, resamples)
        for about, alike in _groups(networks)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS).assign(level=level)
    return table.astype(dict.fromkeys(["value", "estimate", "low", "high"], float))


def _groups(networks: pd.DataFrame) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """What a row of the result is about, and the networks that it is made from."""
    keys = ["dataset", "trained", "bound"]
    for group, alike in networks.groupby(keys, sort=False):
        about = dict(zip(keys, group, strict=True))
        yield about, alike
        for key in HYPERPARAMETERS:
            if alike[key].nunique() > 1:
                for value, some in alike.groupby(key):
                    yield about | {"hyperparameter": key, "value": value}, some


def _mean(
    networks: pd.DataFrame, generator: np.random.Generator, level: float, resamples: int
) -> dict[str, object]:
    """Mean over the networks that have a finite logarithm, and its interval."""
    mean = mean_over_networks(
        networks["log_tightness"],
        networks["ensemble"],
        generator=generator,
        resamples=resamples,
        level=level,
    )
    note = missing(mean["networks"], len(networks), "finite ratio")
    return mean | {"exceeded": int((networks["log_tightness"] > ROUNDING).sum()), "note": note}
