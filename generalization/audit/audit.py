"""One card for each measure: what it is, what changes it, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from generalization.audit.changes import INVARIANCES
from generalization.names import number

COLUMNS = [
    "measure",
    "sees",
    "permutation",
    "rescaling",
    "logit_scale",
    "input_scale",
    "input_unit",
    "input_order",
    "stack",
    "float32_error",
    "seed_deviation",
    "points_needed",
    "draws_needed",
    "seconds",
    "fragility",
    "fragility_noise",
    "fragile_to",
    "largest_fragility",
    "pairs",
    "note",
    "hidden",
    "definition",
]
# Column → check whose outcome it shows, with the ratio of a counter-example.
SHOWN = {
    **dict(
        zip(
            ("permutation", "rescaling", "logit_scale", "input_scale", "input_unit"),
            INVARIANCES,
            strict=True,
        )
    ),
    "input_order": "order of inputs",
    "stack": "stack and modules",
}
NUMBERS = {
    "float32_error": "float32",
    "seed_deviation": "repeatability",
    "points_needed": "points for 1 %",
    "draws_needed": "draws for 1 %",
    "seconds": "cost",
}
WITH_RATIO = {"changes", "failed", "within noise"}
ANY = "any"  # Of fragility, pairs of all settings.
# ASSUME: a setting is named from five pairs on, as verdicts need five ensembles, if its fragility
# is more than twice that of seeds: F of 5 and 10 degrees of freedom is below 2² in 97 % of draws.
FEWEST_PAIRS = 5
BEYOND = 2.0
UNCHECKED = "not checked: `make audit` checks the measures of the catalog"


def audit(
    tables: Mapping[str, pd.DataFrame],
    definitions: Mapping[str, str],
    sees: Mapping[str, str],
) -> pd.DataFrame:
    """Make the card of every measure from its checks, and from its fragility if the study has it.

    Checks are those of the study, or if it has none those of the study `audit`, on small networks
    trained on digits; fragility is always that of the study.

    Args:
        tables: ``audit_checks``, and maybe ``fragility``.
        definitions: Measure → its definition, of the measures that have a card.
        sees: Measure → the labels that it sees as the catalog says.

    Returns:
        One row per measure.

        ``definition``
            Formula and source.
        ``sees``
            Labels that it sees beside what is in the weights and in the course of the training
            loss: none, training or test; permuting other labels changes nothing.
        ``permutation``, ``rescaling``, ``logit_scale``, ``input_scale``, ``input_unit``
            Whether it is invariant to a permutation of hidden units, to a factor that moves from
            one layer to another, to a factor of the last layer, to a factor of inputs, and to
            another unit of inputs, of several draws each; if not, the ratio of changed to original
            value of the network that changes most.
        ``input_order``
            Whether the order of inputs makes no difference.
        ``stack``
            Whether a stack has the values of its networks as modules.
        ``float32_error``
            Relative error of single precision.
        ``seed_deviation``
            Relative standard deviation over seeds of the generators; 0 where nothing is drawn.
        ``points_needed``, ``draws_needed``
            Number of inputs, or of calls with other random numbers, for a relative standard error
            of 1 %, extrapolated by 1/√n; 0 where none are needed.
        ``seconds``
            Time per network on the points of the checks.
        ``fragility``, ``fragility_noise``
            Root mean square of changes of ln μ that come without a change of the gap, over all
            nuisance settings, in standard deviations of ln μ in the study; and what seeds alone
            would give.
        ``fragile_to``, ``largest_fragility``
            Nuisance setting with the largest fragility, and the fragility over pairs that differ in
            it; missing where no setting has five pairs whose gaps are equal, and a fragility of
            more than twice what seeds alone would give.
        ``pairs``
            Number of pairs of ensembles that the fragility over all settings is of.
        ``note``
            What fails.
        ``hidden``
            Changes that noise may hide: of means over seeds, in percent of them, where a check has
            the outcome ``within noise``.
    """
    groups = dict(iter(tables["audit_checks"].groupby("measure", sort=False)))
    rows = []
    for name, definition in definitions.items():
        card = {"note": UNCHECKED, "sees": sees.get(name, "")}
        if name in groups:
            card = _card(groups[name].set_index("check"), sees.get(name, ""))
        about = {"measure": name, "definition": definition}
        rows.append({**about, **card, **_fragility(tables.get("fragility"), name)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _card(checks: pd.DataFrame, sees: str) -> dict[str, Any]:
    """Columns of a card that are about checks."""
    shown = {column: _shown(checks.loc[check]) for column, check in SHOWN.items()}
    numbers = {column: checks.at[check, "value"] for column, check in NUMBERS.items()}
    return {
        "sees": sees,
        **shown,
        **numbers,
        "note": _note(checks, sees),
        "hidden": _hidden(checks),
    }


def _shown(row: pd.Series) -> str:
    """Outcome of a check, with the ratio if there is a counter-example."""
    if row["outcome"] not in WITH_RATIO or pd.isna(row["value"]):
        return row["outcome"]
    return f"{row['outcome']} ×{number(row['value'])}"


def _note(checks: pd.DataFrame, sees: str) -> str:
    """Say what fails."""
    failed = [
        f"{check}: {_shown(row)}, {row['detail']}".removesuffix(", nan")
        for check, row in checks[checks["outcome"] == "failed"].iterrows()
    ]
    found = checks.at["labels", "outcome"]
    if found != sees and found != "skipped" and not (found == "none" and sees):
        failed.append(f"labels: it sees {found} labels, though it is said to see {sees or 'none'}")
    return "; ".join(failed)


def _hidden(checks: pd.DataFrame) -> str:
    """Say which differences noise may hide, check by check."""
    noisy = checks[(checks["outcome"] == "within noise") & checks["detail"].notna()]
    return "; ".join(f"{check}: {row['detail']}" for check, row in noisy.iterrows())


def _fragility(table: pd.DataFrame | None, name: str) -> dict[str, Any]:
    """Columns of a card that are about fragility."""
    if table is None or name not in set(table["measure"]):
        return {}
    rows = table[table["measure"] == name].set_index("setting")
    each = rows.drop(index=ANY)
    each = each[(each["pairs"] >= FEWEST_PAIRS) & (each["fragility"] > BEYOND * each["noise"])]
    each = each["fragility"].astype(float)
    return {
        "fragility": rows.at[ANY, "fragility"],
        "fragility_noise": rows.at[ANY, "noise"],
        "fragile_to": each.idxmax() if len(each) else "",
        "largest_fragility": each.max(),
        "pairs": rows.at[ANY, "pairs"],
    }
