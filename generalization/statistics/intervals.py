"""Intervals that keep their level with few ensembles: of correlations, means, slopes and ranks.

Args:
    fewest: Number of ensembles from which on there is an interval.
    estimates: Correlations of the candidates in the study.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Literal, NamedTuple

import numpy as np
import scipy.optimize
import scipy.stats
from jaxtyping import Float, Int

FEWEST_ENSEMBLES = 5  # ASSUME: no interval is told of fewer
LARGEST_EXACT = 12  # ensembles up to which the chances of orders are inverted
LARGEST_GIVEN_DESIGN = 64  # the same, of as many more as the design has parameters
LARGEST_STRATUM = 64  # mean number of ensembles in strata, the same
GRID = 301  # points of a normal variable between −5 and 5
DRAWS = 20_000  # orders of up to twelve normal values for each correlation, fewer of more
CORRELATIONS = np.tanh(np.linspace(-5, 5, 121))


class Interval(NamedTuple):
    """Estimates with the bounds of their intervals, of one shape; NaN where there is none."""

    estimate: Float[np.ndarray, "*measures"]
    low: Float[np.ndarray, "*measures"]
    high: Float[np.ndarray, "*measures"]


class Comparison(NamedTuple):
    """Measures beside the best baseline and among each other, from shared resamples."""

    difference: Interval
    p_best: Float[np.ndarray, "measures"]
    rank: Interval
    draws: Float[np.ndarray, "measures resamples"]


def jackknife_error(
    left_out: Float[np.ndarray, "*measures ensembles"],
) -> Float[np.ndarray, "*measures"]:
    """Return √((E − 1)/E · Σ(θ̂₍₋ₑ₎ − mean)²) (Efron & Tibshirani 1993, eq. 11.5).

    Args:
        left_out: The statistic without each of E ensembles, the result for
            ``draws.leave_one_out_counts``. NaN is passed over and not counted in E: set it where
            a measure has no value in the ensemble that is left out.
    """
    used = np.isfinite(left_out).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(used > 0, np.nansum(left_out, axis=-1) / used, np.nan)
        squares = np.nansum(np.square(left_out - mean[..., None]), axis=-1)
        return np.where(used > 1, np.sqrt((used - 1) / used * squares), np.nan)


def stratified_error(
    left_out: Float[np.ndarray, "*measures ensembles"], strata: Int[np.ndarray, "ensembles"]
) -> Float[np.ndarray, "*measures"]:
    """Return the jackknife standard error of a rank correlation within strata of fixed sizes.

    √(Σ_ℓ (n_ℓ − 1)/n_ℓ · Σ_i (c_ℓ·(θ̂₍₋ᵢ₎ − mean_ℓ))²), the sum of the errors of strata, which are
    independent (Shao & Tu 1995). With V_n = n³ − n, the correlation is
    Σ_ℓ V_nℓ·ρ_ℓ/ΣV, and leaving one out gives its stratum the weight of one ensemble less;
    c_ℓ = V_n/V_{n−1} · (ΣV − V_n + V_{n−1})/ΣV makes up for that.

    Args:
        left_out: As for ``jackknife_error``.
    """
    there = np.isfinite(left_out)
    members = (strata[:, None] == np.unique(strata)).astype(float)
    sizes = there @ members
    weights = sizes**3 - sizes
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = weights - ((sizes - 1) ** 3 - (sizes - 1))
        corrected = weights / (weights - lost) * (1 - lost / weights.sum(-1, keepdims=True))
        known = np.where(there, left_out, 0)
        means = (known @ members) / sizes
        away = np.where(there, left_out - means @ members.T, 0)
        squares = (sizes - 1) / sizes * corrected**2 * (np.square(away) @ members)
    # Two ensembles have one order, whose error is not known; their weight is 6 of ΣV.
    variance = np.where(sizes > 2, squares, 0).sum(-1)
    return np.where((sizes > 1).any(-1), np.sqrt(variance), np.nan)


def correlation_interval(
    estimate: Float[np.ndarray, "*measures"],
    left_out: Float[np.ndarray, "*measures ensembles"],
    *,
    level: float,
    degrees_of_freedom: Float[np.ndarray, "*measures"] | float | None = None,
    fewest: int = FEWEST_ENSEMBLES,
    coefficient: Literal["spearman", "kendall"] | None = "spearman",
    strata: Int[np.ndarray, "ensembles"] | None = None,
) -> Interval:
    """Return tanh(z ± t·se) with z = artanh r and the jackknife standard error of z.

    Any correlation will do: pooled, stratified, partial, granulated. Fisher's z makes the interval
    contain its estimate and stay within ±1; the jackknife takes ensembles for what they are.

    What is held fixed is no part of the error. With strata, the error is ``stratified_error``.
    With a design of rank k among E ensembles, leaving one out refits it, so that residuals are too
    large by 1/(1 − k/E) and the error by 1/√(1 − k/E), as HC3 errors are beside HC2 (MacKinnon &
    White 1985): it is multiplied by √((f + 2)/E) with the f degrees of freedom.

    Of few ensembles the jackknife knows its own error too little, and z jumps where leaving one out
    makes an order perfect: up to 10 degrees of freedom, or 62 given a design, bounds are those of
    ``order_bounds`` for f + 2 ensembles, since a correlation given q regressors is distributed as
    one of q observations fewer (Fisher 1924); and within strata of up to 64 ensembles on average
    those for their sizes. They exclude 0 where the permutation test does.

    Args:
        estimate: Correlation r of the study.
        left_out: Correlation without each ensemble, as for ``jackknife_error``.
        degrees_of_freedom: Degrees of freedom of t. By default E − 2; after projecting out a
            design, E − 1 − rank of it (intercept included).
        coefficient: Rank correlation whose ``order_bounds`` hold for few ensembles, Spearman's for
            Pearson's r and for partial correlations too; None where not all pairs of ensembles
            count, so that the jackknife has to do.
        strata: Stratum of every ensemble, where only pairs within strata count. A jackknife that
            leaves out groups of ensembles is taken as one of ensembles.

    Returns:
        Intervals; NaN with fewer ensembles than ``fewest`` or without degrees of freedom. An
        estimate of ±1 that no left-out ensemble changes has no standard error: its ranks contain no
        information on it. Its bound is that of ``perfect_order_bound`` for f + 2 ensembles with f
        degrees of freedom.
    """
    ensembles = np.isfinite(left_out).sum(-1)
    # Half of the smallest step of Spearman's ρ from 1, so that a perfect order has a finite z.
    largest = 1 - 3 / np.maximum(ensembles**3 - ensembles, 4)
    z = np.arctanh(np.clip(estimate, -largest, largest))
    limits = np.expand_dims(largest, -1)
    without = np.arctanh(np.clip(left_out, -limits, limits))
    free = ensembles - 2 if degrees_of_freedom is None else degrees_of_freedom
    kept = np.clip((np.asarray(free) + 2) / np.maximum(ensembles, 1), 0, 1)
    # Groups of many ensembles hold all strata alike, each of which is large.
    if strata is not None and left_out.shape[-1] != len(strata):
        strata = None
    if strata is None:
        error = jackknife_error(without) * np.sqrt(kept)
    else:
        error = stratified_error(without, strata)
    half = _t_quantile(level, free, ensembles, fewest) * error
    low, high = np.array(np.tanh(z - half)), np.array(np.tanh(z + half))
    sizes = np.broadcast_to(free, low.shape) + 2
    perfect = np.abs(estimate) >= largest
    number = 1 if strata is None else len(np.unique(strata))
    small = number > 1 and len(strata) <= LARGEST_STRATUM * number
    given = np.broadcast_to(kept < 1, low.shape)
    few = (sizes <= np.where(given, LARGEST_GIVEN_DESIGN, LARGEST_EXACT)) | small
    few &= coefficient is not None
    ordered = np.isfinite(half) & (perfect | few)
    for index in map(tuple, np.argwhere(ordered)):
        size = abs(float(estimate[index]))
        if small:
            of_strata = np.bincount(strata[np.isfinite(left_out[index])])
            bounds = order_bounds(size, tuple(sorted(of_strata)), level)
        elif perfect[index]:
            bounds = perfect_order_bound(int(sizes[index]), level, coefficient), 1.0
        else:
            bounds = order_bounds(size, (int(sizes[index]),), level, coefficient)
        low[index], high[index] = np.sort(np.copysign(1, estimate[index]) * np.array(bounds))
    return Interval(estimate, np.minimum(low, estimate), np.maximum(high, estimate))


def order_bounds(
    estimate: float,
    strata: tuple[int, ...],
    level: float,
    coefficient: Literal["spearman", "kendall"] = "spearman",
) -> tuple[float, float]:
    """Return the least and the largest rank correlation that make this order no rarer than its due.

    The bounds of Clopper and Pearson (1934) carried over to ranks, as in ``perfect_order_bound``:
    of E pairs of normal values with correlation r, a rank correlation of the estimate or more has
    probability (1 − level)/2 at the lower bound, one of the estimate or less at the upper. The
    lower bound excludes 0 where the one-sided permutation test does, since at r = 0 all orders are
    equally probable. Probabilities are shares of 20,000 draws (fewer of more than twelve), the
    same normal numbers at every r.

    Args:
        estimate: Rank correlation in the study, of [0, 1].
        strata: Numbers E of ensembles that are ordered among themselves: one, three at least, or
            those of the strata of Spearman's ρ within them.

    Returns:
        Spearman's ρ = (6/π)·asin(r/2) or Kendall's τ = (2/π)·asin(r) at the two bounds of r.
    """
    drawn = _drawn_correlations(strata, coefficient)
    low, high = inverted(drawn, np.array([estimate]), level, coefficient)
    return float(low[0]), float(high[0])


def inverted(
    drawn: Float[np.ndarray, "correlations draws"],
    estimates: Float[np.ndarray, "measures"],
    level: float,
    coefficient: Literal["spearman", "kendall"] = "kendall",
) -> tuple[Float[np.ndarray, "measures"], Float[np.ndarray, "measures"]]:
    """Return the bounds at which estimates are as rare among draws as the level allows.

    Args:
        drawn: The statistic of normal values with each of ``CORRELATIONS``, in ascending order.
        estimates: The statistic in the study, of [−1, 1].
        coefficient: Coefficient in whose terms the bounds are told.

    Returns:
        Lower and upper bounds; NaN where the estimate or all draws are.
    """
    low, high = np.full((2, len(estimates)), np.nan)
    defined = np.isfinite(estimates) & np.isfinite(drawn).any()
    size = np.abs(estimates[defined])
    # Draws that reach an estimate, and draws that do not exceed it, for every correlation.
    reached = drawn.shape[1] - np.array([np.searchsorted(row, size - 1e-6) for row in drawn])
    left = np.array([np.searchsorted(row, size + 1e-6) for row in drawn])
    rare, z = drawn.shape[1] * (1 - level) / 2, np.arctanh(CORRELATIONS)
    ends = [
        [np.interp(rare, one, z), np.interp(-rare, -other, z)]
        for one, other in zip(reached.T, left.T, strict=True)
    ]
    bounds = _of_normal(np.tanh(np.array(ends).reshape(-1, 2)), coefficient)
    turned = np.sort(np.where(estimates[defined] < 0, -1, 1)[:, None] * bounds, axis=1)
    low[defined] = np.minimum(turned[:, 0], estimates[defined])
    high[defined] = np.maximum(turned[:, 1], estimates[defined])
    return low, high


def _of_normal(r, coefficient):
    """Kendall's τ or Spearman's ρ of normal values with correlation r."""
    return 2 / np.pi * (np.arcsin(r) if coefficient == "kendall" else 3 * np.arcsin(r / 2))


@lru_cache(maxsize=32)
def _drawn_correlations(strata, coefficient):
    """Rank correlations of normal values, correlations × draws in ascending order."""
    ensembles = sum(strata)
    few = ensembles <= LARGEST_EXACT
    draws = DRAWS if few else int(np.clip(20 * DRAWS // ensembles, 1_000, DRAWS // 4))
    generator, of = np.random.default_rng(0), _kendall if coefficient == "kendall" else _spearman
    drawn = np.zeros((len(CORRELATIONS), draws), np.float32)
    shares = np.array([size**3 - size for size in strata], float)
    for size, share in zip(strata, shares / shares.sum(), strict=True):
        y, noise = generator.normal(size=(2, draws, size))
        noise = np.take_along_axis(noise, y.argsort(1), 1)
        y = np.sort(y, axis=1)
        for row, r in zip(drawn, CORRELATIONS, strict=True):
            if share:
                row += share * of(r * y + np.sqrt(1 - r**2) * noise)
    return np.sort(drawn, axis=1)


def _spearman(x):
    """Spearman's ρ of every row with its places."""
    places = np.arange(x.shape[1])
    # Whose rank j is at place argsort_j: the sum over ranks is the one over places.
    distance = np.square(x.argsort(1) - places).sum(1)
    return 1 - 6 * distance / (len(places) ** 3 - len(places))


def _kendall(x):
    """Kendall's τ of every row with its places."""
    before, after = np.triu_indices(x.shape[1], 1)
    return 2 * (x[:, after] > x[:, before]).mean(1) - 1


@cache
def perfect_order_bound(
    ensembles: int, level: float, coefficient: Literal["spearman", "kendall"] | None = "spearman"
) -> float:
    """Return the rank correlation from which on a perfect order is not rarer than (1 − level)/2.

    It is the lower bound of Clopper and Pearson (1934) carried over to ranks: of normal values with
    correlation r, E ensembles are in perfect order with probability P(r), P(0) = 1/E!, and the
    bound is Spearman's ρ = (6/π)·asin(r/2), or Kendall's τ = (2/π)·asin(r), with
    P(r) = (1 − level)/2. So it excludes 0 exactly where the permutation test does: a perfect order
    of five ensembles has p = 2/120.

    Args:
        ensembles: E, two at least.
    """
    few = min(ensembles, LARGEST_EXACT)
    r = scipy.optimize.brentq(
        lambda r: _chance_of_perfect_order(few, r) - (1 - level) / 2, -0.999, 0.999
    )
    # An inversion is as rare where noise is in proportion to the distance of neighbors, 1/E, and
    # to their number: √(1 − r) to 1/E². Beyond, this errs on the wide side.
    r = 1 - (1 - r) * (few / ensembles) ** 4
    return float(_of_normal(r, coefficient))


def jackknife_interval(
    estimate: Float[np.ndarray, "*measures"],
    left_out: Float[np.ndarray, "*measures ensembles"],
    *,
    level: float,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    fewest: int = FEWEST_ENSEMBLES,
) -> Interval:
    """Return θ̂ ± t(E − 1)·se with the jackknife standard error, cut at the bounds of the statistic.

    Args:
        estimate: Statistic of the study, smooth in the weights of ensembles: an information, an
            added R², a mean sign error; not a quantile.
        left_out: Statistic without each ensemble, as for ``jackknife_error``.
        bounds: Least and largest value that the statistic can have.

    Returns:
        Intervals; NaN with fewer ensembles than ``fewest``.
    """
    ensembles = np.isfinite(left_out).sum(-1)
    half = _t_quantile(level, ensembles - 1, ensembles, fewest) * jackknife_error(left_out)
    return Interval(estimate, *(np.clip(estimate + s * half, *bounds) for s in (-1, 1)))


def mean_interval(
    values: Float[np.ndarray, "*rows networks"],
    ensembles: Int[np.ndarray, "networks"],
    *,
    level: float,
) -> Interval:
    """Return the mean of ensemble means with its t interval of E − 1 degrees of freedom.

    Args:
        values: One number per network; NaN is passed over, in every row by itself.

    Returns:
        Intervals of rows; bounds are NaN with fewer than ``FEWEST_ENSEMBLES``.
    """
    member = (ensembles[:, None] == np.arange(ensembles.max(initial=-1) + 1)).astype(float)
    there = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (np.where(there, values, 0) @ member) / (there @ member)
        used = np.isfinite(means).sum(-1)
        estimate = np.nansum(means, axis=-1) / used
        squares = np.nansum(np.square(means - np.expand_dims(estimate, -1)), axis=-1)
        error = np.sqrt(squares / (used - 1) / used)
    half = _t_quantile(level, used - 1, used) * error
    return Interval(estimate, estimate - half, estimate + half)


def cr2_slope(
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
    ensembles: Int[np.ndarray, "networks"],
    *,
    level: float,
) -> tuple[Interval, float, float]:
    """Return the least-squares slope with CR2 standard error and Satterthwaite degrees of freedom.

    Bell & McCaffrey 2002; Pustejovsky & Tipton 2018, eqs 9–12, with independent errors of equal
    variance as the working model. With X the intercept and x, M = (XᵀX)⁻¹,
    A_g = (I − X_g M X_gᵀ)^−½ and u_g = A_g X_g M l for the contrast l of the slope, the variance is
    Σ(u_gᵀ e_g)², and its degrees of freedom are (tr Ω)²/tr Ω² for
    Ω_gh = δ_gh‖u_g‖² − u_gᵀ X_g M X_hᵀ u_h.

    Args:
        x: Regressor, finite.
        y: Response, finite.
        ensembles: Cluster of every network, 0 … E − 1.

    Returns:
        Slope with its interval, p-value of the slope 0, and degrees of freedom; NaN where x is
        constant, and bounds and p-value also with fewer than ``FEWEST_ENSEMBLES``.
    """
    nothing = Interval(*np.full((3, 1), np.nan)[:, 0])
    if np.ptp(x) == 0:
        return nothing, np.nan, np.nan
    spread = x.std()
    design = np.column_stack([np.ones_like(x), (x - x.mean()) / spread])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ (design.T @ y)
    e = y - design @ beta
    squares, scores, errors = _clusters(design, e, inverse, ensembles)
    variance = np.square(errors).sum()
    # Ω is diag(squares) − S M Sᵀ with the scores S: its traces need no matrix of clusters.
    of_scores = np.einsum("gp,pq,gq->g", scores, inverse, scores)
    between = inverse @ scores.T @ scores
    trace_of_square = squares @ squares - 2 * squares @ of_scores + np.trace(between @ between)
    free = (squares - of_scores).sum() ** 2 / trace_of_square
    half = _t_quantile(level, free, len(squares)) * np.sqrt(variance)
    slope = Interval(*(np.array([beta[1], beta[1] - half, beta[1] + half]) / spread))
    if np.isnan(half):
        return slope, np.nan, float(free)
    with np.errstate(divide="ignore"):
        t = abs(beta[1]) / np.sqrt(variance)
    return slope, float(2 * scipy.stats.t.sf(t, free)), float(free)


def comparison(
    draws: Float[np.ndarray, "measures resamples"],
    estimates: Float[np.ndarray, "measures"],
    baselines: Float[np.ndarray, "baselines resamples"],
    baseline_estimates: Float[np.ndarray, "baselines"],
    *,
    level: float,
) -> Comparison:
    """Compare |ρ| of measures with that of the best baseline, and with each other.

    The best baseline is the one with the largest |ρ| in the study; the difference |ρ_μ| − |ρ_b| is
    taken resample by resample, since both are of the same ensembles. Whether two intervals overlap
    is no test.

    Args:
        draws: Correlations of the candidates in resamples.
        baselines: Correlations of the baselines in the same resamples.
        baseline_estimates: Correlations of the baselines in the study.
        level: Level of the percentile intervals.

    Returns:
        Paired difference; share of resamples in which a measure has the largest |ρ| of the
        candidates (ties are shared); its rank among them, 1 being the best, with an interval; and
        the difference in every resample.
        The interval of whichever measure comes first is that of a maximum, so it lies too high: see
        ``simultaneous_interval``. NaN where a correlation is not defined; differences are NaN
        without a defined baseline.
    """
    size, of_baselines = np.abs(draws), np.abs(baseline_estimates)
    difference, paired = Interval(*np.full((3, len(draws)), np.nan)), np.full(draws.shape, np.nan)
    if np.isfinite(of_baselines).any():
        best = np.nanargmax(of_baselines)
        paired = size - np.abs(baselines[best])
        bounds = _percentiles(paired, level)
        difference = Interval(np.abs(estimates) - of_baselines[best], *bounds)
    p_best, ranks = np.zeros(len(size)), np.full(size.shape, np.nan)
    undefined = np.isnan(estimates)
    complete = np.where(np.isnan(size), -1.0, size)
    if len(size) and not undefined.all():
        first = complete == complete.max(0)
        p_best = (first / first.sum(0)).mean(1)
        ranks = scipy.stats.rankdata(-complete, axis=0)
    observed = np.full(len(size), np.nan)
    observed[~undefined] = scipy.stats.rankdata(-np.abs(estimates[~undefined]))
    low, high = _percentiles(np.where(undefined[:, None], np.nan, ranks), level)
    p_best = np.where(undefined, np.nan, p_best)
    return Comparison(difference, p_best, Interval(observed, low, high), paired)


def simultaneous_interval(
    draws: Float[np.ndarray, "measures resamples"],
    estimates: Float[np.ndarray, "measures"],
    *,
    level: float,
) -> Interval:
    """Return intervals that hold for all measures at once, the winner among them.

    On Fisher's scale, every interval is z ± q·se with the standard deviation se of resamples and q
    the quantile of the largest |z* − z|/se over measures (Romano & Wolf 2005, §4). The plain
    interval of the best of 15 equal measures covers .80 instead of .95.

    Args:
        draws: Correlations of the candidates in shared resamples.
        level: Level at which all intervals hold together.

    Returns:
        Intervals; NaN where a correlation is not defined or does not vary.
    """
    limit = 1 - 1e-9
    z = np.arctanh(np.clip(estimates, -limit, limit))
    drawn = np.arctanh(np.clip(draws, -limit, limit))
    # Where all draws are equal, their standard deviation is 0 only up to rounding.
    varies = np.fmax.reduce(drawn, axis=1) > np.fmin.reduce(drawn, axis=1)
    used = np.isfinite(z) & varies
    error = np.full(len(z), np.nan)
    error[used] = np.nanstd(drawn[used], axis=1, ddof=1)
    low, high = np.full((2, len(z)), np.nan)
    if used.any():
        away = np.abs(drawn[used] - z[used, None]) / error[used, None]
        half = np.quantile(np.nanmax(away, axis=0), level) * error[used]
        low[used], high[used] = np.tanh(z[used] - half), np.tanh(z[used] + half)
    return Interval(estimates, low, high)


def _percentiles(draws, level):
    """Percentile bounds of every row over the resamples in which it is defined."""
    bounds = np.full((2, len(draws)), np.nan)
    defined = np.isfinite(draws).any(1)
    if defined.any():
        quantiles = [(1 - level) / 2, (1 + level) / 2]
        bounds[:, defined] = np.nanquantile(draws[defined], quantiles, axis=1)
    return bounds


def _chance_of_perfect_order(ensembles, correlation):
    """Chance that normal values of some correlation are in one order, by repeated integration.

    F_i(x, y) = i·∫∫ f·F_{i−1} up to x and y is the chance that i pairs are in one order and below.
    """
    values = np.linspace(-5, 5, GRID)
    x, y, left = values[:, None], values, 1 - correlation**2
    density = np.exp(-(x**2 - 2 * correlation * x * y + y**2) / (2 * left))
    density /= density.sum()
    below = np.ones_like(density)
    for number in range(1, ensembles + 1):
        last = number * density * below
        below = last
        for axis in (0, 1):
            below = np.cumsum(below, axis) - below / 2
    return last.sum()


def _t_quantile(level, free, ensembles, fewest=FEWEST_ENSEMBLES):
    """Two-sided quantile of t; NaN where there are too few degrees of freedom or ensembles."""
    free = np.asarray(free, float)
    enough = (free > 0) & (np.asarray(ensembles) >= fewest)
    return np.where(enough, scipy.stats.t.ppf((1 + level) / 2, np.where(enough, free, 1)), np.nan)


def _clusters(design, e, inverse, ensembles):
    """‖u_g‖², X_gᵀ u_g and u_gᵀ e_g of every cluster, those of one size together."""
    sizes = np.bincount(ensembles)
    members = np.split(np.argsort(ensembles, kind="stable"), np.cumsum(sizes)[:-1])
    squares, scores, errors = np.empty(len(sizes)), np.empty((len(sizes), 2)), np.empty(len(sizes))
    for size in np.unique(sizes):
        at = np.flatnonzero(sizes == size)
        networks = np.stack([members[cluster] for cluster in at])
        held = design[networks]
        u = np.einsum("gij,gj->gi", _adjusted(held, inverse), held @ inverse[:, 1])
        squares[at] = np.square(u).sum(1)
        scores[at] = np.einsum("gip,gi->gp", held, u)
        errors[at] = (u * e[networks]).sum(1)
    return squares, scores, errors


def _adjusted(held, inverse):
    """(I − X_g M X_gᵀ)^−½, pseudo-inverse where a cluster determines a coefficient by itself."""
    left = np.eye(held.shape[1]) - held @ inverse @ held.transpose(0, 2, 1)
    values, vectors = np.linalg.eigh(left)
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.where(values > 1e-10, 1 / np.sqrt(values), 0)
    return (vectors * roots[:, None]) @ vectors.transpose(0, 2, 1)
