"""How tight bounds of the tangent sensitivity are."""

from __future__ import annotations

import pandas as pd

from generalization.statistics.estimates import (
    INTERVAL,
    groups,
    mean_over_networks,
    table_of,
    with_subgroups,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import before_and_after

COLUMNS = [
    "dataset",
    "trained",
    "bound",
    "hyperparameter",
    "value",
    *INTERVAL,
    "exceptions",
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
    resampling: Resampling,
) -> pd.DataFrame:
    """Compare the tangent sensitivity with each of its bounds, before and after training.

    The estimate is the mean over networks of ln(value / bound): 0 where a bound is attained, −2.3
    where it is ten times too large.

    Returns:
        One row per dataset, ``trained`` (networks at their last step, whether they have fitted or
        not, and networks at step 0) and bound; then one for each ``value`` of depth and of width,
        where a dataset has several; with the columns ``COLUMNS``. ``exceptions`` counts networks
        whose value is above the bound. What does not exist is empty; ``note`` says why.
    """
    whole = groups(before_and_after(tangent_bounds, training), ["dataset", "trained", "bound"])
    rows = [
        about
        | mean_over_networks(
            alike["log_tightness"], alike["ensemble"], resampling, lacking="finite ratio"
        )
        | {"exceptions": int((alike["log_tightness"] > ROUNDING).sum())}
        for about, alike in with_subgroups(whole, HYPERPARAMETERS, "value")
    ]
    return table_of(rows, COLUMNS, resampling).astype({"value": float})
