"""Robust sign errors: how often a measure predicts which of two networks generalizes better.

Args:
    measures: Value of every network; NaN where there is none, infinite values are ordered.
    gap: Generalization gap of every network; NaN where there is no network.
    pairs: Result of ``design.one_factor_pairs``.
    weights: Certainty of the sign of the difference of the gap, in [0, 1], of the networks at
        two arrays of positions among ensembles × seeds.
    environments: Environment of every pair of ensembles, from 0; pairs of one environment are
        pooled, and their caps added. By default each is one of its own, which no study with
        fewer than 7 seeds can fill: ``changes`` pools over the other hyper-parameters.
    fewest_effective: Effective sample size that an environment needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.special
import scipy.stats
from jaxtyping import Float, Int

from generalization.statistics.design import OneFactorPairs
from generalization.statistics.draws import blocks, orders_among
from generalization.statistics.intervals import Interval
from generalization.statistics.packed_errors import PackedErrors

FEWEST_EFFECTIVE = 12  # Dziugaite et al. 2020, §6: effective sample size of an environment
PRODUCT_IS_FASTER = 10  # than choosing rows, up to so many rows for each that is chosen
Weights = Callable[[Int[np.ndarray, "pairs"], Int[np.ndarray, "pairs"]], np.ndarray]


class SignErrors(NamedTuple):
    """Weighted error of every measure in every environment; NaN where too few pairs are certain."""

    errors: Float[np.ndarray, "measures environments"]
    effective: Float[np.ndarray, "measures environments"]


class Summary(NamedTuple):
    """Errors over environments; NaN where no environment is left."""

    mean: Float[np.ndarray, "measures *resamples"]
    high: Float[np.ndarray, "measures *resamples"]
    worst: Float[np.ndarray, "measures *resamples"]
    environments: Int[np.ndarray, "measures"]


class NullErrors(NamedTuple):
    """Mean, high quantile and worst error of a measure under permutations."""

    mean: Float[np.ndarray, "measures permutations"]
    high: Float[np.ndarray, "measures permutations"]
    worst: Float[np.ndarray, "measures permutations"]


def sign_errors(
    measures: Float[np.ndarray, "measures ensembles seeds"],
    gap: Float[np.ndarray, "ensembles seeds"],
    pairs: OneFactorPairs,
    weights: Weights,
    *,
    environments: Int[np.ndarray, "pairs"] | None = None,
    fewest_effective: float = FEWEST_EFFECTIVE,
) -> SignErrors:
    """Compute Σ w·(1 − sgn Δμ·sgn Δg)/2 / Σ w per environment (Dziugaite et al. 2020, eq. 4).

    An environment is a pair of ensembles that differ in one factor alone, and holds every pair of
    one network from each. w is certain of the sign of Δg: ``hoeffding_weights`` or
    ``mcnemar_weights``. Its effective sample size is (Σw)²/Σw², but at most S + S' − 1 for S and S'
    seeds, since S·S' pairs are made of S + S' networks; the published code has no such cap.

    A tie is an error of ½. Each pair counts once. A measure loses the networks in which it has no
    value, and no other measure does.

    Returns:
        Errors (0 perfect, ½ no better than chance, 1 reversed) and effective sample sizes.
    """
    if environments is None:
        environments = np.arange(len(pairs.first))
    terms = _terms(measures, gap, pairs, weights)
    return _errors([_by_environment(term, environments) for term in terms], fewest_effective)


def sign_errors_left_out(
    measures: Float[np.ndarray, "measures ensembles seeds"],
    gap: Float[np.ndarray, "ensembles seeds"],
    pairs: OneFactorPairs,
    weights: Weights,
    *,
    environments: Int[np.ndarray, "pairs"],
    fewest_effective: float = FEWEST_EFFECTIVE,
) -> Float[np.ndarray, "measures ensembles"]:
    """Compute the mean error over environments without each ensemble, for the jackknife.

    What an environment loses with an ensemble are its own pairs.
    """
    size, number = len(gap), environments.max(initial=-1) + 1
    sums = []
    for term in _terms(measures, gap, pairs, weights):
        own = sum(
            _by_environment(term, environments * size + end, number * size)
            for end in (pairs.first, pairs.second)
        ).reshape(len(measures), number, size)
        sums.append(_by_environment(term, environments)[:, :, None] - own)
    errors = _errors(sums, fewest_effective).errors
    kept = np.isfinite(errors)
    with np.errstate(invalid="ignore"):
        return np.where(kept, errors, 0).sum(1) / kept.sum(1)


def sign_error_intervals(
    measures: Float[np.ndarray, "measures ensembles seeds"],
    gap: Float[np.ndarray, "ensembles seeds"],
    pairs: OneFactorPairs,
    weights: Weights,
    *,
    environments: Int[np.ndarray, "pairs"],
    level: float,
    quantile: float = 0.9,
    fewest_effective: float = FEWEST_EFFECTIVE,
) -> tuple[Interval, Interval]:
    """Return the high quantile of the errors of a study's environments, and the worst of them.

    Both are order statistics of errors that have errors of their own: resampling ensembles would
    add the noise of a resample to that of the study, and move a maximum up twice. The interval is
    made of intervals of the environments, whose units are the pairs of ensembles, no two of which
    share an ensemble: that of Clopper and Pearson (1934) with the effective number of pairs (Korn &
    Graubard 1998), E(1 − E)/V·(z/t)² for an error E with variance V between n pairs and t of n − 1
    degrees of freedom.

    The m-th smallest of K errors is below its lower bound only if one of the m smallest is, and
    above its upper bound only if one of the K − m + 1 largest is. With error rates of α/2m and
    α/2(K − m + 1) for bounds of single environments, the same order statistics of all bounds cover
    the truth with probability 1 − α or more. The upper bound of the worst needs no correction.

    It tells of the same changes at other settings of the other hyper-parameters, with other seeds.
    It tells of no other change: the worst of more changes may be worse.

    Args:
        environments: As ``changes`` numbers them.

    Returns:
        Intervals of both; NaN where no environment is left.
    """
    signed, total, squares, caps = _terms(measures, gap, pairs, weights)
    sums = [_by_environment(term, environments) for term in (signed, total, squares, caps)]
    found = _errors(sums, fewest_effective)
    kept = np.isfinite(found.errors)
    wrong = (total - signed) / 2 - np.nan_to_num(found.errors)[:, environments] * total
    number = _by_environment((total > 0).astype(float), environments)
    with np.errstate(invalid="ignore", divide="ignore"):
        kish = sums[1] ** 2 / _by_environment(total**2, environments)
        variance = _by_environment(wrong**2, environments) * number / (number - 1) / sums[1] ** 2
    told = []
    for share in (quantile, 1.0):
        k = kept.sum(1)
        m = np.maximum(np.ceil(share * k - 1e-9).astype(int), 1)
        rates = (1 - level) / 2 / np.stack([m, np.maximum(k - m + 1, 1)])
        bounds = _bounds(found, variance, kish, number, rates[:, :, None])
        told.append(Interval(*(_order_statistic(one, kept, m) for one in (found.errors, *bounds))))
    return told[0], told[1]


def sign_errors_null(
    measures: Float[np.ndarray, "measures ensembles seeds"],
    gap: Float[np.ndarray, "ensembles seeds"],
    pairs: OneFactorPairs,
    weights: Weights,
    orders: Int[np.ndarray, "permutations ensembles"],
    *,
    environments: Int[np.ndarray, "pairs"] | None = None,
    fewest_effective: float = FEWEST_EFFECTIVE,
    quantile: float = 0.9,
) -> NullErrors:
    """Compute summaries of the errors after permuting a measure over ensembles, seeds together.

    Weights depend on the gap alone, so that permuting the measure moves signs between environments
    and leaves the environments as they are.

    Args:
        measures: Value of every network. Networks without a value count as ties here; ensembles
            without any stay where they are, and their pairs do not count.

    Returns:
        Errors of measures that say nothing, over the environments that each measure has; NaN if it
        has none. ``permutation_p_values(0.5 - mean, 0.5 - null.mean)`` tests the mean, and
        ``permutation_p_values(1 - worst, 1 - null.worst)`` the worst.
    """
    if environments is None:
        environments = np.arange(len(pairs.first))
    settings = {"environments": environments, "fewest_effective": fewest_effective}
    kept = np.isfinite(sign_errors(measures, gap, pairs, weights, **settings).errors)
    ensembles, seeds = gap.shape
    a, b = _networks(pairs.first, pairs.second, seeds)
    difference = gap.ravel()[a] - gap.ravel()[b]
    w = np.where(np.isfinite(difference), weights(a, b), 0)
    shares = (w * np.sign(np.nan_to_num(difference))).astype(np.float32)
    ranks = _order(measures.reshape(len(measures), -1)).reshape(measures.shape)
    found = np.full((3, len(measures), len(orders)), np.nan)
    for row in np.flatnonzero(kept.any(1)):
        there = ~np.isnan(ranks[row]).all(1)
        moved = np.ascontiguousarray(_orders_of(orders, there).T)
        used = kept[row, environments] & there[pairs.first] & there[pairs.second] & w.any(1)
        total = np.bincount(environments[used], w[used].sum(1), minlength=kept.shape[1])
        signs = _signs_of_networks(ranks[row])
        signed = np.zeros((kept.shape[1], len(orders)), np.float32)
        for pair, agreement in _agreements(signs, shares, np.flatnonzero(used), len(orders)):
            at = moved[pairs.first[pair]] * ensembles + moved[pairs.second[pair]]
            signed[environments[pair]] += agreement(at)
        error = (1 - signed[kept[row]] / total[kept[row], None]) / 2
        found[:, row] = np.stack(summary(error.T, quantile=quantile)[:3])
    return NullErrors(*found)


def changes(
    pairs: OneFactorPairs, levels: Int[np.ndarray, "ensembles factors"]
) -> Int[np.ndarray, "pairs"]:
    """Number environments by factor and by its two levels, pooling over all other settings."""
    of_pairs = [
        pairs.factor,
        levels[pairs.first, pairs.factor],
        levels[pairs.second, pairs.factor],
    ]
    return np.unique(np.stack(of_pairs), axis=1, return_inverse=True)[1].ravel()


def hoeffding_weights(
    gap: Float[np.ndarray, "ensembles seeds"], test_size: Int[np.ndarray, "ensembles"] | int
) -> Weights:
    """Return w = max(0, [max(0, 1 − 2·exp(−2n(Δg/2)²))]² − ½), two Hoeffding bounds.

    Dziugaite et al. 2020, §6 and their code, which fixes n at 10 000. It is the chance that both
    test accuracies are within |Δg|/2 of their expectations, which leave the sign of Δg as it is;
    what does not exceed ½ is dropped.

    Args:
        test_size: Number n of test points on which accuracies were measured, of each ensemble or
            of all.
    """
    values = gap.ravel()
    sizes = np.repeat(np.broadcast_to(test_size, gap.shape[:1]), gap.shape[1])

    def weights(a, b):
        difference = np.square((values[a] - values[b]) / 2)
        both = [np.maximum(0, 1 - 2 * np.exp(-2 * sizes[k] * difference)) for k in (a, b)]
        return np.maximum(0, both[0] * both[1] - 0.5)

    return weights


def mcnemar_weights(
    gap: Float[np.ndarray, "ensembles seeds"], errors: PackedErrors, *, comparisons: float = 1
) -> Weights:
    """Return max(0, w − ½), w = 1 − c·p, p of McNemar's test on the images of a shared test set.

    Two accuracies on the same n images differ by (b − c)/n, b and c being the images that one
    network alone classifies correctly, with variance [b + c − (b − c)²/n]/n² (Agresti 2002, eq.
    10.2). p is the two-sided normal one of Δg with this variance; training accuracies are known.
    Networks that err on the same images are told apart at smaller gaps than by two bounds.

    Accuracies a and a' on two test sets of n and n' images are independent, and differ with
    variance a(1 − a)/n + a'(1 − a')/n'.

    p is multiplied by the number c of pairs of networks in an environment (Bonferroni). Of pairs
    that are equally good, half have p < ½: an environment in which nothing changes would count, and
    every measure, a perfect one too, be wrong of half of it. So fewer than one of its pairs does.
    Two bounds need no correction, since they are far from exact: at an accuracy of .9 they drop
    what differs by less than 4.6 standard errors of two test sets.

    Memory is linear in networks and in pairs: b + c is counted in bits, of the pairs asked for.

    Args:
        errors: Images of its test set that every network gets wrong.
        comparisons: Number of pairs of networks in an environment.
    """
    values, seeds = gap.ravel(), gap.shape[1]
    bits = errors.bits.reshape(len(values), -1)
    images, test_sets = np.repeat(errors.images, seeds), np.repeat(errors.test_sets, seeds)
    wrong = errors.wrong.ravel()
    alone = wrong / images * (1 - wrong / images) / images

    def variances(a, b):
        differing = np.bitwise_count(bits[a] ^ bits[b]).sum(1, dtype=int)
        shared = (differing - (wrong[a] - wrong[b]) ** 2 / images[a]) / images[a] ** 2
        return np.where(test_sets[a] == test_sets[b], shared, alone[a] + alone[b])

    def weights(a, b):
        pairs = np.stack([a.ravel(), b.ravel()])
        variance = np.empty(pairs.shape[1])
        for block in blocks(len(variance), 3 * bits.shape[1]):
            variance[block] = variances(*pairs[:, block])
        difference = np.abs(values[a] - values[b])
        with np.errstate(divide="ignore", invalid="ignore"):
            p = scipy.special.erfc(difference / np.sqrt(2 * variance.reshape(a.shape)))
        return np.maximum(0, np.where(difference > 0, 0.5 - comparisons * p, 0))

    return weights


def summary(
    errors: Float[np.ndarray, "measures environments"], *, quantile: float = 0.9
) -> Summary:
    """Return mean, 90th percentile and worst of the errors, and the number of environments."""
    kept = np.isfinite(errors)
    found = np.full((3, len(errors)), np.nan)
    any_left = kept.any(1)
    if any_left.any():
        some = errors[any_left]
        places = np.maximum(np.ceil(quantile * kept[any_left].sum(1) - 1).astype(int), 0)
        # NaN is sorted to the end.
        high = np.take_along_axis(np.sort(some, axis=1), places[:, None], axis=1)[:, 0]
        found[:, any_left] = np.nanmean(some, axis=1), high, np.nanmax(some, axis=1)
    return Summary(*found, kept.sum(1))


def resampled_summary(
    counts: Float[np.ndarray, "resamples ensembles"],
    errors: Float[np.ndarray, "measures environments"],
    pairs: OneFactorPairs,
    *,
    quantile: float = 0.9,
) -> Summary:
    """Return the same in every resample of ensembles: a pair (a, b) counts c_a·c_b times.

    Args:
        errors: Errors in the environments of single pairs, in the order of ``pairs``.
        pairs: The pairs of ensembles that are the environments.
        quantile: The quantile that is the high one: the smallest error at or below which lies this
            share of the weight.
    """
    found = np.full((3, len(errors), len(counts)), np.nan)
    kept = np.isfinite(errors)
    for block in blocks(len(counts), 4 * len(pairs.first)):
        often = (counts[block][:, pairs.first] * counts[block][:, pairs.second]).T
        for row, (error, there) in enumerate(zip(errors, kept, strict=True)):
            ascending = np.flatnonzero(there)[np.argsort(error[there], kind="stable")]
            if len(ascending):
                found[:, row, block] = _weighted(error[ascending], often[ascending], quantile)
    return Summary(*found, kept.sum(1))


def _weighted(error, weight, quantile):
    """Mean, quantile and maximum of ascending errors, in every column of weights."""
    until = np.cumsum(weight, axis=0)
    total = until[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = error @ weight / total
    # The number of errors below which there is less than the share asked for.
    high = error[np.minimum((until < quantile * total * (1 - 1e-12)).sum(0), len(error) - 1)]
    worst = error[np.minimum((until < total).sum(0), len(error) - 1)]
    return np.where(total > 0, [mean, high, worst], np.nan)


def _order(values):
    """Ranks of the values of every row, NaN staying NaN: differences of infinities are ties."""
    return scipy.stats.rankdata(values, axis=1, nan_policy="omit").astype(np.float32)


def _networks(first, second, seeds):
    """Positions of both networks in every pair of one from each ensemble: pairs × seeds²."""
    a, b = np.divmod(np.arange(seeds**2), seeds)
    return first[:, None] * seeds + a, second[:, None] * seeds + b


def _agreements(signs, shares, kept, permutations):
    """For every pair of ensembles: its agreement if the signs were those of other two ensembles."""
    if len(signs) > PRODUCT_IS_FASTER * permutations:
        for pair in kept:
            yield pair, lambda at, pair=pair: signs[at].astype(np.float32) @ shares[pair]
        return
    # A product with the signs of all two ensembles is faster than choosing them.
    everything = signs.T.astype(np.float32)
    for block in blocks(len(kept), len(signs)):
        for pair, of_all in zip(kept[block], shares[kept[block]] @ everything, strict=True):
            yield pair, of_all.__getitem__


def _terms(measures, gap, pairs, weights):
    """Sums over the pairs of networks of every two ensembles: measures × pairs, four times.

    Weights times agreements, weights, squared weights, and networks less one.
    """
    seeds, ensemble_pairs = gap.shape[1], len(pairs.first)
    ranks = _order(measures.reshape(len(measures), -1))
    there = (~np.isnan(ranks) & np.isfinite(gap.ravel())).astype(np.float32)
    networks = there.reshape(measures.shape).sum(2)
    values = gap.ravel()
    signed, total, squares = np.zeros((3, len(measures), ensemble_pairs))
    for block in blocks(ensemble_pairs, 3 * len(measures) * seeds**2):
        a, b = _networks(pairs.first[block], pairs.second[block], seeds)
        difference = values[a] - values[b]
        # Without a network there is no certainty either.
        w = np.where(np.isfinite(difference), weights(a, b), 0)
        both = there[:, a] * there[:, b]
        agreement = np.nan_to_num(np.sign(ranks[:, a] - ranks[:, b]))
        signed[:, block] = np.einsum(
            "mps,ps->mp", agreement, w * np.sign(np.nan_to_num(difference))
        )
        total[:, block] = np.einsum("mps,ps->mp", both, w)
        squares[:, block] = np.einsum("mps,ps->mp", both, w**2)
    caps = (networks[:, pairs.first] + networks[:, pairs.second] - 1) * (total > 0)
    return signed, total, squares, caps


def _errors(sums, fewest_effective):
    """Errors from sums of the terms over the pairs of environments."""
    with np.errstate(invalid="ignore", divide="ignore"):
        effective = np.nan_to_num(np.minimum(sums[1] ** 2 / sums[2], sums[3]))
        errors = (1 - sums[0] / sums[1]) / 2
    enough = (effective > 0) & (effective >= fewest_effective)
    return SignErrors(np.where(enough, errors, np.nan), effective)


def _bounds(found, variance, kish, number, rates):
    """Bounds of the errors of environments, each missed with its own rate on its side."""
    errors = np.nan_to_num(found.errors)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.where(variance > 1e-12, errors * (1 - errors) / variance, kish)
    size = np.where((errors > 0) & (errors < 1), np.minimum(size, found.effective), kish)
    bounds = []
    for sign, rate in zip((-1, 1), rates, strict=True):
        free = np.maximum(number - 1, 1)
        n = size * (scipy.stats.norm.ppf(rate) / scipy.stats.t.ppf(rate, free)) ** 2
        x = errors * n
        wide = x + (sign > 0), n - x + (sign < 0)
        tail = rate if sign < 0 else 1 - rate
        with np.errstate(invalid="ignore"):
            bound = scipy.stats.beta.ppf(tail, *wide)
        # Beta has no quantile where none is wrong, or all are.
        bounds.append(np.where(np.isnan(bound), errors, bound))
    return bounds


def _order_statistic(values, kept, places):
    """The value in each row that has its place, from 1, among those that are kept, ascending."""
    ascending = np.sort(np.where(kept, values, np.inf), axis=1)
    found = np.take_along_axis(ascending, places[:, None] - 1, axis=1)[:, 0]
    return np.where(kept.any(1), found, np.nan)


def _orders_of(orders, there):
    """Permutations of the ensembles that are there, the others staying where they are."""
    if there.all():
        return orders
    moved = np.tile(np.arange(len(there), dtype=orders.dtype), (len(orders), 1))
    among = orders_among(orders, there, np.zeros(len(there), int))
    moved[:, there] = np.flatnonzero(there)[among]
    return moved


def _signs_of_networks(ranks):
    """Signs of all pairs of networks of every two ensembles, in the order of ``_networks``."""
    a, b = ranks[:, None, :, None], ranks[None, :, None, :]
    # Neither of both where a rank is missing.
    signs = np.greater(a, b).view(np.int8) - np.less(a, b).view(np.int8)
    return signs.reshape(len(ranks) ** 2, -1)


def _by_environment(terms, environments, number=None):
    """Sums of the terms of every row over the pairs of each environment."""
    number = environments.max(initial=-1) + 1 if number is None else number
    rows = [np.bincount(environments, row, minlength=number) for row in terms]
    return np.array(rows).reshape(len(terms), number)
