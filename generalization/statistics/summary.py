"""Front page of a study: question, answer, and what the study could not have seen."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral

import pandas as pd

from generalization.computed_on import told_origins
from generalization.names import interval, listed, number, readable, value_name, values_of, within
from generalization.statistics.intervals import FEWEST_ENSEMBLES
from generalization.statistics.league_rows import (
    BEST_RIVAL,
    TEST_SET_SHARE,
    companion,
    league_rows,
    primary_statistic,
    stratum,
)
from generalization.statistics.selection import excluded, final_networks, has_fitted
from generalization.statistics.selection_on_fit import WARNING
from generalization.tables import swept_hyperparameters

# ASSUME: a study that would need a correlation above this finds none: Fisher's z, by which power is
# approximated, says little so near to 1.
UNATTAINABLE = 0.99
# Statistic → its name in a sentence, and whether the largest absolute value wins or the smallest.
JUDGES = {
    "spearman": ("the pooled correlation", True),
    "spearman_given_design": ("the correlation given all hyper-parameters", True),
    "granulated_kendall": ("granulated Kendall's Ψ", True),
    "conditional_information": ("conditional information", True),
    "sign_error_worst": ("the worst sign error", False),
    "added_r_squared": ("added prediction", True),
    "regret": ("the regret of selecting by it", False),
}


def summary(
    statistics: pd.DataFrame,
    measures: pd.DataFrame,
    *,
    training: pd.DataFrame | None = None,
    design: pd.DataFrame | None = None,
    claims: pd.DataFrame | None = None,
    selection_on_fit: pd.DataFrame | None = None,
    computed_on: pd.DataFrame | None = None,
    primary: str = "spearman_within",
    fitted_accuracy: float = 0.999,
) -> list[str]:
    """Summarize what was studied and found, for the front page of the report.

    A relation counts as shown by the rule of ``league_rows.shown``; a relation that is not shown
    is never called absent. A study of papers opens with their claims and verdicts.

    Args:
        training: Training history, with the devices of networks if they are known.
        design: Share of the gap's variance that each swept hyper-parameter explains, if the
            study has the table.
        claims: Verdicts on claims of papers, if the study has the table.
        selection_on_fit: Whether fitting depends on a measure, if the study has the table.
        computed_on: Devices on which tables were computed, see ``counted_origins``.

    Returns:
        Paragraphs, in plain text.
    """
    networks = final_networks(measures)
    statistic = primary_statistic(statistics, primary)
    rows = league_rows(statistics, statistic)
    candidates = rows[rows["kind"] == "candidate"].dropna(subset="estimate")
    lines = [
        f"{_studied(networks)} {_fitted(networks, fitted_accuracy)}",
        *_corrupted(networks),
    ]
    if candidates.empty or candidates["ensembles"].max() < FEWEST_ENSEMBLES:
        # A study of papers need not rank measures.
        # Of no network at all, there is only the pooled correlation, whose note says so.
        reasons = rows if len(rows) else league_rows(statistics, "spearman")
        lines += [_no_league(reasons)] if claims is None else []
    else:
        lines = [
            _answer(statistics, candidates, statistic),
            *_beyond_design(statistics, candidates, statistic, design),
            *lines,
            *_explained(design),
            *_ceiling(statistics, candidates, statistic),
            *_power(design, statistic),
            *_judges(statistics, statistic),
            *_compared(rows, ("baseline",), "baselines"),
            *_compared(rows, ("control", "factor"), "controls and swept hyper-parameters"),
            *_all_networks(statistics, candidates, statistic),
            *_biased(selection_on_fit),
        ]
    opening = [] if claims is None else _claims(claims)
    return [
        *opening,
        *lines,
        _excluded(measures, fitted_accuracy),
        *_found(measures),
        *_made_on(training),
        *([] if computed_on is None else told_origins(computed_on)),
    ]


def _found(measures: pd.DataFrame) -> Iterator[str]:
    """Name the measures whose values are not exact; nothing if all are."""
    words = {
        "sampled": "depend on random numbers, on a grid or on a part of the training set",
        "searched": "are the best that a search has found",
    }
    for method, how in words.items():
        if names := sorted(measures.loc[measures["method"] == method, "measure"].unique()):
            yield f"Values of {listed([*map(within, names)])} {how}."


def _made_on(training: pd.DataFrame | None) -> Iterator[str]:
    """Say on which device, with which driver and torch networks were trained, if that is known.

    Yields:
        One sentence; if they differ, on ensembles whose own networks do, or else on all.
    """
    if training is None or "device" not in training:
        return
    networks = training[training["final"]]
    known = networks[["device", "driver", "torch"]].astype(object).fillna("").astype(str)
    made_on = known.agg(" ".join, axis=1).str.split().str.join(" ")
    # One that was interrupted names all on which it went on.
    several = made_on.groupby(networks["ensemble"]).nunique() > 1
    several |= made_on.str.contains(", then ").groupby(networks["ensemble"]).any()
    if several.any():
        names = several[several].index
        found = sorted(set(made_on[networks["ensemble"].isin(names)]))
        yield (
            f"Networks of {_count(len(names), 'ensemble')} ({listed(list(names[:3]))}"
            f"{' and others' if len(names) > 3 else ''}) were not all trained on the same device, "
            f"with the same driver and torch: {'; '.join(found)}. The same seeds give the same "
            "bits on one of them only."
        )
    elif made_on.nunique() > 1:
        counts = made_on.value_counts().sort_index()
        yield (
            "Networks of different ensembles were not all trained on the same device, with the "
            "same driver and torch: "
            f"{'; '.join(f'{count} with {words}' for words, count in counts.items())}."
        )
    elif len(made_on):
        yield (
            "All networks were trained on the same device, with the same driver and torch: "
            f"{made_on.iloc[0]}."
        )


def _claims(claims: pd.DataFrame) -> Iterator[str]:
    """Count verdicts over all comparisons, then give those on each claim."""
    if claims.empty:
        return
    verdicts = claims["verdict"].str.split(":").str[0]
    total = f"{_count(len(claims), 'comparison')} with {_count(claims['claim'].nunique(), 'claim')}"
    yield f"{total} of papers: {_counted(verdicts)}."
    for (claim, source), rows in claims.groupby(["claim", "source"], sort=False):
        found = verdicts[rows.index]
        words = found.iloc[0] if found.nunique() == 1 else _counted(found)
        yield f"{claim} ({source}): {words}."


def _counted(verdicts: pd.Series) -> str:
    counts = verdicts.value_counts(sort=False)
    return ", ".join(f"{verdict} {number(count)}" for verdict, count in counts.items())


def _studied(networks: pd.DataFrame) -> str:
    seeds = networks.groupby("ensemble").size()
    each = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
    swept = [
        f"{within(key)} ({', '.join(_values(networks[key]))})"
        for key in swept_hyperparameters(networks)
        if key != "dataset"
    ]
    return (
        f"{len(networks):,} networks were trained on {listed(_values(networks['dataset']))}: "
        f"{_count(len(seeds), 'ensemble')} of {each} {'seed' if each == '1' else 'seeds'}"
        f"{', varying ' + listed(swept) if swept else ''}."
    )


def _fitted(networks: pd.DataFrame, fitted_accuracy: float) -> str:
    fitted = networks[has_fitted(networks, fitted_accuracy=fitted_accuracy)]
    gaps = fitted["generalization_gap"].dropna()
    spread = (
        f"; their generalization gap (train − test accuracy) ranges from {gaps.min() * 100:.1f} "
        f"to {gaps.max() * 100:.1f} percentage points"
        if len(gaps)
        else ""
    )
    return (
        f"{len(fitted):,} of them, in {_count(fitted['ensemble'].nunique(), 'ensemble')}, fit "
        f"their training set (train accuracy of at least {fitted_accuracy * 100:g} %){spread}."
    )


def _corrupted(networks: pd.DataFrame) -> Iterator[str]:
    """Say that the gap of networks with corrupted labels is no gap of one distribution."""
    if "label_corruption" in networks and (networks["label_corruption"] > 0).any():
        share = (networks["label_corruption"] > 0).mean()
        yield (
            f"{share * 100:.0f} % of the networks are trained on corrupted labels and tested on "
            "clean ones: their gap is between two distributions, and not only one of "
            "generalization."
        )


def _no_league(rows: pd.DataFrame) -> str:
    """Say why measures are not ranked."""
    ensembles = rows["ensembles"].max() if len(rows) else 0
    if 0 < ensembles < FEWEST_ENSEMBLES:
        return (
            f"{_count(ensembles, 'fitted ensemble')} {'is' if ensembles == 1 else 'are'} too few "
            f"to rank measures by the gap, which takes at least {FEWEST_ENSEMBLES}."
        )
    notes = rows.loc[rows["estimate"].isna(), "note"].dropna()
    reasons = listed(sorted(set(notes) - {""})) or "there is no candidate measure"
    return f"The relation of measures to the gap of fitted networks was not estimated: {reasons}."


def _answer(statistics: pd.DataFrame, candidates: pd.DataFrame, statistic: str) -> str:
    """Name the best candidate, with its correlation pooled and given the design."""
    shown = candidates[candidates["shown"]]
    chosen = candidates if shown.empty else shown
    best = chosen.loc[chosen["estimate"].abs().idxmax()]
    tested, where = _count(len(candidates), "candidate measure"), _where(statistic)
    if shown.empty:
        first = (
            f"None of {tested} is shown to rank the gap of fitted networks {where}, which does not "
            f"mean that none does; the strongest is {within(best.name)}"
        )
        decides = best["p_value_corrected"]
        last = "" if pd.isna(decides) else f" Its corrected p is {number(decides, digits=2)}."
    else:
        first = f"{readable(best.name)} ranks the gap of fitted networks best, {where}"
        last = f" A relation is shown by {len(shown)} of {tested}."
    return (
        f"{first}: its rank correlation is {_interval(best)}{_chosen(statistics, best.name)} over "
        f"{_over(best)}{_beside(statistics, best.name, statistic)}"
        f"{_in_datasets(statistics, best.name)}.{last}"
    )


def _where(statistic: str) -> str:
    """Clause on what a correlation holds fixed."""
    if statistic == "spearman_given_design":
        return "given all hyper-parameters"
    if statistic == "granulated_kendall":
        return "where one hyper-parameter varies at a time"
    held = stratum(statistic)
    return f"at equal {within(held)}" if held else "pooled over all networks"


def _chosen(statistics: pd.DataFrame, measure: str) -> str:
    """Clause with the interval that allows for choosing the largest of several correlations."""
    rows = league_rows(statistics, "simultaneous_interval")
    if measure not in rows.index or pd.isna(rows.loc[measure, "low"]):
        return ""
    row = rows.loc[measure]
    low, high = (number(row[key], digits=2) for key in ("low", "high"))
    return f" ([{low}, {high}], allowing for the choice among them)"


def _beyond_design(
    statistics: pd.DataFrame,
    candidates: pd.DataFrame,
    statistic: str,
    design: pd.DataFrame | None,
) -> Iterator[str]:
    """Tell whether measures know more of the gap than the hyper-parameters that made it."""
    given = league_rows(statistics, "spearman_given_design").reindex(candidates.index)
    given = given.dropna(subset="estimate")
    if statistic == "spearman_given_design" or given.empty:
        return
    both = given.index[given["shown"].astype(bool) & candidates.loc[given.index, "shown"]]
    named = f": {listed([*map(within, both)])}" if len(both) else ""
    tested = _count(len(given), "candidate measure")
    yield (
        f"{len(both) or 'None'} of {tested} {'are' if len(both) > 1 else 'is'} shown to rank the "
        f"gap {_where(statistic)} and given all hyper-parameters too{named}."
        f"{_proxies(design, statistic)}"
    )


def _proxies(design: pd.DataFrame | None, statistic: str) -> str:
    """Sentence on how often a random function of the hyper-parameters passes for a measure."""
    if statistic == "granulated_kendall":
        return (
            " The former alone tells little: it is tested against independence, which functions of "
            "the hyper-parameters are found to lack as well."
        )
    rows, held = _design(design), stratum(statistic)
    name = f"shown_random_main_effects_within_{held}"
    if name not in rows.index or pd.isna(rows.loc[name, "value"]):
        return ""
    return (
        f" The former alone tells little: of random functions of the hyper-parameters (sums of "
        f"main effects), {100 * rows.loc[name, 'value']:.0f} % correlate with this gap "
        f"{_where(statistic)}, by a test at 5 %."
    )


def _beside(statistics: pd.DataFrame, measure: str, statistic: str) -> str:
    """Clause with the other correlations of the best measure, and its lead over rivals."""
    words = {"spearman": "pooled", "spearman_given_design": "given all hyper-parameters"}
    clauses = [
        f"{name} {_told(rows.loc[measure])}"
        for one, name in words.items()
        if one != statistic and measure in (rows := league_rows(statistics, one)).index
    ]
    clauses += _ahead(statistics, measure)
    return f" ({'; '.join(clauses)})" if clauses else ""


def _ahead(statistics: pd.DataFrame, measure: str) -> Iterator[str]:
    """Clause with the difference to the best baseline or hyper-parameter, and whether it shows."""
    rows = league_rows(statistics, "difference_to_best_baseline")
    if measure not in rows.index:
        return
    row = rows.loc[measure]
    if pd.isna(row["estimate"]):
        yield f"difference to the best baseline {_told(row)}"
        return
    note = row["note"] if isinstance(row["note"], str) else ""
    rival = note.partition(BEST_RIVAL)[2].partition(";")[0] or "the best baseline"
    if row["shown"]:
        words = "ahead of" if row["estimate"] > 0 else "behind"
        yield f"{words} {rival} by {_interval(row)}"
        return
    p_value = row["p_value"] if pd.isna(row["p_value_corrected"]) else row["p_value_corrected"]
    tested = "" if pd.isna(p_value) else f", p = {number(p_value, digits=2)}"
    yield f"not shown to be ahead of {rival}: {_interval(row)}{tested}"


def _in_datasets(statistics: pd.DataFrame, measure: str) -> str:
    """Clause with the correlation within each of several datasets, whose gaps differ anyway."""
    rows = statistics.query(
        "statistic == 'spearman' and selection == 'fitted' and dataset != 'all'"
        f" and measure == {measure!r}"
    )
    within_each = [f"{_interval(row)} ({row['dataset']})" for _, row in rows.iterrows()]
    return f". Within datasets, Spearman's ρ is {listed(within_each)}" if within_each else ""


def _explained(design: pd.DataFrame | None) -> Iterator[str]:
    """Tell how much of the gap the design explains, factor by factor."""
    shares = _design(design).dropna(subset="r_squared")["r_squared"]
    together = {
        "all_main_effects": "all hyper-parameters together",
        "pairwise_interactions": "with their pairwise interactions",
    }
    alone = shares.drop(together, errors="ignore").sort_values(ascending=False, kind="stable")
    if alone.empty:
        return
    others = [f"{within(factor)} {_percent(share)}" for factor, share in alone.iloc[1:].items()]
    others += [
        f"{words} {_percent(shares[key])}" for key, words in together.items() if key in shares
    ]
    largest = f"{readable(alone.index[0])} explains {_percent(alone.iloc[0])}"
    yield f"{', '.join([f'{largest} of the variance of the gap', *others])}."


def _ceiling(statistics: pd.DataFrame, candidates: pd.DataFrame, statistic: str) -> Iterator[str]:
    """Tell how far the best measure is from what noise of the gap leaves to any."""
    rows = league_rows(statistics, companion("noise_ceiling", statistic)).dropna(subset="estimate")
    for _, ceiling in rows.iterrows():
        best = candidates["estimate"].abs().max()
        left = max(ceiling["estimate"] - best, 0)
        yield (
            "Noise of seeds limits the rank correlation of any measure with the gap, "
            f"{_where(statistic)}, to {_interval(ceiling)}; {number(left, digits=2)} of it is left "
            f"beyond the strongest measure.{_of_test_set(statistics)}"
        )


def _of_test_set(statistics: pd.DataFrame) -> str:
    """Sentence on what the finite test set makes of the noise of seeds."""
    rows = league_rows(statistics, TEST_SET_SHARE).dropna(subset="estimate")
    return "".join(
        " Of the variance of test accuracies between seeds, the finite test set makes the fraction "
        f"{_interval(row)}."
        for _, row in rows.iterrows()
    )


def _power(design: pd.DataFrame | None, statistic: str) -> Iterator[str]:
    """Tell the least correlation that a study of this size detects in 80 % of repetitions."""
    rows = _design(design)
    name = companion("minimum_detectable_correlation", statistic)
    if name not in rows.index or not rows.loc[name, "ensembles"]:
        return
    least = rows.loc[name, "value"]
    if not least < UNATTAINABLE:
        yield (
            f"A study of this size is likely to miss any correlation, {_where(statistic)}, however "
            "strong."
        )
        return
    yield (
        f"A study of this size detects a correlation of {number(least, digits=2)}, "
        f"{_where(statistic)}, with a power of 80 %; weaker ones it is likely to miss."
    )


def _judges(statistics: pd.DataFrame, statistic: str) -> Iterator[str]:
    """Name the candidate that each statistic puts first, and tell whether they agree."""
    held = f"the correlation within {within(stratum(statistic))}"
    judges = {statistic: JUDGES.get(statistic, (held, True))} | JUDGES
    winners: dict[str, list[str]] = {}
    for judge, (name, largest_wins) in judges.items():
        rows = league_rows(statistics, judge)
        strengths = rows.loc[rows["kind"] == "candidate", "estimate"].dropna()
        if len(strengths) < 2:
            continue
        if judge == "added_r_squared":
            strengths = strengths[strengths > 0]  # What adds nothing wins nothing.
        strengths = strengths.abs()
        if len(strengths):
            winner = strengths.idxmax() if largest_wins else strengths.idxmin()
            winners.setdefault(winner, []).append(name)
    if sum(map(len, winners.values())) > 1:
        told = [f"{within(winner)} by {listed(names)}" for winner, names in winners.items()]
        agree = "All judges agree" if len(winners) == 1 else "The judges do not agree"
        yield f"{agree} on the best candidate: {'; '.join(told)}."


def _compared(rows: pd.DataFrame, kinds: tuple[str, ...], name: str) -> Iterator[str]:
    """Tell which of the measures that are no candidates show a relation."""
    chosen = rows[rows["kind"].isin(kinds)]
    shown = [_named(row) for _, row in chosen[chosen["shown"]].iterrows()]
    not_shown = [_named(row) for _, row in chosen[~chosen["shown"]].iterrows()]
    show, do = "shows" if len(shown) == 1 else "show", "does" if len(not_shown) == 1 else "do"
    clauses = [
        f"{listed(shown)} {show} a relation" if shown else "",
        f"{listed(not_shown)} {do} not{'' if shown else ' show a relation'}" if not_shown else "",
    ]
    if sentence := "; ".join(filter(None, clauses)):
        yield f"Among the {name}, {sentence}."


def _all_networks(
    statistics: pd.DataFrame, candidates: pd.DataFrame, statistic: str
) -> Iterator[str]:
    """Tell what changes if networks that did not fit count, too."""
    everyone = league_rows(statistics, statistic, selection="all").reindex(candidates.index)
    everyone = everyone.dropna(subset="estimate")
    fitted = candidates.loc[everyone.index]
    if everyone.empty:
        return
    size = f"If all {number(int(everyone['networks'].max()))} networks count"
    lost = everyone.index[fitted["shown"] & ~everyone["shown"].astype(bool)]
    gained = everyone.index[~fitted["shown"] & everyone["shown"].astype(bool)]
    turned = everyone.index[
        (fitted["shown"] | everyone["shown"].astype(bool))
        & (fitted["estimate"] * everyone["estimate"] < 0)
    ]
    changes = {"shown no more": lost, "shown in addition": gained, "of opposite sign": turned}
    told = [
        f"{words}: {listed([*map(within, names)])}"
        for words, names in changes.items()
        if len(names)
    ]
    best = within(everyone["estimate"].abs().idxmax())
    words = f"the strongest correlation is that of {best}"
    yield f"{size}, {'; '.join(told) or 'the same relations are shown'}; {words}."


def _biased(selection_on_fit: pd.DataFrame | None) -> Iterator[str]:
    """Warn of measures on which fitting depends; nothing where it depends on none."""
    if selection_on_fit is None:
        return
    rows = selection_on_fit.query("dataset == 'all'").set_index("measure")
    if len(warned := rows[rows["note"] == WARNING]):
        named = [f"{within(name)} ({_interval(row)})" for name, row in warned.iterrows()]
        yield (
            f"Whether a network fits depends on {listed(named)}, given all hyper-parameters: "
            "correlations among fitted networks alone are biased for them, and those of all "
            "networks are to be read beside them."
        )


def _excluded(measures: pd.DataFrame, fitted_accuracy: float) -> str:
    out = excluded(measures, fitted_accuracy=fitted_accuracy).query("selection == 'fitted'")
    out = out.assign(measure=out["measure"].map(within, na_action="ignore"))
    counts = out.groupby(["measure", "reason"], dropna=False, sort=False)["networks"].sum()
    reasons = [
        f"{_count(networks, 'network')} ({reason}{'' if pd.isna(measure) else f': {measure}'})"
        for (measure, reason), networks in counts.items()
    ]
    return (
        f"Excluded from these statistics: {listed(reasons)}."
        if reasons
        else "No network is excluded from these statistics."
    )


def _design(design: pd.DataFrame | None) -> pd.DataFrame:
    """Rows of the design over fitted networks of all datasets, by factor."""
    if design is None:
        return pd.DataFrame({"r_squared": [], "value": []})
    return design.query("selection == 'fitted' and dataset == 'all'").set_index("factor")


def _named(row: pd.Series) -> str:
    words = row["note"] if pd.isna(row["estimate"]) else _interval(row)
    if not row["shown"] and (row["low"] > 0 or row["high"] < 0):
        p_value = row["p_value"] if pd.isna(row["p_value_corrected"]) else row["p_value_corrected"]
        words += f", p = {number(p_value, digits=2)}"
    return f"{within(row.name)} ({words})"


def _told(row: pd.Series) -> str:
    return _interval(row) if pd.notna(row["estimate"]) else f"– ({row['note']})"


def _interval(row: pd.Series) -> str:
    return interval(row["estimate"], row["low"], row["high"])


def _over(row: pd.Series) -> str:
    return f"{_count(row['networks'], 'network')} of {_count(row['ensembles'], 'ensemble')}"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _count(number: Integral, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _values(column: pd.Series) -> list[str]:
    return [value_name(value) for value in values_of(column)]
