"""Bias and variance of the networks of an ensemble, and whether sensitivity tells the variance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.statistics.draws import leave_one_out_counts
from generalization.statistics.estimates import INTERVAL, groups, joined, t_interval, table_of
from generalization.statistics.intervals import jackknife_error
from generalization.statistics.resampling import Resampling, sample_first
from generalization.statistics.selection import before_and_after
from generalization.tables import KEPT_NETWORK

GROUP = ["dataset", "ensemble", "trained", "output"]
COLUMNS = [*GROUP, "quantity", *INTERVAL, "networks", "pairs", "ensembles", "note"]

# Column of the table → sensitivity that it is made from.
PREDICTIONS = {"predicted": "value", "predicted_small_noise": "small_noise"}

Draws = Float[np.ndarray, "resamples"]


def bias_variance(
    output_distances: pd.DataFrame,
    output_sensitivities: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Squared error, bias and variance over the networks of every ensemble, without bias.

    Means over test points of sums over classes, at step 0 and at the last step of every network:

    ``error``
        E‖F − y‖², F the output of a network, y the one-hot label.
    ``variance``
        tr Cov F = ½ E‖F − F'‖², the mean over pairs of networks.
    ``squared_bias``
        ‖E F − y‖², the difference of the two. Being estimated, it may be negative.
    ``variance_share``
        variance / error.

    For logits, what Forouzesh, Salehi & Thiran 2020, slide 8, take for the variance:

    ``predicted``
        K (S C + Σ) with S the mean of ``output_sensitivity_per_output`` over networks, C the ratio
        of inputs and noise, and Σ what biases add to a logit's variance before training. Before
        training it is exact but for S, which is of noise that is not little.
    ``predicted_small_noise``
        The same in the limit of little noise. Before training it is the expected variance of ReLU
        networks, exactly, whatever their widths.
    ``variance_over_predicted``, ``variance_over_predicted_small_noise``
        The variance divided by each.

    Pairs are of networks that were trained by one job, as one stack: if seeds were added later,
    some pairs lack, and ``note`` says so. What is left estimates the same.

    Args:
        resampling: Settings of the intervals, of which the level counts. They tell of other seeds
            of one ensemble, by the delete-one-network jackknife and t with n − 1 degrees of
            freedom; two networks have none.

    Returns:
        One row per ensemble, ``trained``, ``output`` (``logits``, ``probabilities``) and quantity,
        with the columns ``COLUMNS``. What does not exist is empty; ``note`` says why. No verdict
        rests on one ensemble, so ``ensembles`` is 1.
    """
    distances = _comparable(output_distances, training).merge(
        _predictions(output_sensitivities), on=KEPT_NETWORK, how="left", validate="many_to_one"
    )
    rows = []
    for about, alike in groups(distances, GROUP):
        networks = alike[alike["other_seed"].isna()].reset_index(drop=True)
        pairs = _pairs(alike, networks)
        counts = sample_first(leave_one_out_counts(len(networks)))
        about |= {"networks": len(networks), "pairs": len(pairs), "ensembles": 1}
        for quantity, draws in _quantities(counts, networks, pairs, about["output"]).items():
            found = {"quantity": quantity, "estimate": draws[0]}
            if np.isfinite(draws).all():
                error = float(jackknife_error(draws[1:])) ** 2, len(networks) - 1
                found |= t_interval(draws[0], [error], level=resampling.level)
            rows.append(about | found | {"note": _note(len(networks), len(pairs), draws[0])})
    return table_of(rows, COLUMNS, resampling)


def _comparable(output_distances: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Finite distances of networks at step 0, and at their last step, to others there."""
    rows = before_and_after(output_distances, training)
    rows = rows[np.isfinite(rows["squared_distance"].to_numpy(float))]
    last = training.loc[training["final"], KEPT_NETWORK].set_axis(
        ["ensemble", "other_seed", "other_step"], axis=1
    )
    rows = rows.merge(last.assign(other_is_last=1.0), how="left")
    alone, untrained = rows["other_seed"].isna(), rows["other_step"] == 0
    fits = np.where(rows["trained"], rows["other_is_last"].notna(), untrained)
    return rows[alone | fits]


def _predictions(output_sensitivities: pd.DataFrame) -> pd.DataFrame:
    """K (S C + Σ) of every network, and the same for little noise."""
    rows = output_sensitivities[output_sensitivities["variant"] == "per_output"]
    predicted = {
        name: rows["classes"] * (rows[column] * rows["input_ratio"] + rows["variance_of_biases"])
        for name, column in PREDICTIONS.items()
    }
    return rows[KEPT_NETWORK].assign(**predicted)


def _pairs(alike: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """Both places in a table of networks, ``first`` and ``second``, and the squared distance."""
    place = pd.Series(networks.index, networks["seed"])
    rows = alike[alike["other_seed"].isin(networks["seed"]) & alike["seed"].isin(networks["seed"])]
    return pd.DataFrame({
        "first": place[rows["seed"]].to_numpy(),
        "second": place[rows["other_seed"].astype(int)].to_numpy(),
        "squared_distance": rows["squared_distance"].to_numpy(float),
    })


def _quantities(
    counts: Float[np.ndarray, "resamples networks"],
    networks: pd.DataFrame,
    pairs: pd.DataFrame,
    output: str,
) -> dict[str, Draws]:
    """All quantities of an ensemble in every resample, of which pairs are of different networks."""

    def mean(column: str) -> Draws:
        return counts @ networks[column].to_numpy(float) / counts.sum(1)

    together = counts[:, pairs["first"]] * counts[:, pairs["second"]]
    error = mean("squared_distance")
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = together @ (pairs["squared_distance"].to_numpy() / 2) / together.sum(1)
        found = {"error": error, "variance": variance, "squared_bias": error - variance}
        found["variance_share"] = variance / error
        if output == "logits":
            found |= {name: mean(name) for name in PREDICTIONS}
            found |= {f"variance_over_{name}": variance / found[name] for name in PREDICTIONS}
    return found


def _note(networks: int, pairs: int, estimate: float) -> str:
    """Reason why an estimate or its interval is missing."""
    if networks == 1:
        return "one network has no variance"
    lost = networks * (networks - 1) // 2 - pairs
    apart = f"{lost} pairs of networks were not trained together" if lost else ""
    unknown = "" if np.isfinite(estimate) else "no closed form"
    return joined(apart, unknown if pairs else "")
