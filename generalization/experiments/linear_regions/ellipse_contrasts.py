"""How sensitivity along ellipses differs near training images, between them, and far from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from generalization.statistics.estimates import (
    ESTIMATE,
    ensemble_weights,
    error_of_mean,
    few_ensembles,
    few_shared,
    groups,
    joined,
    missing,
    t_interval,
    table_of,
)
from generalization.statistics.intervals import jackknife_error
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import before_and_after, has_fitted
from generalization.tables import KEPT_NETWORK, NETWORK

KEYS = ["dataset", "trained", "quantity", "contrast"]
# Contrast of a trained network to itself before training, and its interval.
OVER_UNTRAINED = ["over_untrained", "over_untrained_low", "over_untrained_high"]
COLUMNS = [*KEYS, *ESTIMATE, "shared", *OVER_UNTRAINED]
QUANTITIES = ("jacobian_norm", "transition_density")
KINDS = ("different", "random", "same")
# Angles of the three images on an ellipse, and those half way between them.
ANCHORS = (np.pi / 3, np.pi, 5 * np.pi / 3)
BETWEEN = (0.0, 2 * np.pi / 3, 4 * np.pi / 3)
# ASSUME: near an anchor, or the middle between two, is within 10° of it; the paper shows curves.
NEAR = np.deg2rad(10)
ROUNDING = 1e-12  # Of logarithms: less variation than that is none.
SECTORS = 24  # ASSUME: "uniform" is read of sectors of 15°; the paper shows curves.
# Of an ellipse: means near anchors, between them and everywhere; logarithm of its unevenness.
ANCHOR, MIDDLE, WHOLE, UNEVEN = range(4)

# Kinds of ellipses, then what is known of them; before these any axes.
Parts = Float[np.ndarray, "*axes kinds parts"]
Logarithms = dict[str, Float[np.ndarray, "*axes"]]


def ellipse_contrasts(
    ellipses: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """Compare the Jacobian norm, and the density of transitions, on and off the data by ratios.

    Novak et al. 2018, §4.1 and Fig. 2, observe that all but the last are below 1 after training.

    ``near_anchors_vs_between_different``, ``near_anchors_vs_between_same``
        Near the three images (within 10°) over near the middles between them, on ellipses through
        images of different classes, or of the same.
    ``data_vs_random``
        Near the images, on ellipses of both kinds, over all of the random ellipses.
    ``same_vs_different``
        All of the ellipses through images of one class over all of those of different classes.
    ``unevenness_random_over_data``
        How much sensitivity varies along random ellipses over how much it does along those through
        images: geometric means over ellipses of the standard deviation over sectors of 15° of the
        logarithm of the mean in a sector. A sector without transitions counts as half a one.
    ``random_flat``
        As the first, on random ellipses. It is 1 for every network, as turning a random ellipse
        does not change its law: a check of the sampling, and no property of networks.

    The ratios are of means over all ellipses of one network; estimates are geometric means over
    ensembles. All networks of a dataset see the same ellipses, which are a second sample, crossed
    with the networks: squared errors of ensembles and, by the delete-one jackknife, of the ellipses
    of each kind add up.

    Returns:
        One row per dataset, quantity, contrast and ``trained``, with the columns ``COLUMNS``:
        networks that have fitted, at their last step; and the same networks at step 0. ``shared``
        is the number of ellipses of a kind. ``over_untrained`` of trained networks is their ratio
        over that of the same network and ellipses before training. What does not exist is empty;
        ``note`` says why.
    """
    fitted = fitted_networks(ellipses, training, fitted_accuracy=fitted_accuracy)
    rows = [
        about | {"quantity": quantity} | row
        for about, alike in groups(fitted, ["dataset"])
        for quantity in QUANTITIES
        for row in _rows(alike, quantity, resampling)
    ]
    return table_of(rows, COLUMNS, resampling)


def _rows(alike: pd.DataFrame, quantity: str, resampling: Resampling) -> Iterator[dict[str, Any]]:
    """Rows of one quantity on one dataset."""
    networks, parts = _parts(alike, quantity)
    whole = _contrasts(parts.mean(axis=2))
    left_out = [_left_out(parts, kind) for kind in range(len(KINDS))]
    for trained in sorted(networks["trained"].unique()):
        chosen = np.flatnonzero(networks["trained"] == trained)
        # Where the same networks stand before training, if they were kept then.
        before = _before(networks, networks.iloc[chosen]) if trained else None
        for contrast, values in whole.items():
            out = [some[contrast] for some in left_out]
            names, shared = networks["ensemble"].iloc[chosen], parts.shape[2]
            found = _crossed(values[chosen], [o[:, chosen] for o in out], names, resampling)
            yield (
                {"trained": trained, "contrast": contrast}
                | found
                | {"shared": shared}
                | (
                    {}
                    if before is None
                    else _over_untrained(values, out, chosen, before, names, resampling)
                )
            )


def _over_untrained(values, out, chosen, before, ensembles, resampling) -> dict[str, float]:
    """Ratio of trained networks over the same networks before training, with its interval."""
    there = before >= 0
    after, before = chosen[there], before[there]
    differences = [some[:, after] - some[:, before] for some in out]
    found = _crossed(values[after] - values[before], differences, ensembles[there], resampling)
    return dict(zip(OVER_UNTRAINED, (found[k] for k in ("estimate", "low", "high")), strict=True))


def _before(networks: pd.DataFrame, trained: pd.DataFrame) -> np.ndarray:
    """Positions of trained networks at step 0; −1 where they were not kept."""
    untrained = networks[~networks["trained"].astype(bool)]
    positions = pd.Series(untrained.index, pd.MultiIndex.from_frame(untrained[NETWORK]))
    found = positions.reindex(pd.MultiIndex.from_frame(trained[NETWORK]))
    return found.fillna(-1).astype(int).to_numpy()


def _crossed(
    values: Float[np.ndarray, "networks"],
    left_out: list[Float[np.ndarray, "ellipses networks"]],
    ensembles: pd.Series,
    resampling: Resampling,
) -> dict[str, Any]:
    """Geometric mean over networks of ratios, whose errors are of ensembles and of ellipses.

    Args:
        values: Logarithm of the ratio of every network.
        left_out: For each kind, the same without each of its ellipses.
        resampling: Settings of the interval.
    """
    finite = np.isfinite(values)
    codes, names = pd.factorize(np.asarray(ensembles)[finite])
    weights = ensemble_weights(codes)
    sums = [weights @ some for some in (values[finite], *(o[:, finite].T for o in left_out))]
    estimate, *without = (some / weights.sum() if len(names) else np.nan for some in sums)
    means = np.bincount(codes, values[finite]) / np.bincount(codes) if len(names) else np.empty(0)
    errors = [
        error_of_mean(means),
        *((jackknife_error(np.atleast_1d(o)).item() ** 2, np.size(o) - 1) for o in without),
    ]
    note = joined(
        missing(int(finite.sum()), len(values), "positive ratio"),
        few_ensembles(len(names)),
        few_shared(len(left_out[0])),
    )
    counts = {"networks": int(finite.sum()), "ensembles": len(names), "note": note}
    return t_interval(estimate, errors, level=resampling.level, scale=np.exp) | counts


def fitted_networks(
    ellipses: pd.DataFrame, training: pd.DataFrame, *, fitted_accuracy: float
) -> pd.DataFrame:
    """The profile of networks that fit in the end, before training and after.

    Returns:
        Rows at step 0 and at the last step, with the columns of ``training`` and ``trained``.
    """
    last = training[training["final"] & (training["step"] > 0)]
    fitted = last.loc[has_fitted(last, fitted_accuracy=fitted_accuracy), NETWORK]
    rows = before_and_after(ellipses, training)
    return rows.merge(fitted, on=NETWORK, validate="many_to_one")


def _parts(
    along: pd.DataFrame, quantity: str
) -> tuple[pd.DataFrame, Float[np.ndarray, "networks kinds ellipses parts"]]:
    """Networks of one dataset, and what is known of a quantity along each of their ellipses."""
    keys = [*KEPT_NETWORK, "trained"]
    rows = along.sort_values([*keys, "kind", "ellipse", "angle"], kind="stable")
    networks = rows[keys].drop_duplicates().reset_index(drop=True)
    angles = np.sort(rows["angle"].unique())
    shape = len(networks), len(KINDS), rows["ellipse"].nunique(), len(angles)
    curves = rows[quantity].to_numpy(float).reshape(shape)
    means = [curves[..., _near(angles, places)].mean(-1) for places in (ANCHORS, BETWEEN)]
    uneven = _log_unevenness(curves, counts=quantity == "transition_density")
    return networks, np.stack([*means, curves.mean(-1), uneven], axis=-1)


def _log_unevenness(
    curves: Float[np.ndarray, "*axes angles"], *, counts: bool
) -> Float[np.ndarray, "*axes"]:
    """Logarithm of the standard deviation over sectors of the logarithm of means in sectors.

    Args:
        curves: Values in bins around the circle.
        counts: Whether they are densities of counts, of which there may be none in a sector.
    """
    sector = np.arange(curves.shape[-1]) * SECTORS // curves.shape[-1]
    starts = np.flatnonzero(np.diff(sector, prepend=-1))
    means = np.add.reduceat(curves, starts, axis=-1) / np.bincount(sector)[sector[starts]]
    if counts:
        # ASSUME: a sector without transitions counts as one with half a transition.
        means = np.maximum(means, 0.5 / (2 * np.pi / len(starts)))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.log(means).std(-1)
        return np.log(np.where(spread > ROUNDING, spread, 0))


def _left_out(
    parts: Float[np.ndarray, "networks kinds ellipses parts"], kind: int
) -> dict[str, Float[np.ndarray, "ellipses networks"]]:
    """Contrasts of all networks without each of the ellipses of one kind."""
    size = parts.shape[2]
    means = np.repeat(parts.mean(axis=2)[None], size, axis=0)
    of_kind = np.moveaxis(parts[:, kind], 1, 0)
    if size > 1:
        with np.errstate(invalid="ignore"):
            means[:, :, kind] = (of_kind.sum(0) - of_kind) / (size - 1)
    return _contrasts(means)


def _contrasts(means: Parts) -> Logarithms:
    """Logarithms of every contrast, from means over ellipses."""
    different, random, same = np.moveaxis(means, -2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_near = {
            kind: np.log(m[..., ANCHOR]) - np.log(m[..., MIDDLE])
            for kind, m in {"different": different, "same": same, "random": random}.items()
        }
        at_images = (different + same)[..., ANCHOR] / 2
        data = (different + same)[..., UNEVEN] / 2
        return {
            "near_anchors_vs_between_different": log_near["different"],
            "near_anchors_vs_between_same": log_near["same"],
            "data_vs_random": np.log(at_images) - np.log(random[..., WHOLE]),
            "same_vs_different": np.log(same[..., WHOLE]) - np.log(different[..., WHOLE]),
            "unevenness_random_over_data": random[..., UNEVEN] - data,
            "random_flat": log_near["random"],
        }


def _near(
    angles: Float[np.ndarray, "angles"], places: tuple[float, ...]
) -> Bool[np.ndarray, "angles"]:
    """Tell which angles are close to one of the places, on the circle."""
    away = np.subtract.outer(angles, places)
    away = np.abs((away + np.pi) % (2 * np.pi) - np.pi)
    return (away <= NEAR + 1e-9).any(axis=1)
