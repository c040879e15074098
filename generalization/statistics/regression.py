"""Least squares of the gap on a measure."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from statsmodels.regression.linear_model import OLS


def least_squares(
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
    ensembles: Int[np.ndarray, "networks"],
    *,
    level: float,
) -> tuple[dict[str, float], float]:
    """Slope and R² of y = intercept + slope · x, with errors that are alike within an ensemble.

    Standard errors are cluster-robust with the small-sample factor E/(E − 1) · (n − 1)/(n − 2), for
    E ensembles of n networks; interval and p-value are those of the t distribution with E − 1
    degrees of freedom (Cameron & Miller 2015, §VI).

    Args:
        x: Measure, on the scale on which it is regressed on; not constant.
        y: Gap.
        ensembles: Ensemble of every network, 0 … ensembles − 1.
        level: Of the interval.

    Returns:
        estimate, low, high and p_value of the slope; R².
    """
    # Of unit spread, so that neither tiny nor huge measures strain the solver.
    spread = x.std()
    design = np.column_stack([np.ones_like(x), (x - x.mean()) / spread])
    with np.errstate(divide="ignore", invalid="ignore"):  # a perfect fit has no error at all
        fit = OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": ensembles}, use_t=True)
        low, high = fit.conf_int(alpha=1 - level)[1] / spread
        slope = {
            "estimate": fit.params[1] / spread,
            "low": low,
            "high": high,
            "p_value": fit.pvalues[1],
        }
    return slope, fit.rsquared
