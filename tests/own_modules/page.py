"""The page of the documentation on kinds of modules: who refuses what, and why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence

from own_modules.cases import CASES, KINDS, Case
from own_modules.matrix import OF_MODULES, OF_TRAINING, outcome

from generalization.catalog import ENSEMBLE_MEASURES, MEASURES, PROFILES, SIMILARITIES

COLUMNS = {
    "measures": MEASURES,
    "profiles": PROFILES,
    "similarities": SIMILARITIES,
    "of pairs": ENSEMBLE_MEASURES,
}
# A list of more names than this is one of those that are not on it, if these are no more.
MOST_NAMES = 30


def page() -> str:
    """Return the page."""
    never = [name for name in OF_MODULES if not any(has_value(name, case) for case in CASES)]
    names = [name for name in OF_MODULES if name not in never]
    partly = [name for name in names if not any(outcome(name, one).sign == "✓" for one in CASES)]
    parts = [
        HEADING,
        *index(names),
        NEVER,
        *told(never, OF_MODULES, lambda name: reason(name, CASES[0])),
        f"* {listed(OF_TRAINING)}: given the course of the training loss, and no network.",
        PARTLY.format(listed(partly)),
    ]
    for case in CASES:
        parts += ["", f"## {case.heading}", "", *reasons(names, case, partly)]
    return "\n".join([*parts, BY_NAME, *by_name(names), MATRIX, *matrix(OF_MODULES), ""])


def has_value(name: str, case: Case) -> bool:
    """Return whether a function has numbers of a kind of module."""
    return outcome(name, case).values is not None


def index(names: Sequence[str]) -> list[str]:
    """Return the table with one row per kind of module."""
    head = f"| your network | {' | '.join(COLUMNS)} | column of the matrix |"
    rows = [head, "|---" * (len(COLUMNS) + 2) + "|"]
    for group, cases in KINDS.items():
        rows.append(f"| **{group}** |{' |' * (len(COLUMNS) + 1)}")
        for case in cases:
            counts = []
            for entries in COLUMNS.values():
                known = [name for name in names if name in entries]
                counts.append(f"{sum(has_value(name, case) for name in known)} of {len(known)}")
            link = f"[{case.heading}](#{anchor(case.heading)})"
            rows.append(f"| {link} | {' | '.join(counts)} | {CASES.index(case) + 1} |")
    return rows


def anchor(title: str) -> str:
    """Return the anchor of a heading."""
    kept = "".join(one for one in title.lower() if one.isalnum() or one in " -_")
    return kept.replace(" ", "-")


def reasons(names: Sequence[str], case: Case, partly: Sequence[str]) -> list[str]:
    """Return one line per reason why there is no value.

    Args:
        partly: Names of those that have no number of something in any module.
    """
    signs = {name: outcome(name, case).sign for name in names}
    whole = {name: "NaN" if name in partly else "✓" for name in names}
    without = [name for name in names if signs[name] != whole[name]]
    return told(without, names, lambda name: reason(name, case)) or ["All have a value."]


def reason(name: str, case: Case) -> str:
    """Return why a function has no value, without its name."""
    said = outcome(name, case)
    if said.values is not None:
        return "no number for some of the units, layers or inputs."
    return said.refusal.removeprefix(name).removeprefix(":").strip()


def told(names: Iterable[str], of: Sequence[str], reason_of: Callable[[str], str]) -> list[str]:
    """Return one line per reason, with the names that share it.

    Args:
        of: All names, of which the lines are about some.
    """
    sharing: dict[str, list[str]] = {}
    for name in names:
        sharing.setdefault(reason_of(name), []).append(name)
    return [f"* {listed(some, of)}: {reason}" for reason, some in sharing.items()]


def listed(names: Sequence[str], of: Sequence[str] = ()) -> str:
    """Return names as code; of long lists, those that are not on it."""
    others = [name for name in of if name not in names]
    if len(names) > MOST_NAMES and 0 < len(others) <= MOST_NAMES:
        return f"all but {listed(others)}"
    return ", ".join(f"`{name}`" for name in names)


def by_name(names: Sequence[str]) -> list[str]:
    """Return the table of the kinds of which functions have no value."""
    sharing: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        without = tuple(case.heading for case in CASES if not has_value(name, case))
        sharing.setdefault(without, []).append(name)
    rows = sorted(sharing.items(), key=lambda row: len(row[0]))
    return [f"| {listed(some)} | {'; '.join(without) or '–'} |" for without, some in rows]


def matrix(names: Sequence[str]) -> list[str]:
    """Return the table of all outcomes."""
    head = f"| | {' | '.join(str(number + 1) for number in range(len(CASES)))} |"
    rows = (
        f"| `{name}` | {' | '.join(outcome(name, case).sign for case in CASES)} |" for name in names
    )
    return [head, "|---" * (len(CASES) + 1) + "|", *rows]


HEADING = """\
# Kinds of modules

What every measure, profile, similarity and measure of pairs says to a `torch.nn.Module`, by the
kind of module: a value, or one sentence that names what it needs and what it found. Find your
network in the table; the link leads to the reasons. The modules are small and untrained
(`tests/own_modules/cases.py`): 12 inputs of 16 pixels, 3 classes, labels that they predict; spectra
count from 3 eigenvalues on. Similarities are of all pairs of layers; measures of pairs are given
the logits and the last hidden layers of two networks. Made by
`PYTHONPATH=tests:. python -W ignore -m own_modules.page > docs/modules.md`.

## Find your network
"""
NEVER = """
## Not of any module

These are of stacks of networks of a study, or of its records, and left out above and below:
"""
PARTLY = """
{} have columns that only networks of a study fill; they count as values.
"""
BY_NAME = """
## By measure

| measures, profiles, similarities | no value of |
|---|---|"""
MATRIX = """
## Matrix

✓ a value, NaN no number for some units, layers or inputs, – no value. The columns are numbered as
in the first table.
"""

if __name__ == "__main__":
    sys.stdout.write(page())
