"""Correlations in every resample at once: a resample is how often it holds each network.

Repeating a network k times and counting it k times are the same thing, so every function here
gives, row by row, what its definition gives on the networks written out as often as they count.

Args:
    y: As x.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int


def pearson(
    counts: Float[np.ndarray, "resamples networks"],
    x: Float[np.ndarray, "*per_resample networks"],
    y: Float[np.ndarray, "*per_resample networks"],
) -> Float[np.ndarray, "resamples"]:
    """Pearson's r; NaN where x or y is constant.

    Args:
        counts: Number of times that each resample holds each network; a row of ones is the
            sample itself.
        x: Finite values, the same for all resamples or one row for each.
    """
    # Means are taken per resample, so that a large value which a resample does not hold costs it
    # no digits.
    dx, dy = (_centered(counts, values) for values in (x, y))
    covariance = np.einsum("rn,rn,rn->r", counts, dx, dy)
    variances = (np.einsum("rn,rn,rn->r", counts, d, d) for d in (dx, dy))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = covariance / np.sqrt(np.prod(list(variances), axis=0))
    return np.where(_varies(counts, x) & _varies(counts, y), np.clip(r, -1, 1), np.nan)


def spearman(
    counts: Float[np.ndarray, "resamples networks"],
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
) -> Float[np.ndarray, "resamples"]:
    """Spearman's ρ, Pearson's r of midranks; NaN where x or y is constant."""
    return pearson(counts, midranks(counts, x), midranks(counts, y))


def kendall(
    counts: Float[np.ndarray, "resamples networks"],
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
) -> Float[np.ndarray, "resamples"]:
    """Kendall's τ-b; NaN where x or y is constant.

    τ-b divides by the pairs that are not tied, since a resample ties every network that it holds
    more than once with itself; τ-a would shrink with the number of repeats.
    """
    order = _sign_of_pairs(x) * _sign_of_pairs(y)
    # Whole numbers below 2^24: single precision is exact.
    excess = np.einsum("rn,rn->r", counts, counts.astype(np.float32) @ order)
    untied = [
        counts.sum(1) ** 2 - np.square(_per_value(counts, values)[0]).sum(1) for values in (x, y)
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        return excess / np.sqrt(untied[0] * untied[1])


def kendall_left_out(
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
    groups: Int[np.ndarray, "networks"],
) -> Float[np.ndarray, "groups"]:
    """Kendall's τ-b without each group, for the jackknife, in a time of n log n.

    It is the result of ``kendall`` for ``draws.leave_one_out_counts``. With a group go all pairs of
    its networks, concordant less discordant ones, of which a merge sort counts those of each
    network (Knight 1966); pairs within the group must not go twice.

    Args:
        groups: Group of every network, from 0. Without a group that has no network, τ-b is that of
            all.
    """
    number = groups.max(initial=-1) + 1
    own = sum(_smaller(a * x, b * y) * a * b for a in (1, -1) for b in (1, -1))
    excess = own.sum() - 2 * np.bincount(groups, own, number)
    members = [np.flatnonzero(groups == group) for group in range(number)]
    excess += [(_sign_of_pairs(x[one]) * _sign_of_pairs(y[one])).sum() for one in members]
    size = (len(x) - np.bincount(groups, minlength=number)) ** 2
    untied = [size - _squares_left_out(values, groups) for values in (x, y)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return excess / np.sqrt(untied[0] * untied[1])


def mean(
    counts: Float[np.ndarray, "resamples networks"], values: Float[np.ndarray, "networks"]
) -> Float[np.ndarray, "resamples"]:
    """Mean of the values that are finite; NaN where there are none."""
    there = counts * np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return there @ np.where(np.isfinite(values), values, 0) / there.sum(1)


def slope(
    counts: Float[np.ndarray, "resamples networks"],
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
) -> Float[np.ndarray, "resamples"]:
    """Slope of the least-squares line of y on x; NaN where x is constant."""
    dx, dy = (_centered(counts, values) for values in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.einsum("rn,rn,rn->r", counts, dx, dy) / np.einsum("rn,rn,rn->r", counts, dx, dx)
    return np.where(_varies(counts, x), ratio, np.nan)


def concordance(
    counts: Float[np.ndarray, "resamples networks"],
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
    comparable: Bool[np.ndarray, "networks networks"],
) -> Float[np.ndarray, "resamples"]:
    """Goodman & Kruskal's γ over some pairs; NaN where all of them are tied.

    It is the share of pairs in which x and y go up together, less the share in which one goes up
    and the other down. Pairs that are tied in either do not count.

    Args:
        counts: As above.
        x: Finite values.
        comparable: Mask of the pairs that are compared; symmetric.
    """
    order = _sign_of_pairs(x) * _sign_of_pairs(y) * comparable
    counted = counts.astype(np.float32)
    excess, pairs = (
        np.einsum("rn,rn->r", counts, counted @ of_pairs) for of_pairs in (order, np.abs(order))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return excess / pairs


def midranks(
    counts: Float[np.ndarray, "resamples networks"], values: Float[np.ndarray, "networks"]
) -> Float[np.ndarray, "resamples networks"]:
    """Rank of every network in every resample, from 1; equal values share their mean rank."""
    per_value, group = _per_value(counts, values)
    return (np.cumsum(per_value, axis=1) - (per_value - 1) / 2)[:, group]


def _per_value(counts, values):
    """How often every resample holds every distinct value, ascending; the value of each network."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    begins = np.cumsum(sizes) - sizes
    ascending = np.argsort(values, kind="stable")
    return np.add.reduceat(counts[:, ascending], begins, axis=1), group


def _smaller(x, y):
    """Number of networks that are smaller in x and in y than each, by merge sort."""
    # Of equal x the largest y come first, so that none of them counts for another.
    order = np.lexsort((-y, x))
    rank = np.unique(y, return_inverse=True)[1][order]
    place, width = np.arange(len(x)), 1
    before = np.zeros(len(x), int)
    while width < len(x):
        block, right = place // (2 * width) * len(x), place // width % 2 == 1
        left = np.sort((block + rank)[~right])
        before[right] += np.searchsorted(left, (block + rank)[right])
        before[right] -= np.searchsorted(left, block[right])
        width *= 2
    found = np.empty(len(x), int)
    found[order] = before
    return found


def _squares_left_out(values, groups):
    """Sum of the squared numbers of equal values, without each group."""
    _, value, sizes = np.unique(values, return_inverse=True, return_counts=True)
    (group, value), often = np.unique(np.stack([groups, value]), axis=1, return_counts=True)
    lost = sizes[value] ** 2 - (sizes[value] - often) ** 2
    return np.square(sizes).sum() - np.bincount(group, lost)


def _sign_of_pairs(values):
    return np.sign(values[:, None] - values[None, :]).astype(np.float32)


def _centered(counts, values):
    # Without its only ensemble a sample is empty, and its mean NaN.
    with np.errstate(invalid="ignore"):
        means = (counts * values).sum(1) / counts.sum(1)
    return values - means[:, None]


def _varies(counts, values):
    held = counts > 0
    smallest = np.where(held, values, np.inf).min(1)
    largest = np.where(held, values, -np.inf).max(1)
    return smallest < largest
