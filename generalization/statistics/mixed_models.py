"""Slopes of the gap on a measure, with networks nested in ensembles.

Args:
    x: Measure of every network, finite.
    y: Gap of every network, finite.
    ensembles: Ensemble of every network, 0 … E − 1, each with a network.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Float, Int
from statsmodels.regression.linear_model import OLS
from statsmodels.regression.mixed_linear_model import MixedLM

from generalization.statistics.design import orthonormal_basis
from generalization.statistics.intervals import FEWEST_ENSEMBLES, cr2_slope

# ASSUME: a variance of ensembles below this share of that of seeds is one at the boundary 0, where
# the likelihood has no curvature from which standard errors follow.
SINGULAR = 1e-6
EXPLAINED = 1e-9  # share of a sum of squares below which a residual is rounding


class Slope(NamedTuple):
    """A slope, its interval and test, and what it was estimated from; NaN where it has none."""

    estimate: float
    low: float
    high: float
    p_value: float
    variance_share: float
    note: str


def mixed_slope(
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
    ensembles: Int[np.ndarray, "networks"],
    design: Float[np.ndarray, "ensembles columns"],
    *,
    level: float,
) -> Slope:
    """Fit y = Z·β + b·x + u_e + ε with a random intercept u_e of every ensemble, by REML.

    Laird & Ware 1982, eqs 2.1–2.3, by ``statsmodels.MixedLM``. The interval of b is that of
    Student's t with E − rank Z − 1 degrees of freedom: those of a regressor that varies between
    ensembles, hence on the wide side for one that varies within them, too.

    Where the likelihood has no interior maximum (one seed per ensemble, a variance of ensembles
    estimated as 0, no convergence), b is that of least squares of the means of ensembles on Z and
    the mean of x, with the same degrees of freedom; ``note`` says so. In a balanced study without
    variation of x within ensembles, both are the same.

    Args:
        design: Regressors Z of any rank, an intercept among them.

    Returns:
        b; ``variance_share``, σ_u²/(σ_u² + σ_ε²) of what Z and x leave, NaN after the fallback.
    """
    basis = orthonormal_basis(design)
    free = len(design) - basis.shape[1] - 1
    means = [np.bincount(ensembles, values) / np.bincount(ensembles) for values in (x, y)]
    if len(design) < FEWEST_ENSEMBLES or free < 1:
        return _nothing(f"{len(design)} ensembles for {basis.shape[1] + 1} parameters")
    if _explained(basis[ensembles], x):
        return _nothing("is a function of the hyper-parameters alone")
    # In units of what the design leaves of the gap, however little, the optimizer starts well.
    scale = _left(basis[ensembles], y).std()
    if scale <= EXPLAINED * np.abs(y).max():
        return _nothing("the gap is a function of the hyper-parameters alone")
    fitted, why = _reml(x, y / scale, ensembles, basis)
    if not why:
        share = fitted.cov_re.item() / (fitted.cov_re.item() + fitted.scale)
        return _slope(fitted.fe_params[-1], fitted.bse_fe[-1], free, level, scale, share, "")
    if _explained(basis, means[0]):
        return _nothing(f"{why}, and its means are a function of the hyper-parameters alone")
    regressors = np.column_stack([basis, means[0]])
    of_means = OLS(means[1] / scale, regressors).fit()
    note = f"least squares of ensemble means: {why}"
    return _slope(of_means.params[-1], of_means.bse[-1], free, level, scale, np.nan, note)


def slope_within(
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
    ensembles: Int[np.ndarray, "networks"],
    *,
    level: float,
) -> Slope:
    """Return the slope among seeds of one ensemble: least squares with an intercept of each.

    Whatever ensembles differ in, known or not, is held fixed. The standard error is CR2 by
    ensembles, see ``cr2_slope``, on values less their ensemble means, which is exact for
    absorbed intercepts of the clusters themselves (Pustejovsky & Tipton 2018, theorem 2).
    """
    sizes = np.bincount(ensembles)
    if sizes.max() < 2:
        return _nothing("one seed per ensemble")
    kept = sizes[ensembles] > 1
    codes = np.unique(ensembles[kept], return_inverse=True)[1]
    inner = [
        (values - (np.bincount(ensembles, values) / sizes)[ensembles])[kept] for values in (x, y)
    ]
    if np.square(inner[0]).sum() <= EXPLAINED * np.square(x - x.mean()).sum():
        return _nothing("the measure is the same for all seeds of an ensemble")
    slope, p_value, _ = cr2_slope(*inner, codes, level=level)
    few = len(np.unique(codes)) < FEWEST_ENSEMBLES
    note = f"fewer than {FEWEST_ENSEMBLES} ensembles with several seeds" if few else ""
    return Slope(*(float(one) for one in slope), p_value, np.nan, note)


def _left(regressors, values):
    """What least squares on regressors of full rank leave."""
    return values - regressors @ np.linalg.lstsq(regressors, values, rcond=None)[0]


def _explained(regressors, values):
    """Whether the regressors leave nothing but rounding."""
    return np.square(_left(regressors, values)).sum() <= EXPLAINED * np.square(values).sum()


def _reml(x, y, ensembles, basis):
    """The fitted model, and why it is of no use; the latter is empty if it is."""
    if len(y) == len(basis):
        return None, "one seed per ensemble"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = MixedLM(y, np.column_stack([basis[ensembles], x]), ensembles)
            # The default, BFGS, may stop beside the maximum and report that it has converged.
            fitted = model.fit(reml=True, method=["powell"])
        except np.linalg.LinAlgError:
            return None, "the mixed model is singular"
    if fitted.cov_re.item() <= SINGULAR * fitted.scale:
        return fitted, "the variance of ensembles is estimated as 0"
    if not fitted.converged or not np.isfinite(fitted.bse_fe[-1]):
        return fitted, "REML does not converge"
    return fitted, ""


def _slope(estimate, error, free, level, scale, share, note):
    half = scipy.stats.t.ppf((1 + level) / 2, free) * error
    p_value = 2 * scipy.stats.t.sf(abs(estimate) / error, free) if error > 0 else np.nan
    bounds = (estimate, estimate - half, estimate + half)
    return Slope(*(float(scale * one) for one in bounds), float(p_value), float(share), note)


def _nothing(note):
    return Slope(*[np.nan] * 5, note)
