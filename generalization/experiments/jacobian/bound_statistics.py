"""How well the loss at a test point determines the Jacobian norm there, as Eqs 5–7 say it does."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.experiments.jacobian.loss_curves import (
    norm_at_least,
    norm_with_even_rivals,
    norm_with_one_rival,
    true_row_with_even_rivals,
    true_row_with_one_rival,
)
from generalization.experiments.jacobian.single_points import (
    fitted_points,
    means_over_networks,
    with_controls,
)
from generalization.statistics.estimates import SHARE, joined
from generalization.statistics.resampling import Resampling

FRACTIONS = (
    "true_row_within_eq_5",
    "norm_above_eq_6",
    "norm_above_eq_6_tightened",
    "norm_below_eq_7",
    "norm_between_eq_7_and_one_rival",
    "norm_above_true_row",
)
ROUNDING = 1e-4  # Of norms that were taken in single precision, relative.


# Curve → name of its equation, column of the norm that it speaks of.
CURVES = {"eq_5": "true_row_norm", "eq_6": "jacobian_norm", "eq_7": "jacobian_norm"}
RATIOS = tuple(f"ratio_{equation}" for equation in CURVES)


def bound_statistics(
    points: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """Compare Jacobian norms at test points with the curves of Novak et al. 2018, §A.3.

    The relations are approximate ("⪅"; caption of Fig. App. 11: "the norm approximation from
    Equation 7"): a ratio and its spread say how well they hold. c is the curve, n the norm at a
    point; points at which either is 0 are left out.

    ``ratio_eq_5``, ``ratio_eq_6``, ``ratio_eq_7``
        exp(mean ln(n / c)). Eq. 5 has two sides, a factor √2 / √(K/(K−1)) apart; c is their
        geometric mean √M p(1−p) (2K/(K−1))^¼, and n = ‖J_y‖. Of the others n = ‖J‖_F.
    ``spread_eq_5``, ``spread_eq_7``
        Standard deviation of ln(n / c) over points: what the loss leaves open.
    ``correlation_eq_5``, ``slope_eq_5``, ``correlation_eq_7``, ``slope_eq_7``
        Pearson's r of ln n and ln c, and the slope of ln n on ln c.
    ``correlation_…_exchanged``, ``correlation_…_beyond_exchanged``
        The same r where ln(n / c) is exchanged between points, and what r has over it. The range of
        c alone makes it large: it is s_c / √(s_c² + s²), with s the spread and s_c that of ln c
        (the limit of many points of its mean over permutations).
    ``true_row_within_eq_5``
        Fraction of points at which ‖J_y‖ lies between both sides of eq. 5.
    ``norm_above_eq_6``, ``norm_above_eq_6_tightened``
        Fraction at which ‖J‖_F is at least the bound as printed; and times √(K/(K−1)).
    ``norm_below_eq_7``
        Fraction at which ‖J‖_F is at most eq. 7, which the text introduces as an upper bound.
    ``norm_between_eq_7_and_one_rival``
        Fraction at which ‖J‖_F lies between eq. 7 and 2√M p(1−p), of the points with p ≥ 1/2.
    ``norm_above_true_row``
        Fraction at which ‖J‖_F ≥ √(K/(K−1)) ‖J_y‖, which holds for any network at any point.

    The curves would hold at all points if the gradients of the logits were orthogonal and of one
    length M^½ everywhere. M is the mean of ``logit_gram_m`` over the points of each resample: of
    centered logits, as the published M changes with a function of x added to all logits, which
    changes no Jacobian.

    Returns:
        Means over networks as ``means_over_networks`` gives them (geometric ones of ratios), for
        each dataset and the loss that networks were trained with. ``over_control`` and its interval
        stand beside correlations: what they have over exchanged residuals. ``exceptions`` of
        ``norm_above_true_row`` counts networks and points that contradict it.
    """
    rows = fitted_points(points, training, fitted_accuracy=fitted_accuracy)
    limits = dict.fromkeys(FRACTIONS, SHARE)
    table = means_over_networks(rows, _of_network, resampling, limits=limits, logarithms=RATIOS)
    correlations = [f"correlation_{equation}" for equation in ("eq_5", "eq_7")]
    table = with_controls(table, {name: f"{name}_beyond_exchanged" for name in correlations})
    table["note"] = [_with_exchanged(row, table) for row in table.to_dict("records")]
    return table.assign(exceptions=_exceptions(table, rows))


def _with_exchanged(row: dict[str, Any], table: pd.DataFrame) -> str:
    """Note of a row; of a correlation with what it is with exchanged residuals."""
    alike = (table["dataset"] == row["dataset"]) & (table["loss"] == row["loss"])
    exchanged = table[alike & (table["statistic"] == f"{row['statistic']}_exchanged")]["estimate"]
    words = [f"with residuals exchanged between points: {value:.3g}" for value in exchanged]
    return joined(row["note"], *words)


def _exceptions(table: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Number of points of networks that contradict the theorem, in its rows."""
    classes = rows["classes"].to_numpy(float)
    bound = np.sqrt(classes / (classes - 1)) * rows["true_row_norm"]
    broken = rows.assign(broken=~_at_most(bound, rows["jacobian_norm"]))
    counts = broken.groupby(["dataset", "loss"])["broken"].sum().rename("exceptions")
    joined_counts = table.merge(counts, "left", ["dataset", "loss"])["exceptions"]
    return joined_counts.where(table["statistic"] == "norm_above_true_row")


def _of_network(counts: np.ndarray, network: pd.DataFrame) -> dict[str, np.ndarray]:
    """All statistics of one network in every resample of its points."""
    mean_m = counts @ network["logit_gram_m"].to_numpy(float) / counts.sum(1)
    statistics = {}
    for equation, column in CURVES.items():
        # The logarithm of a curve is that for M = 1, plus ½ ln M.
        norm, curve = _logarithms(network, equation, column)
        there = np.isfinite(norm) & np.isfinite(curve)
        moments = _moments(counts[:, there], norm[there], curve[there])
        moments["ratio"] = moments["ratio"] - np.log(mean_m) / 2
        statistics |= {_name(statistic, equation): v for statistic, v in moments.items()}
    # Eq. 6 is a bound, not an approximation.
    statistics = {k: v for k, v in statistics.items() if k in RATIOS or "eq_6" not in k}
    return statistics | _fractions(counts, network)


def _name(statistic: str, equation: str) -> str:
    """Name of a statistic of one equation; what follows a dot in the first stands last."""
    statistic, _, variant = statistic.partition(".")
    return "_".join(filter(None, [statistic, equation, variant]))


def _logarithms(
    network: pd.DataFrame, equation: str, column: str
) -> tuple[Float[np.ndarray, "points"], Float[np.ndarray, "points"]]:
    """Logarithms of norms and of a curve for M = 1 at the points of a network."""
    loss, classes = network["cross_entropy"].to_numpy(float), int(network["classes"].iloc[0])
    curve = norm_with_even_rivals if equation == "eq_7" else true_row_with_even_rivals
    with np.errstate(divide="ignore"):
        norm = np.log(network[column].to_numpy(float))
        curve = np.log(curve(loss, 1.0, classes))
        if equation == "eq_5":  # Middle of both sides, of which this is the lower.
            curve = (curve + np.log(true_row_with_one_rival(loss, 1.0))) / 2
    return norm, curve


def _moments(
    counts: Float[np.ndarray, "resamples points"],
    norm: Float[np.ndarray, "points"],
    curve: Float[np.ndarray, "points"],
) -> dict[str, Float[np.ndarray, "resamples"]]:
    """Mean and spread of residuals, and how logarithms of norms go with those of a curve."""
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = counts / counts.sum(1, keepdims=True)
        residual = norm - curve
        # Deviations from one point lose no digits where all values are alike.
        deviations = residual - residual[:1].sum(), curve - curve[:1].sum()
        means = [weights @ values for values in deviations]
        products = [weights @ (x * y) for x, y in product(deviations, repeat=2)]
        of_residual, mixed, _, of_curve = (
            p - a * b for p, (a, b) in zip(products, product(means, repeat=2), strict=True)
        )
        of_residual, of_curve = (np.clip(values, 0, None) for values in (of_residual, of_curve))
        together = mixed + of_curve
        correlation = together / np.sqrt(of_curve * (of_residual + 2 * mixed + of_curve))
        exchanged = np.sqrt(of_curve / (of_curve + of_residual))
        return {
            "ratio": means[0] + residual[:1].sum(),
            "spread": np.sqrt(of_residual),
            "correlation": correlation,
            "slope": together / of_curve,
            "correlation.exchanged": exchanged,
            "correlation.beyond_exchanged": correlation - exchanged,
        }


def _fractions(counts: np.ndarray, network: pd.DataFrame) -> dict[str, np.ndarray]:
    """Fractions of points at which inequalities hold, in every resample of the points."""
    loss, norm, row, m = (
        network[name].to_numpy(float)
        for name in ("cross_entropy", "jacobian_norm", "true_row_norm", "logit_gram_m")
    )
    classes = int(network["classes"].iloc[0])
    mean_m = (counts @ m / counts.sum(1))[:, None]
    even_row, even = (
        curve(loss, mean_m, classes) for curve in (true_row_with_even_rivals, norm_with_even_rivals)
    )
    one_row, one = (curve(loss, mean_m) for curve in (true_row_with_one_rival, norm_with_one_rival))
    held = {
        "true_row_within_eq_5": _at_most(even_row, row) & _at_most(row, one_row),
        "norm_above_eq_6": _at_most(even_row, norm),
        "norm_above_eq_6_tightened": _at_most(norm_at_least(loss, mean_m, classes), norm),
        "norm_below_eq_7": _at_most(norm, even),
        "norm_between_eq_7_and_one_rival": _at_most(even, norm) & _at_most(norm, one),
        "norm_above_true_row": _at_most(np.sqrt(classes / (classes - 1)) * row, norm)[None],
    }
    of_these = {"norm_between_eq_7_and_one_rival": counts * (loss <= np.log(2))}
    return {name: _fraction(of_these.get(name, counts), kept) for name, kept in held.items()}


def _at_most(less: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Less or equal, but for rounding."""
    return less <= more * (1 + ROUNDING)


def _fraction(counts: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Fraction of the points that a resample holds; NaN if it holds none."""
    with np.errstate(invalid="ignore"):
        return (counts * kept).sum(1) / counts.sum(1)
