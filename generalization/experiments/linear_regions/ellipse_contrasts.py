"""How sensitivity along ellipses differs near training images, between them, and far from them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Bool

from generalization.statistics.estimates import ESTIMATE, groups, mean_over_networks, table_of
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import before_and_after, has_fitted
from generalization.tables import KEPT_NETWORK, NETWORK

KEYS = ["dataset", "trained", "quantity", "contrast"]
COLUMNS = [*KEYS, *ESTIMATE]
QUANTITIES = ("jacobian_norm", "transition_density")
# Angles of the three images on an ellipse, and those half way between them.
ANCHORS = (np.pi / 3, np.pi, 5 * np.pi / 3)
BETWEEN = (0.0, 2 * np.pi / 3, 4 * np.pi / 3)
# ASSUME: near an anchor, or the middle between two, is within 10° of it; the paper shows curves.
NEAR = np.deg2rad(10)


def ellipse_contrasts(
    ellipses: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """Ratios of the Jacobian norm, and of the density of transitions, along ellipses.

    Novak et al. 2018, §4.1 and Fig. 2, observe that all but the last are below 1 after training.

    ``near_anchors_vs_between_different``, ``near_anchors_vs_between_same``
        Near the three images (within 10°) over near the middles between them, on ellipses through
        images of different classes, or of the same.
    ``data_vs_random``
        Near the images, on ellipses of both kinds, over all of the random ellipses.
    ``same_vs_different``
        All of the ellipses through images of one class over all of those of different classes.
    ``random_flat``
        As the first, on random ellipses, where these angles mean nothing: 1 is expected.

    Every ratio is of means along the ellipses of one network. The estimate is the geometric mean
    over networks. Datasets stay apart: only networks of one dataset see the same ellipses.

    Args:
        ellipses: Table of the profile ``ellipses`` of a study.
        training: Table of ``collect_training``.
        resampling: Settings of the intervals, of which the level counts.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        One row per dataset, quantity, contrast and ``trained``, with the columns ``COLUMNS``:
        networks that have fitted, at their last step; and the same networks at step 0. What does
        not exist is empty; ``note`` says why.
    """
    networks = contrasts_of_networks(ellipses, training, fitted_accuracy=fitted_accuracy)
    positive = networks["ratio"].astype(float).where(networks["ratio"] > 0)
    rows = [
        about
        | mean_over_networks(
            alike["logarithm"],
            alike["ensemble"],
            resampling,
            scale=np.exp,
            lacking="positive ratio",
        )
        for about, alike in groups(networks.assign(logarithm=np.log(positive)), KEYS)
    ]
    return table_of(rows, COLUMNS, resampling)


def fitted_networks(
    ellipses: pd.DataFrame, training: pd.DataFrame, *, fitted_accuracy: float
) -> pd.DataFrame:
    """The profile of networks that fit in the end, before training and after.

    Args:
        ellipses: Table of the profile ``ellipses`` of a study.
        training: Table of ``collect_training``.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        Rows at step 0 and at the last step, with the columns of ``training`` and ``trained``.
    """
    last = training[training["final"] & (training["step"] > 0)]
    fitted = last.loc[has_fitted(last, fitted_accuracy=fitted_accuracy), NETWORK]
    rows = before_and_after(ellipses, training)
    return rows.merge(fitted, on=NETWORK, validate="many_to_one")


def contrasts_of_networks(
    ellipses: pd.DataFrame, training: pd.DataFrame, *, fitted_accuracy: float = 0.999
) -> pd.DataFrame:
    """The contrasts of every network that fits, before and after training.

    Args:
        ellipses: Table of the profile ``ellipses`` of a study.
        training: Table of ``collect_training``.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        dataset, trained, quantity, contrast, ensemble, seed, step and ``ratio``.
    """
    fitted = fitted_networks(ellipses, training, fitted_accuracy=fitted_accuracy)
    rows = [
        {
            **network,
            "quantity": quantity,
            "contrast": contrast,
            "ratio": ratio,
        }
        for network, along in groups(fitted, [*KEPT_NETWORK, "dataset", "trained"])
        for quantity in QUANTITIES
        for contrast, ratio in _contrasts(along, quantity)
    ]
    return pd.DataFrame(rows, columns=[*KEYS, *KEPT_NETWORK, "ratio"])


def _contrasts(along: pd.DataFrame, quantity: str) -> Iterator[tuple[str, float]]:
    """Every contrast of one network."""
    anchors, between = (_near(along["angle"], places) for places in (ANCHORS, BETWEEN))
    kind = {name: (along["kind"] == name).to_numpy() for name in ("random", "different", "same")}

    def ratio(some: np.ndarray, others: np.ndarray) -> float:
        above, below = (along.loc[rows, quantity].mean() for rows in (some, others))
        return above / below if below else np.nan

    for name in ("different", "same"):
        yield f"near_anchors_vs_between_{name}", ratio(kind[name] & anchors, kind[name] & between)
    yield "data_vs_random", ratio(~kind["random"] & anchors, kind["random"])
    yield "same_vs_different", ratio(kind["same"], kind["different"])
    yield "random_flat", ratio(kind["random"] & anchors, kind["random"] & between)


def _near(angles: pd.Series, places: tuple[float, ...]) -> Bool[np.ndarray, "rows"]:
    """Whether angles are near one of the places, around the circle."""
    away = np.subtract.outer(angles.to_numpy(float), places)
    away = np.abs((away + np.pi) % (2 * np.pi) - np.pi)
    return (away <= NEAR + 1e-9).any(axis=1)
