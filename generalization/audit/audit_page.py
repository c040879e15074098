"""Cards of measures as a page of text."""

from __future__ import annotations

import pandas as pd

from generalization.audit.audit import BEYOND, FEWEST_PAIRS
from generalization.audit.check_measure import DRAWS
from generalization.audit.evaluations import ROUNDING
from generalization.names import number, readable

PAGE = """# What changes each measure, and what it costs

Written by `{command}` from the table `audit` of its study, `config/audit.yaml`; do not edit. The
same checks run on any function: `generalization.check_measure(function)`.

{count} measures were checked on small networks; {failing} failed a check. How to read the table:

* *sees*: labels that a measure sees beside what is in the weights and in the course of the loss.
* *units*, *layers*, *logits*, *inputs*, *unit of inputs*, *order*: whether it is invariant if
  hidden units are permuted, a layer is multiplied by 3 and the next one divided by 3, the last
  layer is multiplied by 3, inputs are multiplied by 3, inputs are written in another unit (the
  first layer and the pixels per unit of input follow), or inputs are permuted. = is equal up to
  rounding, a relative difference of {rounding:.0e}, also for {others} other permutations and
  factors from 1/10 to 10; ≈ stands where the change moves random numbers, so that values are other
  draws, and their means over seeds do not differ significantly: the change that these tests could
  not have found is listed below, in percent of the mean; otherwise the ratio of the changed to the
  original value, of the network that changes most; ≠ if a value appears or vanishes.
* *modules*: = a stack has the values of its networks as modules; – it reads stacks only, or it
  compares networks, by the mean over the pairs of each with all others.
* *float32*: relative error of single precision.
* *seeds*: relative standard deviation over random numbers.
* *points*, *draws*: number of inputs, and of calls with other random numbers, for a relative
  standard error of 1 %, extrapolated by 1/√n from the spread over inputs (or four parts of them)
  and over calls, for the network with the largest spread. Five calls leave an interval from 0.36 to
  8.3 times the number of draws, four parts one from 0.32 to 14 times the number of points (95 %,
  if values are normal). A dash: parts agree on another value than all points have.
* *ms*: milliseconds per network on the points of the checks.
* *fragility*: root mean square change of ln μ between ensembles that differ in one setting of
  training and not in their gap, in standard deviations of ln μ in the study; in parentheses what
  seeds alone would give. A dash: the study does not measure it.
* *fragile to*: the setting (optimizer, learning rate, batch size, initialization, width) with the
  largest such change, and this change, of settings with {pairs} such pairs of ensembles or more and
  a change beyond {beyond} times what seeds alone would give.

| {head} |
|{rule}|
{rows}

## What fails

{failures}

## What noise hides

{hidden}

## Definitions

{definitions}
"""
HEADS = {
    "sees": "sees",
    "permutation": "units",
    "rescaling": "layers",
    "logit_scale": "logits",
    "input_scale": "inputs",
    "input_unit": "unit of inputs",
    "input_order": "order",
    "stack": "modules",
    "float32_error": "float32",
    "seed_deviation": "seeds",
    "points_needed": "points",
    "draws_needed": "draws",
    "seconds": "ms",
    "fragility": "fragility",
    "fragile_to": "fragile to",
}
SIGNS = {"invariant": "=", "passed": "=", "stacks only": "–", "pairs": "–", "changes": "≠"}


def audit_page(audit: pd.DataFrame, command: str) -> str:
    """Lay out the table ``audit`` as a page in Markdown.

    Args:
        audit: The table.
        command: Command that makes the page.

    Returns:
        A table with one row per measure, what fails, what noise hides, and all definitions.
    """
    rows = [_row(card) for card in audit.to_dict("records")]
    failing = {card["measure"]: card["note"] for card in audit.to_dict("records") if _fails(card)}
    failures = [f"* **{readable(name)}**: {note}." for name, note in failing.items()]
    hidden = [
        f"* **{readable(str(card['measure']))}**: {card['hidden']}."
        for card in audit.to_dict("records")
        if isinstance(card["hidden"], str) and card["hidden"]
    ]
    return PAGE.format(
        command=command,
        count=len(audit),
        failing=len(failing),
        head=" | ".join(["measure", *HEADS.values()]),
        rule="|".join(["---"] * (len(HEADS) + 1)),
        rows="\n".join(rows),
        failures="\n".join(failures) or "Nothing.",
        rounding=ROUNDING,
        pairs=FEWEST_PAIRS,
        beyond=number(BEYOND),
        others=DRAWS - 1,
        hidden="\n".join(hidden) or "Nothing.",
        definitions="\n\n".join(map(_definition, audit.to_dict("records"))),
    )


def _fails(card: dict[str, object]) -> bool:
    """Return whether a card has a note, which says what fails."""
    return isinstance(card["note"], str) and card["note"] != ""


def _row(card: dict[str, object]) -> str:
    cells = [readable(str(card["measure"])), *(_cell(card, column) for column in HEADS)]
    return f"| {' | '.join(cells)} |"


def _cell(card: dict[str, object], column: str) -> str:
    value = card[column]
    if column == "fragility":
        told = f"{number(value, 2)} ({number(card['fragility_noise'], 2)})"
        return "–" if pd.isna(value) else told
    if column == "fragile_to":
        named = isinstance(value, str) and value
        most = number(card["largest_fragility"], 2)
        return f"{readable(value).lower()} {most}" if named else "–"
    if not isinstance(value, str) and pd.isna(value):
        return "–"
    if column == "seconds":
        return number(1000 * value)
    if isinstance(value, str):
        outcome, _, ratio = value.partition(" ×")
        if outcome == "within noise":
            return "≈"
        return f"×{ratio}" if ratio else SIGNS.get(outcome, outcome)
    if column in {"points_needed", "draws_needed"}:
        return number(int(value))
    return number(value, 2)


def _definition(card: dict[str, object]) -> str:
    """Definition of a measure; indented formulas remain blocks of text."""
    return f"### {readable(str(card['measure']))}\n\n{card['definition']}"
