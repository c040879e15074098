"""Draws of ensembles that all measures share: resamples, leave-one-out sets and permutations.

The statistics of the league are functions of ``counts``, how often a resample holds every ensemble,
or of ``orders``, the ensemble whose gap a permutation moves to every position. A row of ones is the
study itself. Sharing the draws makes measures comparable: a difference of two of them has an
interval, and the largest of many a distribution.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from generalization.devices import BLOCK_NUMBERS

# ASSUME: so many rows of a jackknife tell its standard error; time and memory grow with the square.
MOST_GROUPS = 500


def observed_counts(ensembles: int) -> Float[np.ndarray, "1 ensembles"]:
    """Return the counts of the study itself: every ensemble once."""
    return np.ones((1, ensembles))


def leave_one_out_counts(ensembles: int) -> Float[np.ndarray, "groups ensembles"]:
    """Return the counts of the jackknife: row e holds every ensemble but e.

    Of more than ``MOST_GROUPS`` ensembles, each row leaves out one of so many groups of equal size,
    give or take one, that are drawn at random (Quenouille 1956). The standard error follows by the
    same formula; of 500 normal values, it has itself a relative error of 1/√1000.
    """
    groups = left_out_groups(ensembles)
    return (groups != np.arange(groups.max(initial=-1) + 1)[:, None]).astype(float)


def left_out_groups(ensembles: int) -> Int[np.ndarray, "ensembles"]:
    """Return the row of ``leave_one_out_counts`` that leaves out each ensemble."""
    if ensembles <= MOST_GROUPS:
        return np.arange(ensembles)
    return np.random.default_rng(0).permutation(ensembles) % MOST_GROUPS


def only_where_measured(
    left_out: Float[np.ndarray, "measures groups"],
    measures: Float[np.ndarray, "measures ensembles"],
) -> Float[np.ndarray, "measures groups"]:
    """Return the jackknife without what leaves out an ensemble in which a measure has no value.

    What leaves out a group stays: others of it have a value.

    Args:
        left_out: Statistic of the rows of ``leave_one_out_counts``.
        measures: Values, NaN where there is none.
    """
    grouped = measures.shape[1] > MOST_GROUPS
    return left_out if grouped else np.where(np.isnan(measures), np.nan, left_out)


def resampled_counts(
    strata: Int[np.ndarray, "ensembles"], *, resamples: int, generator: np.random.Generator
) -> Float[np.ndarray, "resamples ensembles"]:
    """Draw bootstrap resamples of ensembles within strata (Davison & Hinkley 1997, §3.2).

    Args:
        strata: Stratum of every ensemble; all equal for the plain bootstrap. Each resample keeps
            the number of ensembles of every stratum.
        resamples: Number of resamples.

    Returns:
        How often every resample holds every ensemble.
    """
    counts = np.empty((resamples, len(strata)))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        share = np.full(len(members), 1 / len(members))
        counts[:, members] = generator.multinomial(len(members), share, size=resamples)
    return counts


def permuted_orders(
    strata: Int[np.ndarray, "ensembles"], *, permutations: int, generator: np.random.Generator
) -> Int[np.ndarray, "permutations ensembles"]:
    """Draw permutations of ensembles within strata.

    Args:
        strata: Stratum of every ensemble; all equal for unrestricted permutations.
        permutations: Number of permutations.

    Returns:
        Orders: permutation p moves the gap of ensemble ``orders[p, e]`` to ensemble e, which is of
        the same stratum.
    """
    place = np.argsort(strata, kind="stable")
    codes = np.unique(strata, return_inverse=True)[1].astype(float)
    orders = np.empty((permutations, len(strata)), np.int32)
    for block in blocks(permutations, len(strata)):
        keys = generator.random((block.stop - block.start, len(strata)))
        # Sorted by stratum, then at random: the members of a stratum stay on its positions.
        orders[block, place] = np.argsort(keys + codes, axis=1)
    return orders


def orders_among(
    orders: Int[np.ndarray, "permutations ensembles"],
    there: Bool[np.ndarray, "ensembles"],
    strata: Int[np.ndarray, "ensembles"],
) -> Int[np.ndarray, "permutations there"]:
    """Restrict permutations within strata to some of the ensembles.

    The members that are there keep the order in which the permutation has them, so that the result
    is uniform over the permutations of these within strata.

    Args:
        orders: Result of ``permuted_orders``.
        there: The ensembles that are kept.
        strata: Strata of ``orders``.

    Returns:
        Orders of the ensembles that are kept, numbered among themselves.
    """
    if there.all():
        return orders
    place = np.argsort(strata, kind="stable")
    number = np.cumsum(there) - 1
    sequence = orders[:, place]
    kept = sequence[there[sequence]].reshape(len(orders), there.sum())
    restricted = np.empty_like(kept)
    restricted[:, number[place[there[place]]]] = number[kept]
    return restricted


def complete_sets(
    measures: Float[np.ndarray, "measures ensembles"],
) -> Iterator[tuple[Int[np.ndarray, "some"], Bool[np.ndarray, "ensembles"]]]:
    """Group measures by the ensembles that have them, so that one gap costs no other measure data.

    Args:
        measures: Values, NaN where there is none; infinite values are values.

    Yields:
        The rows of some measures, and the ensembles in which all of these have a value. Measures
        without any value are left out.
    """
    patterns, which = np.unique(~np.isnan(measures), axis=0, return_inverse=True)
    for position, there in enumerate(patterns):
        if not there.any():
            continue
        yield np.flatnonzero(which.ravel() == position), there


def blocks(rows: int, numbers_per_row: int) -> Iterator[slice]:
    """Cut rows into slices that hold at most ``BLOCK_NUMBERS`` numbers each, at least one row."""
    step = max(1, BLOCK_NUMBERS // max(1, numbers_per_row))
    for begin in range(0, rows, step):
        yield slice(begin, min(begin + step, rows))
