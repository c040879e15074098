"""How output sensitivity goes with the test loss, and both with depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from generalization.experiments.output_sensitivity.predicted_loss import predicted_loss
from generalization.experiments.output_sensitivity.sensitivities import (
    OF_LOGITS,
    alike_but_for,
    comparable_pairs,
    sensitivities,
)
from generalization.hyperparameters import FIXED_SIZE
from generalization.statistics.correlations import (
    concordance,
    kendall,
    mean,
    pearson,
    slope,
    spearman,
)
from generalization.statistics.estimates import (
    ESTIMATE,
    Statistic,
    few_ensembles,
    groups,
    interval_over_networks,
    joined,
    table_of,
)
from generalization.statistics.intervals import cr2_slope
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import SELECTIONS, by_dataset, has_fitted
from generalization.statistics.stratified import stratified_spearman
from generalization.tables import KEPT_NETWORK, NETWORK

CONTROL = ["control_estimate", "control_low", "control_high"]
COLUMNS = [
    "dataset",
    "selection",
    "measure",
    "trained",
    "statistic",
    *ESTIMATE,
    "control",
    *CONTROL,
]
BEFORE, PARAMETERS = "sensitivity before training", "number of parameters"

CONSTANT = "the sensitivity or the loss is the same for all networks"
ALONE = "no two networks of one initialization differ in the sensitivity, or in the loss"
# Statistic → why it may not exist.
NOTHING = dict.fromkeys(("pearson_log", "spearman", "kendall", "slope_log"), CONSTANT) | {
    "pearson_log_within_initialization": ALONE,
    "spearman_within_initialization": ALONE,
    "log_ratio": "of no network is C known",
    "log_ratio_with_constant": "of no network is Σ known",
    FIXED_SIZE: "no two networks differ in depth at a fixed number of parameters",
}

# Levels of these are the strata of correlations within an initialization.
STRATA = ("dataset", "initialization", "init_scale")
WITHIN = "_within_initialization"
OF_LOSS = ("pearson_log", "spearman", f"pearson_log{WITHIN}", f"spearman{WITHIN}")
CORRELATIONS = (*OF_LOSS, "kendall", FIXED_SIZE)
# Columns of the profile: C, K, Σ.
CONSTANTS = ("input_ratio", "classes", "variance_of_biases")


def sensitivity_statistics(
    measures: pd.DataFrame,
    output_sensitivities: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """Relations of output sensitivity S and test loss L over networks, S before or after training.

    As Forouzesh, Salehi & Thiran 2020 relate them. L is the mean cross-entropy on the test set at
    the last step.

    ``pearson_log``, ``slope_log``
        Of ln L and ln S: Pearson's correlation, and the least-squares slope of ln L, which is ½ of
        the predicted line.
    ``spearman``, ``kendall``
        Rank correlations; Kendall's is τ-b.
    ``pearson_log_within_initialization``, ``spearman_within_initialization``
        The same of deviations, or ranks, within each initialization and scale of it, that of
        several ensembles: initial scales alone set losses orders of magnitude apart.
    ``log_ratio``
        Mean of ln L − ln √(½ · (K−1)/K · S C), what the line of the authors' code falls short by.
        Into it goes the S of the row: the authors plug in ``output_sensitivity``, of the mean
        logit; by the derivation it is ``output_sensitivity_per_output``, about K times as large.
        With ``centered_output_sensitivity``, K−1 of K parts of S C are just the mean variance of a
        logit less their mean, whether logits are correlated or not. None of probabilities.
    ``log_ratio_with_constant``
        The same with S C + Σ, of ``output_sensitivity_per_output``, over networks whose Σ is known.
    ``depth_at_fixed_size``
        Goodman & Kruskal's γ of S, or of the ``test_loss``, and depth, over pairs of networks that
        differ in nothing but depth and width and have as many parameters within a tenth: −1 if the
        deeper always has the smaller value.

    Returns:
        One row per dataset (``all``, and each of several), selection (``fitted`` networks, and
        ``all``), measure, whether S is of ``trained`` networks, and statistic, with the columns
        ``COLUMNS``. Only networks with positive, finite S and L count. ``control`` names
        what the columns after it contrast: of trained networks, the statistic less that with S of
        the same networks before training; of untrained ones, |ρ| less that of the number of
        parameters. Their intervals are those of the jackknife and t. What does not exist is
        empty; ``note`` says why.
    """
    networks = _networks(measures, output_sensitivities)
    fitted = has_fitted(networks, fitted_accuracy=fitted_accuracy)
    rows = [
        {"dataset": dataset, "selection": selection} | about | row
        for dataset, block in by_dataset(networks, networks["dataset"].unique()).items()
        for selection in SELECTIONS
        for about, group in groups(
            block[fitted[block.index] | (selection == "all")], ["measure", "trained"]
        )
        for row in _rows(group, resampling)
    ]
    return table_of(rows, COLUMNS, resampling)


def _networks(measures: pd.DataFrame, output_sensitivities: pd.DataFrame) -> pd.DataFrame:
    """One row per network, measure and ``trained``: logarithms of S, L and both lines.

    The test loss is a measure too, of trained networks, for its relation to depth.
    """
    constants = output_sensitivities[[*KEPT_NETWORK, *CONSTANTS]].drop_duplicates(KEPT_NETWORK)
    networks = sensitivities(measures).merge(
        constants, on=KEPT_NETWORK, how="left", validate="many_to_one"
    )
    known = [networks[key] for key in ("sensitivity", "input_ratio", "classes")]
    networks["line"] = np.log(predicted_loss(*known))
    networks["line_with_constant"] = np.log(
        predicted_loss(*known, constant=networks["variance_of_biases"])
    )
    losses = networks[networks["trained"]].drop_duplicates(NETWORK)
    losses = losses.assign(measure="test_loss", sensitivity=losses["test_loss"])
    alike = alike_but_for(measures, FIXED_SIZE)
    return pd.concat([networks, losses], ignore_index=True).assign(
        s=lambda rows: np.log(rows["sensitivity"]),
        loss=lambda rows: np.log(rows["test_loss"]),
        alike=lambda rows: rows["ensemble"].map(alike),
        strata=lambda rows: rows.groupby(
            [key for key in STRATA if key in rows], dropna=False
        ).ngroup(),
        control=lambda rows: _controls(rows, measures),
    )


def _controls(networks: pd.DataFrame, measures: pd.DataFrame) -> pd.Series:
    """Logarithm of what S competes with: S before training, or the number of parameters."""
    keys = [*NETWORK, "measure"]
    before = networks[~networks["trained"]].set_index(keys)["s"]
    parameters = measures[measures["measure"] == "number_of_parameters"]
    parameters = np.log(parameters.drop_duplicates("ensemble").set_index("ensemble")["value"])
    of_trained = pd.Series(before.reindex(pd.MultiIndex.from_frame(networks[keys])).to_numpy())
    return of_trained.where(networks["trained"], networks["ensemble"].map(parameters))


def _rows(group: pd.DataFrame, resampling: Resampling) -> Iterator[dict[str, object]]:
    """Every statistic of one measure, each as a row."""
    kinds = [(group, _statistics)]
    if group["measure"].iloc[0] != "test_loss":
        kinds.append((_in_company(group), _within))
    for networks, statistics in kinds:
        size = networks["ensemble"].nunique()
        for name, statistic in statistics(networks).items():
            row = {"statistic": name, "networks": len(networks), "ensembles": size}
            row |= _interval(networks, name, statistic, resampling)
            row |= _contrast(networks, name, statistics, resampling)
            missing = "" if np.isfinite(row["estimate"]) else NOTHING[name]
            yield row | {"note": joined(missing, few_ensembles(size))}


def _in_company(group: pd.DataFrame) -> pd.DataFrame:
    """Networks whose initialization several ensembles have."""
    return group[group.groupby("strata")["ensemble"].transform("nunique") > 1]


def _interval(
    networks: pd.DataFrame, name: str, statistic: Statistic, resampling: Resampling
) -> dict[str, float]:
    """Estimate and interval of a statistic of networks."""
    if networks.empty:
        return {"estimate": np.nan}
    if name == "slope_log":
        return _slope(networks, resampling.level)
    correlation = name in CORRELATIONS
    return interval_over_networks(
        statistic, networks["ensemble"], resampling, correlation=correlation
    )


def _contrast(
    networks: pd.DataFrame,
    name: str,
    statistics: Callable[[pd.DataFrame], dict[str, Statistic]],
    resampling: Resampling,
) -> dict[str, object]:
    """Contrast of a statistic to that with the control in the place of S, if there is one.

    Args:
        statistics: Function of networks that has the statistic by its name.
    """
    there = networks[np.isfinite(networks["control"])]
    if there.empty or name not in (*OF_LOSS, FIXED_SIZE):
        return {}
    trained = bool(there["trained"].iloc[0])
    if name == FIXED_SIZE and not trained:
        return {}
    of_s = statistics(there)[name]
    of_control = statistics(there.assign(s=there["control"]))[name]

    def difference(counts):
        found = of_s(counts), of_control(counts)
        # Before training signs are compared, too; of another measure the strength alone.
        return found[0] - found[1] if trained else np.abs(found[0]) - np.abs(found[1])

    interval = interval_over_networks(difference, there["ensemble"], resampling)
    named = zip(CONTROL, interval.values(), strict=True)
    return {"control": BEFORE if trained else PARAMETERS} | dict(named)


def _slope(group: pd.DataFrame, level: float) -> dict[str, float]:
    """Slope of ln L on ln S, with its interval."""
    x, y = (group[key].to_numpy(float) for key in ("s", "loss"))
    codes, _ = pd.factorize(group["ensemble"])
    found, _, _ = cr2_slope(x, y, codes, level=level)
    return {name: float(bound) for name, bound in found._asdict().items()}


def _statistics(group: pd.DataFrame) -> dict[str, Statistic]:
    """Name → statistic of the networks of a group."""
    s, loss, depth = (group[key].to_numpy(float) for key in ("s", "loss", "depth"))
    pairs = comparable_pairs(group["alike"])
    found = {FIXED_SIZE: lambda counts: concordance(counts, s, depth, pairs)}
    measure = group["measure"].iloc[0]
    if measure == "test_loss":
        return found
    to_loss = {"pearson_log": pearson, "spearman": spearman, "kendall": kendall, "slope_log": slope}
    found |= {name: partial(statistic, x=s, y=loss) for name, statistic in to_loss.items()}
    if measure in OF_LOGITS:
        found["log_ratio"] = partial(mean, values=loss - group["line"].to_numpy(float))
    if measure == "output_sensitivity_per_output":
        above = loss - group["line_with_constant"].to_numpy(float)
        found["log_ratio_with_constant"] = partial(mean, values=above)
    return found


def _within(networks: pd.DataFrame) -> dict[str, Statistic]:
    """Name → correlation within initializations."""
    s, loss, strata = (networks[key].to_numpy() for key in ("s", "loss", "strata"))
    member = (strata[:, None] == np.unique(strata)).astype(float)

    def deviations(counts, values):
        held = counts @ member
        sums = (counts * values) @ member
        return values - np.divide(sums, held, where=held > 0, out=np.zeros_like(held)) @ member.T

    def of_logarithms(counts):
        return pearson(counts, deviations(counts, s), deviations(counts, loss))

    def of_ranks(counts):
        return stratified_spearman(counts, s[None], loss, strata)[0]

    return {f"pearson_log{WITHIN}": of_logarithms, f"spearman{WITHIN}": of_ranks}
