"""What a measure adds to a prediction of the gap, and how well it selects networks.

Args:
    share: Share of the ensembles that counts as the top, at least one ensemble.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from generalization.statistics.design import main_effects, orthonormal_basis, weighted_grams
from generalization.statistics.draws import blocks, complete_sets, orders_among
from generalization.statistics.multiplicity import ROUNDING
from generalization.statistics.stratified import rank_deviations

LEVERAGE = 1 - 1e-8  # from here on a point determines a coefficient by itself
EXPLAINED = 1e-9  # share of a sum of squares below which a residual is rounding
SEEN = 1e-6  # least component of an orthonormal regressor outside the span of others


class Selection(NamedTuple):
    """How well choosing by a measure does, by measure and environment."""

    regret: Float[np.ndarray, "measures environments"]
    hit_rate: Float[np.ndarray, "measures environments"]


class NullSelection(NamedTuple):
    """Under permutations: regret over all ensembles, the worst of strata, and hit rate."""

    whole: Float[np.ndarray, "measures permutations"]
    worst: Float[np.ndarray, "measures permutations"]
    hit_rate: Float[np.ndarray, "measures permutations"]


def added_r_squared(
    counts: Float[np.ndarray, "resamples ensembles"],
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    design: Float[np.ndarray, "ensembles columns"],
) -> Float[np.ndarray, "measures resamples"]:
    """Compute R²(Z and R(μ)) − R²(Z), cross-validated by leaving out one ensemble after the other.

    R² = 1 − Σ(g − ĝ₍₋ₑ₎)² / Σ(g − ḡ₍₋ₑ₎)². Leaving out needs no refit: the error is e/(1 − h) with
    residual e and leverage h (Allen 1974); in a resample all c_e copies are left out together,
    e/(1 − c_e·h). Midranks R(μ) make it invariant to increasing maps.

    Args:
        design: Regressors Z, an intercept among them: the design, or ``with_baselines``.

    Returns:
        Added R², negative where the measure only adds noise, and 0 where Z explains its ranks; NaN
        where the gap does not vary. Ensembles that alone determine a coefficient cannot be
        predicted and are left out of both.
    """
    found = np.full((len(measures), len(counts)), np.nan)
    for rows, there in complete_sets(measures):
        y, z = gap[there], orthonormal_basis(design[there])
        numbers = 6 * there.sum() + z.shape[1] * (there.sum() + 2 * z.shape[1])
        for block in blocks(len(counts), 2 * numbers):
            held = counts[block][:, there]
            found[rows, block] = _added(held, measures[rows][:, there], y, z)
    return found


def added_r_squared_null(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    design: Float[np.ndarray, "ensembles columns"],
    orders: Int[np.ndarray, "permutations ensembles"],
) -> Float[np.ndarray, "measures permutations"]:
    """Compute the same after permuting what the design leaves of the gap (Freedman & Lane 1983).

    A permutation makes the gap y* = Zβ̂ + π(e). Residuals, slopes and errors follow from
    H·y* = H·π(e); leverages stay as they are. Residuals are smaller than errors by the root of
    1 − rank/E on average, by which e is divided (Davison & Hinkley 1997, §6.3.2): an R² depends on
    the scale of errors beside the effects of the design. Without it, measures that say nothing have
    a p-value of at most .05 in up to .10 of simulated studies of 16 ensembles, with it in .06.

    Returns:
        Added R² under the hypothesis that the measure adds nothing; NaN as in ``added_r_squared``.
    """
    found = np.full((len(measures), len(orders)), np.nan)
    for rows, there in complete_sets(measures):
        some = orders_among(orders, there, np.zeros(len(gap), int))
        y, z = gap[there], orthonormal_basis(design[there])
        leverage = np.square(z).sum(1)
        fitted, errors = _explained(y, z)
        ranks = _ranks(measures[rows][:, there])
        left = ranks - (ranks @ z) @ z.T
        squares = np.square(left).sum(1)
        says_more = squares > EXPLAINED * np.square(ranks).sum(1)
        left[says_more] /= np.sqrt(squares[says_more])[:, None]
        left[~says_more] = 0
        more = leverage + left**2
        predicted = ((leverage < LEVERAGE) & (more < LEVERAGE)).astype(float)
        # Squared errors are sums over ensembles, so that products do for all measures at once.
        base = predicted / np.square(1 - np.minimum(leverage, LEVERAGE))
        after = predicted / np.square(1 - np.minimum(more, LEVERAGE))
        for block in blocks(len(some), 6 * len(y)):
            permuted = errors[some[block]]
            residual = permuted - (permuted @ z) @ z.T
            alone = fitted + permuted
            alone = (alone - alone.mean(1, keepdims=True)) / (1 - 1 / len(y))
            slope = residual @ (left * predicted).T
            gained = np.square(residual) @ (base - after).T
            gained += slope * (2 * residual @ (left * after).T - slope * (left**2 * after).sum(1))
            with np.errstate(invalid="ignore", divide="ignore"):
                found[rows, block] = (gained / (np.square(alone) @ predicted.T)).T
    return found if np.ptp(gap) > 0 else np.full_like(found, np.nan)


def added_r_squared_by_level(
    counts: Float[np.ndarray, "resamples ensembles"],
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
) -> Float[np.ndarray, "factors measures resamples"]:
    """Compute the same, leaving out one level of a factor after the other.

    Of a level that was never seen no effect is known, so Z are the main effects of the other
    factors. It asks whether the measure tells what a new depth, or a new dataset, will do.

    Args:
        measures: As in ``added_r_squared``.
        gap: As in ``added_r_squared``.

    Returns:
        Added R² for every factor; NaN where a factor has one level, or the gap does not vary.
        Ensembles whose other factors have levels that are not seen without theirs cannot be
        predicted, and are left out of both.
    """
    found = np.full((levels.shape[1], len(measures), len(counts)), np.nan)
    for rows, there in complete_sets(measures):
        y, strata = gap[there], np.zeros(there.sum(), int)
        if np.ptp(y) == 0:
            continue
        folds = [_Folds.of(levels[there], factor) for factor in range(levels.shape[1])]
        for block in blocks(len(counts), len(y) * (len(rows) + 1)):
            held = counts[block][:, there]
            given = [rank_deviations(held, measures[row, there], strata) for row in rows]
            ranks = np.stack(given, axis=1)
            for factor, fold in enumerate(folds):
                if len(fold.slices) > 1:
                    found[factor, rows, block] = _by_level(held, ranks, y, fold)
    return found


def added_r_squared_by_level_null(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
    orders: Int[np.ndarray, "permutations ensembles"],
) -> Iterator[Float[np.ndarray, "measures permutations"]]:
    """Compute the same after permuting what all factors leave of the gap (Freedman & Lane 1983).

    The factor that is left out is among them. A measure that is a function of the hyper-parameters
    may predict a new level by chance, and no permutation of ensembles tells how often. What is
    tested is that it knows no more than they. Residuals are scaled as in ``added_r_squared_null``.

    Yields:
        Added R², factor after factor, under the hypothesis that the gap is a sum of main effects
        and of what the measure does not know; NaN as in ``added_r_squared_by_level``.
    """
    sets = [
        (rows, there, orders_among(orders, there, np.zeros(len(gap), int)))
        for rows, there in complete_sets(measures)
    ]
    for factor in range(levels.shape[1]):
        found = np.full((len(measures), len(orders)), np.nan)
        for rows, there, some in sets:
            y, full = gap[there], orthonormal_basis(main_effects(levels[there]))
            folds = _Folds.of(levels[there], factor)
            if len(folds.slices) < 2 or np.ptp(y) == 0:
                continue
            fitted, errors = _explained(y, full)
            ranks, gaps = _ranks(measures[rows][:, there])[:, folds.order], fitted[folds.order]
            left_out = [_LeftOut.of(ranks, folds.z, at) for at in folds.slices]
            regressors = np.vstack([folds.z.T, ranks, np.ones(len(y))]).T
            for block in blocks(len(some), 6 * len(y) + 4 * len(rows)):
                permuted = gaps + errors[some[block].take(folds.order, axis=1)]
                found[rows, block] = _gained(permuted, regressors, left_out).T
        yield found


def with_baselines(
    design: Float[np.ndarray, "ensembles columns"],
    baselines: Float[np.ndarray, "baselines ensembles"],
) -> Float[np.ndarray, "ensembles more_columns"]:
    """Return the design and the midranks of baselines, without NaN, as further regressors."""
    return np.hstack([design, _ranks(baselines).T])


def selection(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    environments: Int[np.ndarray, "ensembles"] | None = None,
    *,
    share: float = 0.2,
) -> Selection:
    """Compute regret and hit rate of choosing by the lowest value, in every environment.

    Regret is (g of the preferred − least g)/(mean g − least g): 0 for the best choice, 1 on average
    for a random one. The hit rate is the share of the ``share`` preferred that are among as many
    with the least gap; ``share`` on average at random. Ties are broken at random, in expectation.

    Args:
        measures: Ensemble means, a low value promising a small gap: turn the others round. NaN
            where a measure has no value.
        environments: Where each ensemble belongs, a dataset or a level of a factor; by default
            all to one. Environments are in the order of their codes.

    Returns:
        Both numbers; NaN in environments with fewer than two ensembles or a constant gap. The worst
        over environments is ``np.nanmax`` of regret and ``np.nanmin`` of the hit rate.
    """
    environments = np.zeros(len(gap), int) if environments is None else environments
    names = np.unique(environments)
    found = Selection(*np.full((2, len(measures), len(names)), np.nan))
    for column, name in enumerate(names):
        at = environments == name
        for row, values in enumerate(measures):
            there = at & ~np.isnan(values)
            if there.sum() < 2 or np.ptp(gap[there]) == 0:
                continue
            mu, g = values[there], gap[there]
            preferred = g[mu == mu.min()].mean()
            found.regret[row, column] = (preferred - g.min()) / (g.mean() - g.min())
            top = max(1, round(share * len(g)))
            found.hit_rate[row, column] = _chosen(mu, top) @ _chosen(g, top) / top
    return found


def resampled_hit_rates(
    counts: Float[np.ndarray, "resamples ensembles"],
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    falls: Bool[np.ndarray, "measures resamples"],
    *,
    share: float = 0.2,
) -> Float[np.ndarray, "measures resamples"]:
    """Compute the hit rate in every resample, of which all copies of an ensemble are members.

    Args:
        measures: As in ``selection_null``.
        falls: Whether the highest values of a measure are preferred in a resample, and not the
            lowest.

    Returns:
        Hit rates, with ties broken at random, in expectation, as those of copies are; NaN without
        a value.
    """
    found = np.full((len(measures), len(counts)), np.nan)
    for rows, there in complete_sets(measures):
        for block in blocks(len(counts), 8 * there.sum()):
            held = counts[block][:, there]
            top = np.maximum(1, np.round(share * held.sum(1)))
            best = held * _shares_chosen(held, *_ties(gap[there]), top)
            for row in rows:
                # Only the end that a resample prefers is looked at.
                for sign, at in ((1, ~falls[row, block]), (-1, falls[row, block])):
                    ties = _ties(sign * measures[row, there])
                    hits = _hits(held[at], best[at], *ties, top[at])
                    found[row, block][at] = hits / top[at]
    return found


def largest(regret: Float[np.ndarray, "measures *environments"]) -> Float[np.ndarray, "measures"]:
    """Return the worst regret over environments; NaN of a measure that has none."""
    return np.fmax.reduce(regret, axis=1, initial=np.nan)


def selection_null(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    strata: Int[np.ndarray, "ensembles"],
    orders: Int[np.ndarray, "permutations ensembles"],
    *,
    share: float = 0.2,
) -> NullSelection:
    """Compute regrets and hit rates after permuting the gap, turning each measure by its sign.

    Args:
        measures: Ensemble means, not turned.
        strata: Strata of the rank correlation that tells the sign, and environments of the worst
            regret.
        orders: Permutations within these strata.

    Returns:
        Regret over all ensembles, the worst of strata, and the hit rate over all ensembles, of
        measures that say nothing within strata; NaN as in ``selection``.
    """
    found = NullSelection(*np.full((3, len(measures), len(orders)), np.nan))
    for rows, there in complete_sets(measures):
        some, codes = orders_among(orders, there, strata), strata[there]
        once, values = np.ones((1, there.sum())), gap[there]
        of_gap = rank_deviations(once, values, codes)[0]
        mu = measures[rows][:, there]
        of_mu = np.concatenate([rank_deviations(once, one, codes) for one in mu])
        top = max(1, round(share * len(values)))
        least, varies = _chosen(values, top), np.ptp(values) > 0
        preferred = np.stack([_chosen(sign * one, top) for sign in (1, -1) for one in mu])
        for block in blocks(len(some), 4 * len(values)):
            order = some[block]
            permuted, falls = values[order], of_gap[order] @ of_mu.T < 0
            found.whole[rows, block] = _regrets(mu, permuted, falls, values)
            if varies:
                hits = np.split(least[order] @ preferred.T / top, 2, axis=1)
                found.hit_rate[rows, block] = np.where(falls, hits[1], hits[0]).T
            for code in np.unique(codes):
                at = np.flatnonzero(codes == code)
                regret = _regrets(mu[:, at], permuted.take(at, axis=1), falls, values[at])
                found.worst[rows, block] = np.fmax(found.worst[rows, block], regret)
    return found


def below_most_regret(
    found: Float[np.ndarray, "measures"], null: Float[np.ndarray, "measures permutations"]
) -> tuple[Float[np.ndarray, "measures"], Float[np.ndarray, "measures permutations"]]:
    """Return how far regrets are below the most of all, found or permuted: the larger, the better.

    Where a permutation changes no choice its regret is what was found, but for sums in another
    order: differences by rounding are 0.
    """
    every = np.column_stack([found, null])
    most = np.fmax.reduce(every, axis=1, keepdims=True)
    below = most - every
    below = np.where(below <= ROUNDING * most, 0, below)
    return below[:, 0], below[:, 1:]


def _regrets(mu, gaps, falls, values):
    """Regret of the lowest value of every measure, or of the highest where it falls.

    Every row of gaps is a permutation of the values, whose least and mean it has.
    """
    if np.ptp(values) == 0:
        return np.full(falls.T.shape, np.nan)
    ends = [mu == one[:, None] for one in (mu.min(1), mu.max(1))]
    low, high = (gaps @ end.T.astype(float) / end.sum(1) for end in ends)
    least, mean = values.min(), values.mean()
    return ((np.where(falls, high, low) - least) / (mean - least)).T


def _chosen(values, top):
    """Chance of every value to be among the lowest, with ties broken at random."""
    limit = np.sort(values)[top - 1]
    below, equal = values < limit, values == limit
    return below + equal * (top - below.sum()) / equal.sum()


def _ties(values):
    """Ascending order of values, and where in it equal ones begin."""
    order = np.argsort(values, kind="stable")
    return order, np.flatnonzero(np.r_[True, values[order][1:] != values[order][:-1]])


def _sums(counts, order, starts):
    """Sum of the counts of equal values, ascending, by resample."""
    ascending = counts.take(order, axis=1)
    distinct = len(starts) == len(order)
    return ascending if distinct else np.add.reduceat(ascending, starts, axis=1)


def _shares_of_values(counts, order, starts, top):
    """Share of the copies of every distinct value that are among the lowest, by resample."""
    tied = _sums(counts, order, starts)
    before = np.cumsum(tied, axis=1) - tied
    return np.clip(top[:, None] - before, 0, tied) / np.where(tied > 0, tied, 1)


def _shares_chosen(counts, order, starts, top):
    """Share of the copies of every ensemble that are among the lowest, by resample."""
    codes = np.empty(len(order), int)
    codes[order] = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(order)]))
    return _shares_of_values(counts, order, starts, top).take(codes, axis=1)


def _hits(counts, best, order, starts, top):
    """How many of the best copies are among the lowest, by resample."""
    shares = _shares_of_values(counts, order, starts, top)
    return np.einsum("rv,rv->r", shares, _sums(best, order, starts))


def _explained(y, z):
    """What orthonormal regressors explain of the gap, and residuals at the scale of errors."""
    fitted = z @ (z.T @ y)
    return fitted, (y - fitted) * np.sqrt(len(y) / max(len(y) - z.shape[1], 1))


def _ranks(values):
    """Midranks of every row, less their mean."""
    once, strata = np.ones((1, values.shape[1])), np.zeros(values.shape[1], int)
    return np.stack([rank_deviations(once, row, strata)[0] for row in values])


def _added(counts, measures, y, z):
    """Added R² of every measure in every resample, by the leverages of one more regressor."""
    strata = np.zeros(len(y), int)
    size = counts.sum(1, keepdims=True)
    inverse = np.linalg.pinv(weighted_grams(counts, z), rcond=1e-10, hermitian=True)
    projected = z @ inverse
    leverage = np.einsum("req,eq->re", projected, z)
    residual = y - _predictions(projected, (counts * y) @ z)
    held = counts > 0
    varies = np.where(held, y, np.inf).min(1) < np.where(held, y, -np.inf).max(1)
    alone = np.where(varies[:, None], y - (counts @ y)[:, None] / size, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        alone = alone / (1 - counts / size)
    found = np.empty((len(measures), len(counts)))
    for row, values in enumerate(measures):
        x = rank_deviations(counts, values, strata)
        left = x - _predictions(projected, (counts * x) @ z)
        squares = np.einsum("re,re,re->r", counts, left, left)[:, None]
        total = np.einsum("re,re,re->r", counts, x, x)[:, None]
        says_more = squares > EXPLAINED * total
        left = np.where(says_more, left / np.sqrt(np.where(says_more, squares, 1)), 0)
        slope = np.einsum("re,re,re->r", counts, left, residual)[:, None]
        found[row] = _difference(
            counts, alone, (residual, leverage), (residual - slope * left, leverage + left**2)
        )
    return found


def _predictions(projected, products):
    """Predictions of every ensemble in every resample."""
    return (projected @ products[:, :, None])[:, :, 0]


def _difference(counts, alone, base, more):
    """Difference of two cross-validated R² over the ensembles that both can predict."""
    predicted = (counts > 0) & (counts * more[1] < LEVERAGE) & (counts * base[1] < LEVERAGE)
    weights = np.where(predicted, counts, 0)
    errors = []
    for residual, leverage in (base, more):
        error = np.where(predicted, residual / np.where(predicted, 1 - counts * leverage, 1), 0)
        errors.append(np.einsum("re,re,re->r", weights, error, error))
    total = np.einsum("re,re->r", weights, np.square(np.where(predicted, alone, 0)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (errors[0] - errors[1]) / total


class _Folds(NamedTuple):
    """Ensembles by their level of a factor, which are left out one after the other.

    Attributes:
        order: Ensembles, level by level.
        slices: Where each level is in this order.
        z: Main effects of the other factors, in this order.
    """

    order: np.ndarray
    slices: list[slice]
    z: np.ndarray

    @classmethod
    def of(cls, levels, factor):
        """Arrange the ensembles for a factor."""
        order = np.argsort(levels[:, factor], kind="stable")
        ends = np.cumsum(np.unique(levels[:, factor], return_counts=True)[1])
        slices = [slice(*side) for side in zip([0, *ends[:-1]], ends, strict=True)]
        others = main_effects(np.delete(levels, factor, axis=1))
        return cls(order, slices, orthonormal_basis(others)[order])


def _by_level(counts, ranks, y, folds):
    """Added R² of every measure in every resample, one level after the other left out.

    Sums over what is kept are those over all, less those over what is left out.
    """
    counts, y = counts.take(folds.order, axis=1), y[folds.order]
    # The gap stands first among the values; what regressors explain of it changes no error.
    left = y - folds.z @ (folds.z.T @ y)
    values = np.empty((len(counts), 1 + ranks.shape[1], len(y)))
    values[:, 0], values[:, 1:] = left, ranks.take(folds.order, axis=2)
    weighted = counts[:, None] * values
    parts = []
    for at in folds.slices:
        held, z, own = counts[:, at], folds.z[at], weighted[..., at]
        squares = np.einsum("rve,rve->rv", own, values[..., at])
        sums = held.sum(1), held @ y[at], own @ left[at], squares, own @ z
        parts.append((*sums, weighted_grams(held, z)))
    totals = [sum(part) for part in zip(*parts, strict=True)]
    gained, total = np.zeros(ranks.shape[:2]), np.zeros(len(counts))
    for at, own in zip(folds.slices, parts, strict=True):
        kept = [whole - part for whole, part in zip(totals, own, strict=True)]
        weights, slopes, slope = _fitted(counts[:, at], folds.z[at], *kept[2:])
        others = values[..., at] - slopes @ folds.z[at].T
        base, others = others[:, 0], others[:, 1:]
        predicted = weights[:, None] * others
        change = 2 * np.einsum("rme,re->rm", predicted, base)
        gained += slope * (change - slope * np.einsum("rme,rme->rm", predicted, others))
        with np.errstate(invalid="ignore", divide="ignore"):
            alone = y[at] - (kept[1] / kept[0])[:, None]
        total += _products(weights, alone, alone)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (gained / total[:, None]).T


def _fitted(counts, new, products, squares, on_design, gram):
    """What is kept says of a level that is left out, in every resample.

    Returns:
        Counts of the ensembles that can be predicted; coefficients of the regressors of gap and
        measures; slope of the gap on what regressors leave of every measure.
    """
    inverse = np.linalg.pinv(gram, rcond=1e-10, hermitian=True)
    # What lies in the span of the rows that are seen is predicted.
    unseen = np.abs(new - new @ (inverse @ gram)).max(2)
    slopes = on_design @ inverse
    left = squares - (slopes * on_design).sum(2)
    says_more = left > EXPLAINED * squares
    along = products - (slopes * on_design[:, :1]).sum(2)
    slope = np.where(says_more, along / np.where(says_more, left, 1), 0)
    return np.where(unseen < SEEN, counts, 0), slopes, slope[:, 1:]


def _products(weights, a, b):
    """Weighted sums of products, in every row."""
    return np.einsum("re,re,re->r", weights, a, b)


class _LeftOut(NamedTuple):
    """One level left out, for many gaps: what a prediction of it takes from the others.

    Attributes:
        at: Ensembles that are left out.
        predicted: 1 for those that can be predicted, 0 for others.
        slopes: Coefficients of the regressors of the ranks of every measure.
        scale: 1 / sum of squares of what regressors leave of these ranks among those kept.
        others: What they leave of the ranks of those predicted.
        on_others: From products of gaps and regressors to products of predictions and ``others``.
    """

    at: slice
    predicted: np.ndarray
    slopes: np.ndarray
    scale: np.ndarray
    others: np.ndarray
    on_others: np.ndarray

    @classmethod
    def of(cls, ranks, z, at):
        """Prepare a fold."""
        kept = np.ones(len(z), bool)
        kept[at] = False
        gram, on_design = z[kept].T @ z[kept], z[kept].T @ ranks[:, kept].T
        inverse = np.linalg.pinv(gram, rcond=1e-10, hermitian=True)
        predicted = np.abs(z[at] - z[at] @ inverse @ gram).max(1) < SEEN
        slopes = inverse @ on_design
        left = np.square(ranks[:, kept] - (z[kept] @ slopes).T).sum(1)
        says_more = left > EXPLAINED * np.square(ranks[:, kept]).sum(1)
        scale = says_more / np.where(says_more, left, 1)
        others = (ranks[:, at] - (z[at] @ slopes).T) * predicted
        return cls(at, predicted * 1.0, slopes, scale, others, inverse @ (z[at].T @ others.T))


def _gained(gaps, regressors, left_out):
    """Added R² of every measure in every row of gaps; regressors, ranks and 1 beside another."""
    parts = [gaps[:, fold.at] @ regressors[fold.at] for fold in left_out]
    total, gained, alone = sum(parts), 0, 0
    for fold, own in zip(left_out, parts, strict=True):
        new, count = gaps[:, fold.at], gaps.shape[1] - len(fold.predicted)
        on_z, on_ranks, whole = np.split(total - own, [len(fold.slopes), -1], axis=1)
        slope = (on_ranks - on_z @ fold.slopes) * fold.scale
        change = 2 * (new @ fold.others.T - on_z @ fold.on_others)
        gained = gained + slope * (change - slope * np.square(fold.others).sum(1))
        alone = alone + np.square(new - whole / count) @ fold.predicted
    with np.errstate(invalid="ignore", divide="ignore"):
        return gained / alone[:, None]
