"""Rank correlations of the width of networks with the similarity of two seeds, layer by layer.

Args:
    name: ``width`` for the similarity itself, ``width_above_null`` for what it has over chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from generalization.experiments.similarity.network_pairs import (
    GENERALIZING,
    few_samples,
    final_pairs,
    sizes,
)
from generalization.statistics.correlations import spearman
from generalization.statistics.estimates import (
    few_ensembles,
    groups,
    interval_over_networks,
    joined,
)
from generalization.statistics.resampling import Resampling

KEYS = ["similarity", "dataset", "architecture", "depth", "layer"]
BEYOND_UNTRAINED = ["beyond_untrained", "beyond_untrained_low", "beyond_untrained_high"]
WIDTHS = ("width", "width_above_null")


def width_rows(
    similarities: pd.DataFrame, training: pd.DataFrame, resampling: Resampling
) -> Iterator[dict[str, object]]:
    """Correlation of each layer over settings of several widths, as rows of a table."""
    trained, untrained = (
        _of_two_seeds(final_pairs(similarities, training, steps=steps))
        for steps in ("final", "first")
    )
    at_start = {tuple(about.values()): pairs for about, pairs in groups(untrained, KEYS)}
    for about, pairs in groups(trained, KEYS, sort=True):
        if pairs["width"].nunique() < 2:
            continue
        settings = _means_of_settings(pairs)
        first = at_start.get(tuple(about.values()))
        first = None if first is None else _means_of_settings(first).reindex(settings.index)
        about |= {"networks": sizes(pairs)["networks"], "ensembles": len(settings)}
        note = joined(few_ensembles(len(settings)), few_samples(pairs))
        for name in WIDTHS:
            found = _correlation(settings, first, name, resampling)
            yield about | {"statistic": name} | found | {"note": note}


def _of_two_seeds(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs of one ensemble that was trained on true labels."""
    same = pairs["ensemble_a"] == pairs["ensemble_b"]
    return pairs[same & (pairs["task_a"] == GENERALIZING)]


def _means_of_settings(pairs: pd.DataFrame) -> pd.DataFrame:
    """Width of every setting, ``size``, and the means of both similarities, by name."""
    above_null = (pairs["value"] - pairs["null"]) / (1 - pairs["null"])
    pairs = pairs.assign(size=pairs["width"], above=above_null)
    means = pairs.groupby("ensemble_a")[["size", "value", "above"]].mean()
    return means.set_axis(["size", *WIDTHS], axis=1)


def _correlation(
    settings: pd.DataFrame, untrained: pd.DataFrame | None, name: str, resampling: Resampling
) -> dict[str, object]:
    """Over settings, and what it has over that of the same settings before training."""
    ensembles = settings.index.to_series()
    widths = settings["size"].to_numpy(float)
    trained = partial(spearman, x=widths, y=settings[name].to_numpy(float))
    found = interval_over_networks(trained, ensembles, resampling, correlation=True)
    if untrained is None or untrained[name].isna().any():
        return found
    before = partial(spearman, x=widths, y=untrained[name].to_numpy(float))
    contrast = interval_over_networks(
        lambda weights: trained(weights) - before(weights), ensembles, resampling
    )
    ends = (contrast[key] for key in ("estimate", "low", "high"))
    return found | dict(zip(BEYOND_UNTRAINED, ends, strict=True))
