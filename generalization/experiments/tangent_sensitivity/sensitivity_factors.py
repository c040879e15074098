"""Which properties of networks the tangent sensitivity and its bounds depend on most."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.statistics.estimates import (
    INTERVAL,
    few_ensembles,
    groups,
    interval_over_networks,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import before_and_after
from generalization.tables import KEPT_NETWORK

COLUMNS = [
    "dataset",
    "trained",
    "sensitivity",
    "factor",
    *INTERVAL,
    "explained",
    "networks",
    "ensembles",
    "note",
]
# Factor → its scale. The first three in the order of Daróczy 2020, §5.
FACTORS = {
    "depth": lambda networks: np.log(networks["depth"] - 1),
    "norm": lambda networks: networks["log_norm"],
    "active_variance": lambda networks: np.log(networks["active_variance"]),
    "width": lambda networks: np.log(networks["width"]),
}
CONTRASTS = (("depth", "norm"), ("norm", "active_variance"))
FEWEST_NETWORKS = 10  # Of a regression on four factors.


def sensitivity_factors(
    tangent_bounds: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Shares of the factors in the variance of the tangent sensitivity, and of its bounds.

    Daróczy 2020, §5: the most important factor is the depth, followed by the norms of the layers
    and by the variance of the number of active units.

    The logarithm is regressed on the logarithms of the number of hidden layers, of norms (the mean
    over layers of ln max |W_l|), of that variance, and of the width. The share of a factor is what
    it adds to R², on average over all orders in which factors can be added (Lindeman, Merenda &
    Gold 1980, "LMG"); the shares sum to R². They tell of the networks of a study: a factor that
    hardly varies there explains little.

    Returns:
        One row per dataset, ``trained`` (networks at their last step, whether they have fitted or
        not, and networks at step 0), ``sensitivity`` (a bound, or ``exact``) and ``factor``; and
        the differences between the shares of depth and norm, and of norm and variance, of factors
        that differ between networks. Columns ``COLUMNS``; ``explained`` is R². What does not exist
        is empty; ``note`` says why.
    """
    # ASSUME: "most important" means the share in the variance of logarithms; the paper shows a
    # figure. It varies the width as well, so that a share is left for it.
    rows = []
    for dataset, networks in sensitivities(before_and_after(tangent_bounds, training)).items():
        for about, alike in groups(networks, ["trained", "sensitivity"], sort=True):
            rows += [
                {"dataset": dataset, "factor": factor} | about | share
                for factor, share in _shares(alike, resampling).items()
            ]
    return table_of(rows, COLUMNS, resampling)


def sensitivities(tangent_bounds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tangent sensitivity as a bound of itself, beside the others.

    Returns:
        Dataset → one row per network, step and ``sensitivity``, with its ``logarithm``.
    """
    keys = {"bound": "sensitivity", "log_bound": "logarithm"}
    exact = tangent_bounds.drop_duplicates(KEPT_NETWORK)
    exact = exact.assign(bound="exact", log_bound=exact["log_exact"])
    rows = pd.concat([exact, tangent_bounds]).rename(columns=keys)
    return dict(tuple(rows.groupby("dataset", sort=False)))


def _shares(networks: pd.DataFrame, resampling: Resampling) -> dict[str, dict[str, object]]:
    """Share of every factor and the contrasts, with intervals."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values = [scale(networks).to_numpy(float) for scale in FACTORS.values()]
    numbers = np.column_stack([*values, networks["logarithm"].to_numpy(float)])
    finite = np.isfinite(numbers).all(axis=1)
    ensembles = networks["ensemble"][finite]
    few = few_ensembles(ensembles.nunique())
    about = {"networks": int(finite.sum()), "ensembles": ensembles.nunique(), "note": few}
    # A factor that the design holds fixed has no share, which tells nothing of its importance.
    differs = {
        name for name, column in zip(FACTORS, values, strict=True) if len(set(column[finite])) > 1
    }
    wanted = [*FACTORS, *(" - ".join(pair) for pair in CONTRASTS if differs.issuperset(pair))]
    if about["networks"] < FEWEST_NETWORKS:
        note = f"{about['networks']} of the {FEWEST_NETWORKS} networks that a regression needs"
        return {name: about | {"note": note} for name in wanted}
    factors = [*FACTORS]

    def share(name: str, counts: np.ndarray) -> np.ndarray:
        shares = importances(numbers[finite], counts)
        first, *less = (shares[:, factors.index(factor)] for factor in name.split(" - "))
        return first - less[0] if less else first

    found = {
        name: interval_over_networks(partial(share, name), ensembles, resampling) for name in wanted
    }
    explained = sum(found[factor]["estimate"] for factor in factors)
    return {name: about | row | {"explained": explained} for name, row in found.items()}


def importances(
    numbers: Float[np.ndarray, "networks factors_and_one"],
    counts: Float[np.ndarray, "resamples networks"],
) -> Float[np.ndarray, "resamples factors"]:
    """Contribution of each factor to R², averaged over all orders of adding factors (LMG).

    The average over orders is one over subsets S of the other factors, each with the weight
    |S|! (p − 1 − |S|)! / p!, as of Shapley's value.

    Args:
        numbers: Factors, and last the number that they are to explain.
        counts: Number of times that a resample holds each network, or its weight.
    """
    correlations = _correlations(numbers, counts)
    factors = numbers.shape[1] - 1
    others = {
        subset: _explained(correlations, list(subset))
        for size in range(factors + 1)
        for subset in combinations(range(factors), size)
    }
    shares = np.zeros((len(counts), factors))
    for subset, explained in others.items():
        for factor in set(range(factors)) - set(subset):
            weight = 1 / (factors * comb(factors - 1, len(subset)))
            added = others[tuple(sorted((*subset, factor)))] - explained
            shares[:, factor] += weight * added
    return shares


def _correlations(
    numbers: Float[np.ndarray, "networks columns"], counts: Float[np.ndarray, "resamples networks"]
) -> Float[np.ndarray, "resamples columns columns"]:
    """Correlations in every resample; 0 with a column that does not vary in it."""
    weights = counts / counts.sum(1, keepdims=True)
    numbers = numbers - numbers.mean(0)
    means = weights @ numbers
    products = np.einsum("rn,ni,nj->rij", weights, numbers, numbers, optimize=True)
    covariances = products - means[:, :, None] * means[:, None]
    deviations = np.sqrt(np.einsum("rii->ri", covariances).clip(0))
    varies = deviations > 1e-9 * numbers.std(0)
    scales = np.divide(1, deviations, where=varies, out=np.zeros_like(deviations))
    return covariances * scales[:, :, None] * scales[:, None]


def _explained(
    correlations: Float[np.ndarray, "resamples columns columns"], subset: list[int]
) -> Float[np.ndarray, "resamples"]:
    """R² of the regression of the last column on some of the others."""
    inverse = np.linalg.pinv(correlations[:, subset][:, :, subset], rcond=1e-9, hermitian=True)
    towards = correlations[:, subset, -1]
    return np.einsum("ri,rij,rj->r", towards, inverse, towards)
