"""How areas under curves of ablation go with label corruption and with the gap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from generalization.experiments.jacobian.single_points import percentile_interval
from generalization.experiments.single_directions.curve_areas import TOPOLOGY, curve_areas
from generalization.statistics.correlations import spearman
from generalization.statistics.fit_statistics import FEWEST_ENSEMBLES
from generalization.statistics.means import check_resampling
from generalization.statistics.resampling import bootstrap_counts
from generalization.statistics.selection import has_fitted

COLUMNS = [
    *TOPOLOGY,
    "mode",
    "statistic",
    "estimate",
    "low",
    "high",
    "level",
    "networks",
    "ensembles",
    "note",
]


def ablation_statistics(
    ablation_curves: pd.DataFrame,
    training: pd.DataFrame,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """Rank correlations of the area under curves of ablation, over networks of one topology.

    Morcos et al. 2018: the area falls with label corruption, and networks of one topology that
    generalize worse have smaller ones. Spearman's correlation of the area at the last step with

    ``spearman_label_corruption``
        the label corruption,
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

    Args:
        ablation_curves: Table of the profile of a study.
        training: Table of ``collect_training``.
        generator: Of resamples. Every row sees the same ones.
        resamples: Number of bootstrap resamples, of ensembles, then of seeds within them.
        level: Of the percentile intervals.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        One row per topology, mode and statistic, with the columns ``COLUMNS``. What does not exist
        is empty; ``note`` says why.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples are none.
    """  # noqa: DOC502
    check_resampling(level, resamples)
    entropy = int(generator.integers(2**63))
    areas = curve_areas(ablation_curves, training)
    areas = areas[areas["final"] & (areas["layer"] == "all")]
    areas = areas.assign(
        gap=areas["train_accuracy"] - areas["test_accuracy"],
        fitted=has_fitted(areas, fitted_accuracy=fitted_accuracy),
    )
    keys = [*TOPOLOGY, "mode"]
    rows = [
        dict(zip(keys, alike, strict=True)) | {"statistic": statistic} | row
        for alike, networks in areas.groupby(keys, sort=False)
        for statistic, row in _of_topology(networks, entropy, resamples, level)
    ]
    return pd.DataFrame(rows, columns=COLUMNS).assign(level=level)


def _of_topology(
    networks: pd.DataFrame, entropy: int, resamples: int, level: float
) -> Iterator[tuple[str, dict[str, object]]]:
    """The statistics of networks of one topology and mode."""
    fitted = networks["fitted"]
    true_labels = (networks["label_corruption"] == 0) & (networks["randomization"] == "none")
    for statistic, column, some in (
        ("spearman_label_corruption", "label_corruption", networks[fitted]),
        ("spearman_gap", "gap", networks[fitted]),
        ("spearman_gap_true_labels", "gap", networks[fitted & true_labels]),
        ("spearman_test_accuracy", "test_accuracy", networks[true_labels]),
    ):
        draws = np.random.default_rng(entropy)
        yield statistic, rank_correlation(some, "area", column, draws, resamples, level)


def rank_correlation(
    networks: pd.DataFrame,
    x: str,
    y: str,
    generator: np.random.Generator,
    resamples: int,
    level: float,
) -> dict[str, object]:
    """Spearman's correlation of two columns over networks, with its percentile interval.

    Args:
        networks: One row each.
        x: Name of a column. Networks where it is not finite are left out.
        y: Of the other one.
        generator: Of resamples.
        resamples: How many, of ensembles, then of seeds within them.
        level: Of the interval.

    Returns:
        ``estimate``, ``low``, ``high``, ``networks``, ``ensembles``, and a ``note`` on what lacks.
    """
    networks = networks[np.isfinite(networks[[x, y]].astype(float)).all(axis=1)]
    ensembles, names = pd.factorize(networks["ensemble"])
    found = {"estimate": np.nan, "low": np.nan, "high": np.nan}
    found |= {"networks": len(networks), "ensembles": len(names), "note": ""}
    for name in (x, y):
        if networks[name].nunique() < 2:
            return found | {"note": f"the {name.replace('_', ' ')} does not vary"}
    if len(names) < FEWEST_ENSEMBLES:
        return found | {"note": f"{len(names)} of the {FEWEST_ENSEMBLES} ensembles that it needs"}
    values = networks[x].to_numpy(float), networks[y].to_numpy(float)
    counts = bootstrap_counts(ensembles, resamples=resamples, generator=generator)
    found["estimate"] = spearman(np.ones((1, len(networks))), *values)[0]
    return found | percentile_interval(spearman(counts, *values), level)
