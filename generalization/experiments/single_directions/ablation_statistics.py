"""How areas under curves of ablation go with label corruption and with the gap."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from generalization.experiments.single_directions.curve_areas import TOPOLOGY, curve_areas
from generalization.statistics.correlations import spearman
from generalization.statistics.estimates import (
    ESTIMATE,
    few_ensembles,
    groups,
    interval_over_networks,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import has_fitted, on_true_labels

COLUMNS = [*TOPOLOGY, "labels", "mode", "statistic", *ESTIMATE]


def ablation_statistics(
    ablation_curves: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """Rank correlations of the area under curves of ablation, over networks of one topology.

    Morcos et al. 2018: the area falls with label corruption, and networks of one topology that
    generalize worse have smaller ones. Spearman's correlation of the area at the last step with

    ``spearman_label_corruption``
        the label corruption,
    ``spearman_label_corruption_normalized``
        the same of the area over the accuracy of the whole network: how fast the curve falls,
        wherever it begins,
    ``spearman_gap``
        the generalization gap,
    ``spearman_gap_true_labels``
        the same, of networks that were trained on true labels alone: of what else makes them
        generalize,
    ``spearman_test_accuracy``
        the test accuracy of all networks on true labels: whether the area tells which
        hyper-parameters are better, without a test set.

    Areas are of units of all hidden layers. But for the last one, only networks count that fitted
    their training set: the area of others is small because they have less accuracy to lose.

    Returns:
        One row per topology, mode and statistic, with the columns ``COLUMNS``. ``labels`` says
        whether networks on ``true`` labels count alone, or ``all``. What does not exist is empty;
        ``note`` says why.
    """
    areas = curve_areas(ablation_curves, training)
    areas = areas[areas["final"] & (areas["layer"] == "all")]
    areas = areas.assign(
        gap=areas["train_accuracy"] - areas["test_accuracy"],
        fitted=has_fitted(areas, fitted_accuracy=fitted_accuracy),
    )
    rows = [
        about | row
        for about, networks in groups(areas, [*TOPOLOGY, "mode"], dropna=False)
        for row in _of_topology(networks, resampling)
    ]
    return table_of(rows, COLUMNS, resampling)


def _of_topology(networks: pd.DataFrame, resampling: Resampling) -> Iterator[dict[str, object]]:
    """The statistics of networks of one topology and mode."""
    fitted, true_labels = networks["fitted"], on_true_labels(networks)
    corruption = "spearman_label_corruption"
    for statistic, labels, area, other, some in (
        (corruption, "all", "area", "label_corruption", fitted),
        (f"{corruption}_normalized", "all", "normalized", "label_corruption", fitted),
        ("spearman_gap", "all", "area", "gap", fitted),
        ("spearman_gap_true_labels", "true", "area", "gap", fitted & true_labels),
        ("spearman_test_accuracy", "true", "area", "test_accuracy", true_labels),
    ):
        row = rank_correlation(networks[some], area, other, resampling)
        yield {"statistic": statistic, "labels": labels} | row


def rank_correlation(
    networks: pd.DataFrame, x: str, y: str, resampling: Resampling
) -> dict[str, object]:
    """Spearman's correlation of two columns over networks, with its jackknife interval.

    Args:
        networks: One row each.
        x: Name of a column. Networks where it is not finite are left out.
        y: Values of the other one.

    Returns:
        ``estimate``, ``low``, ``high``, ``networks``, ``ensembles``, and a ``note`` on what lacks.
    """
    networks = networks[np.isfinite(networks[[x, y]].astype(float)).all(axis=1)]
    found = {"networks": len(networks), "ensembles": networks["ensemble"].nunique(), "note": ""}
    for name in (x, y):
        if networks[name].nunique() < 2:
            return found | {"note": f"the {name.replace('_', ' ')} does not vary"}
    correlation = partial(spearman, x=networks[x].to_numpy(float), y=networks[y].to_numpy(float))
    found["note"] = few_ensembles(found["ensembles"])
    return found | interval_over_networks(
        correlation, networks["ensemble"], resampling, correlation=True
    )
