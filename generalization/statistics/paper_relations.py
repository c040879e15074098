"""Rank relations between measures of a study that papers claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.stats import t

from generalization.names import number
from generalization.statistics.draws import (
    leave_one_out_counts,
    observed_counts,
    permuted_orders,
    resampled_counts,
)
from generalization.statistics.estimates import INTERVAL, table_of
from generalization.statistics.intervals import (
    FEWEST_ENSEMBLES,
    correlation_interval,
    jackknife_error,
)
from generalization.statistics.multiplicity import permutation_p_values
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import (
    SELECTIONS,
    final_networks,
    has_fitted,
    on_true_labels,
)
from generalization.statistics.stratified import (
    stratified_spearman,
    stratified_spearman_null,
)
from generalization.tables import NETWORK

# Stratum of every ensemble → permutations within strata.
Orders = Callable[[tuple[int, ...]], Int[np.ndarray, "permutations ensembles"]]
CONTROL = ["control_estimate", "control_low", "control_high"]
COLUMNS = [
    "dataset",
    "labels",
    "selection",
    "x",
    "y",
    "given",
    "statistic",
    *INTERVAL,
    "p_value",
    "control",
    *CONTROL,
    "networks",
    "ensembles",
    "underpowered",
    "note",
]
GAP = "generalization_gap"
UNTRAINED = "untrained networks"
SPAN = "range of losses"
BEFORE = "untrained_"
# ASSUME: losses are "many orders of magnitude" apart if there are two; the lowest of networks that
# generalize worse is their 10th percentile, which no single one decides.
ORDERS, LOWEST, HIGHEST = 2.0, 0.1, 0.9


class Relation(NamedTuple):
    """A rank correlation that a paper speaks of.

    Attributes:
        x: Measure.
        y: Measure or performance.
        given: Hyper-parameter whose levels are the strata, beside label corruption.
        other: Measure whose |ρ| with y is subtracted from that of x, instead of ρ itself.
        control: ``UNTRAINED``, or a measure of which |ρ| is subtracted as a control.
    """

    x: str
    y: str
    given: str = ""
    other: str = ""
    control: str = ""


BOUNDS = (
    "tangent_sensitivity",
    "layerwise_norm",
    "theorem_3_1_bound",
    "layerwise_bound",
    "layerwise_active_bound",
    "theorem_3_2_bound",
)
RELATIONS = (
    Relation("number_of_parameters", GAP),
    Relation("training_loss", GAP),
    Relation("training_loss", GAP, other="jacobian_norm"),
    Relation("jacobian_norm", GAP),
    Relation("jacobian_norm", GAP, other="logit_jacobian_norm"),
    Relation("jacobian_norm", "test_accuracy"),
    Relation("jacobian_norm", "test_accuracy", other="logit_jacobian_norm"),
    Relation("transitions", GAP),
    Relation("number_of_parameters", "jacobian_norm", control=UNTRAINED),
    Relation("number_of_parameters", "jacobian_norm", given="depth", control=UNTRAINED),
    *(Relation(bound, GAP, control="number_of_parameters") for bound in BOUNDS),
)


def paper_relations(
    measures: pd.DataFrame,
    *,
    resampling: Resampling,
    permutations: int = 10_000,
    fitted_accuracy: float = 0.999,
    whole_ensembles: bool = False,
) -> pd.DataFrame:
    """Estimate the rank relations that papers claim and that the league does not hold.

    ``spearman`` is Spearman's correlation of ensemble means, within the strata of ``given``: see
    ``stratified_spearman``. Its interval is that of Fisher's z with a jackknife over ensembles and
    t(E − 2), and ``p_value`` that of permutations of ensembles within strata, as in the league.
    ``spearman_minus_<other>`` is |ρ_x| − |ρ_other| for the same y, with the jackknife and t of the
    difference.

    ``best_over_least_loss`` compares the training loss of the ensemble with the smallest gap with
    that of ensembles with larger ones: log₁₀ of it less the 10th percentile of theirs. Its control,
    and the row ``loss_range``, is the distance of the 10th to the 90th percentile of log₁₀ of the
    loss: where all losses are alike, no such claim could hold. Both have percentile intervals of a
    bootstrap of ensembles, in which the best is chosen anew. The loss of an ensemble is its
    geometric mean.

    Networks count on true labels alone, and where the study has other labels, all of them within
    the strata of label corruption.

    Args:
        resampling: Bootstrap of ensembles, random numbers of permutations, and the level.
        permutations: Number of permutations behind every p-value.

    Returns:
        One row per dataset, labels, selection and relation of ``RELATIONS`` whose measures the
        study has: ``COLUMNS``. ``given`` names the strata, or is ``none``. ``control`` names what
        the columns after it hold: the correlation less that of the same networks before training;
        |ρ| less that of another measure; or the range of losses. ``underpowered`` says why no
        verdict can come of a row. ``ensembles`` are those that share their stratum with another.
    """
    rows: list[dict[str, Any]] = []
    final = _networks(measures)
    # Correlations over the same ensembles and strata share their permutations.
    orders = cache(partial(_orders, permutations, resampling))
    fitted = has_fitted(final, fitted_accuracy=fitted_accuracy, whole_ensembles=whole_ensembles)
    for about, networks in _selections(final, fitted):
        given = ["label_corruption"] if about["labels"] == "all" else []
        related = [
            _related(networks, relation, given, resampling.level, orders)
            for relation in RELATIONS
            if {relation.x, relation.y, relation.other} <= {*networks, ""}
        ]
        lost = _losses(networks, resampling) if about["labels"] == "true" else []
        rows += [about | row for row in (*related, *lost)]
    return table_of(rows, COLUMNS, resampling).astype(dict.fromkeys(["p_value", *CONTROL], float))


def _orders(
    permutations: int, resampling: Resampling, strata: tuple[int, ...]
) -> Int[np.ndarray, "permutations ensembles"]:
    """Permutations of ensembles within strata."""
    return permuted_orders(
        np.array(strata), permutations=permutations, generator=resampling.stream(1)
    )


def _networks(measures: pd.DataFrame) -> pd.DataFrame:
    """One row per network: settings, performance, and measures after and before training."""
    networks = final_networks(measures).set_index(NETWORK, drop=False)
    for kept, prefix in (
        (measures["final"], ""),
        (~measures["final"] & (measures["step"] == 0), BEFORE),
    ):
        values = measures[kept].pivot(index=NETWORK, columns="measure", values="value")
        networks = networks.join(values.add_prefix(prefix), validate="one_to_one")
    return networks.reset_index(drop=True)


def _selections(
    networks: pd.DataFrame, fitted: pd.Series
) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """Networks of each dataset, kind of labels and selection, with what these are."""
    true = on_true_labels(networks)
    for dataset in networks["dataset"].unique():
        here = networks["dataset"] == dataset
        kinds = {"true": here & true} | ({"all": here} if (here & ~true).any() else {})
        for labels, these in kinds.items():
            for selection in SELECTIONS:
                about = {"dataset": dataset, "labels": labels, "selection": selection}
                yield about, networks[these & fitted if selection == "fitted" else these]


def _related(
    networks: pd.DataFrame,
    relation: Relation,
    given: Sequence[str],
    level: float,
    orders: Orders,
) -> dict[str, Any]:
    """The row of a relation."""
    x, y, at, other, control = relation
    given = [*given, *filter(None, [at])]
    about = {"x": x, "y": y, "given": ", ".join(given) or "none", "control": control}
    if other:
        found, counted = _correlations(networks, [(x, y), (other, y)], given)
        interval = _difference(np.abs(found[0]) - np.abs(found[1]), level)
        return about | {"statistic": f"spearman_minus_{other}"} | _named(interval) | counted
    found, counted = _correlations(networks, [(x, y)], given, orders)
    interval = correlation_interval(found[0, 0], found[0, 1:], level=level)
    about |= {"statistic": "spearman"} | _named(interval) | counted
    against = (BEFORE + x, BEFORE + y) if control == UNTRAINED else (control, y)
    if control and set(against) <= set(networks):
        found, _ = _correlations(networks, [(x, y), against], given)
        # Against another measure strengths are compared; against initialization, signs too.
        first, second = found if control == UNTRAINED else np.abs(found)
        about |= dict(zip(CONTROL, _difference(first - second, level), strict=True))
    return about


def _correlations(
    networks: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    given: Sequence[str],
    orders: Orders | None = None,
) -> tuple[Float[np.ndarray, "pairs draws"], dict[str, Any]]:
    """Correlations of ensemble means, then those without each ensemble; counts and a note.

    Args:
        orders: Permutations for the p-value of the first pair, which then stands beside the note.
    """
    columns = list(dict.fromkeys(name for pair in pairs for name in pair))
    there = networks[np.isfinite(networks[columns].to_numpy(float)).all(1)]
    if given:
        stratum = there.groupby(given, dropna=False).ngroup()
        there = there[there.groupby(stratum)["ensemble"].transform("nunique") > 1]
    means = there.groupby("ensemble")[columns].mean()
    size = len(means)
    counted = {"networks": len(there), "ensembles": size}
    if size < FEWEST_ENSEMBLES:
        why = f"{size} of the {FEWEST_ENSEMBLES} ensembles that are needed"
        return np.full((len(pairs), 1 + size), np.nan), counted | {"note": why}
    strata = np.zeros(size, int)
    if given:
        strata = there.drop_duplicates("ensemble").set_index("ensemble").loc[means.index]
        strata = strata.groupby(given, dropna=False).ngroup().to_numpy()
    draws = np.concatenate([observed_counts(size), leave_one_out_counts(size)])
    found = [
        stratified_spearman(draws, means[[x]].to_numpy(float).T, means[y].to_numpy(float), strata)
        for x, y in pairs
    ]
    found = np.concatenate(found)
    if orders:
        (x, y), *_ = pairs
        values = means[[x]].to_numpy(float).T, means[y].to_numpy(float), strata
        null = stratified_spearman_null(*values, orders(tuple(strata.tolist())))
        counted["p_value"] = permutation_p_values(found[:1, 0], null).item()
    note = "" if np.isfinite(found[:, 0]).all() else "the same for all ensembles of every stratum"
    return found, counted | {"note": note}


def _difference(draws: Float[np.ndarray, "draws"], level: float) -> tuple[float, float, float]:
    """Difference of two correlations with its jackknife interval of t(E − 2)."""
    size = len(draws) - 1
    if size < FEWEST_ENSEMBLES:
        return np.nan, np.nan, np.nan
    half = float(t.ppf((1 + level) / 2, size - 2) * jackknife_error(draws[1:]))
    return draws[0], draws[0] - half, draws[0] + half


def _losses(networks: pd.DataFrame, resampling: Resampling) -> list[dict[str, Any]]:
    """Rows that compare the training loss of the best ensemble with that of the others."""
    if "training_loss" not in networks:
        return []
    usable = (networks["training_loss"] > 0) & np.isfinite(networks[["training_loss", GAP]]).all(
        axis=1
    )
    there = networks[usable].assign(logarithm=lambda rows: np.log10(rows["training_loss"]))
    means = there.groupby("ensemble")[["logarithm", GAP]].mean()
    size = len(means)
    about = {"x": "training_loss", "y": GAP, "given": "none", "control": ""}
    about |= {"networks": len(there), "ensembles": size}
    names = ("best_over_least_loss", "loss_range")
    if size < FEWEST_ENSEMBLES:
        why = f"{size} of the {FEWEST_ENSEMBLES} ensembles that are needed"
        return [about | {"statistic": name, "note": why} for name in names]
    losses, gaps = means.to_numpy(float).T
    generator = resampling.stream()
    counts = resampled_counts(
        np.zeros(size, int), resamples=resampling.resamples, generator=generator
    ).astype(int)
    draws = np.array([_best_and_range(losses, gaps, some) for some in counts])
    estimates = _best_and_range(losses, gaps, np.ones(size, int))
    best, spread = (
        {"estimate": estimate} | resampling.interval(drawn)
        for estimate, drawn in zip(estimates, draws.T, strict=True)
    )
    alike = f"losses span {number(estimates[1], digits=2)} orders of magnitude"
    beside = dict(zip(CONTROL, (spread["estimate"], spread["low"], spread["high"]), strict=True))
    return [
        about
        | {"statistic": names[0], "control": SPAN}
        | best
        | beside
        | {"underpowered": alike if estimates[1] < ORDERS else ""},
        about | {"statistic": names[1]} | spread,
    ]


def _best_and_range(
    losses: Float[np.ndarray, "ensembles"],
    gaps: Float[np.ndarray, "ensembles"],
    counts: np.ndarray,
) -> tuple[float, float]:
    """Both statistics of the losses of a resample; NaN where no ensemble has a larger gap."""
    losses, gaps = np.repeat(losses, counts), np.repeat(gaps, counts)
    best, worse = losses[gaps == gaps.min()].mean(), losses[gaps > gaps.min()]
    over = best - np.quantile(worse, LOWEST) if len(worse) else np.nan
    return over, np.subtract(*np.quantile(losses, [HIGHEST, LOWEST]))


def _named(interval: Sequence[float]) -> dict[str, float]:
    return dict(zip(INTERVAL[:3], map(float, interval), strict=True))
