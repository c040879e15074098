"""What the page of a measure, profile or similarity says of it: source, invariances, cost, card.

Sources are quoted from docstrings. What leaves a value unchanged and what it costs is looked up in
tables of what was checked and counted: ``generalization/audit/audit_checks.csv`` (``make audit``),
``profile_changes.csv`` and ``counted_costs.csv`` (``make properties``), and for layers of
similarities in the catalog, which their tests hold to.

Args:
    kind: Folder of the page.
    name: Function of the catalog.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import counted_costs
import pandas as pd
import profile_changes
from markup import escaped

from generalization.audit.cases import CLASSES, HIDDEN, SIDE, TEST, TRAIN
from generalization.audit.changes import FACTOR, INVARIANCES
from generalization.catalog import (
    ENSEMBLE_MEASURES,
    MEASURES,
    PROFILES,
    SIMILARITIES,
    file_of,
)
from generalization.docstrings import definition
from generalization.names import number, readable

ROOT = Path(__file__).parents[1]
KINDS = {
    "measures": MEASURES,
    "ensemble_measures": ENSEMBLE_MEASURES,
    "profiles": PROFILES,
    "similarities": SIMILARITIES,
}
CHECKS = (*INVARIANCES, "order of inputs")
UNKNOWN = "not known yet: `make {goal}`"
LAYERS = {"a": "of `a` only", "b": "of `b` only"}


@cache
def audit_checks() -> pd.DataFrame:
    """Return the outcomes of all checks of all measures."""
    table = pd.read_csv(ROOT / "generalization/audit/audit_checks.csv")
    return table.set_index(["measure", "check"])


@cache
def all_costs() -> pd.DataFrame:
    """Return the costs of everything, by name."""
    return pd.read_csv(counted_costs.FILE).set_index("name")


def properties(kind: str, name: str) -> str:
    """Return what is known of a function, as a list."""
    path = ROOT / file_of(name)
    names = names_of_arguments(path, name)
    of_signature = "training" if "train_labels" in names else "none"
    lines = [
        f"* **Source:** {escaped(source(path, name))}",
        f"* **Labels it sees:** {getattr(KINDS[kind][name], 'sees', of_signature)}.",
        *invariances(kind, name),
    ]
    drawn = not names.isdisjoint({"generator", "shared_generator"})
    of_many = " for modules of many classes" if "rows" in names else ""
    lines.append(f"* **Randomness:** {'draws random numbers' if drawn else 'none'}{of_many}.")
    if kind in {"measures", "profiles"}:
        stacks = KINDS[kind][name].fully_connected_only
        reads = "stacks of fully connected networks only" if stacks else "stacks and modules"
        lines.append(f"* **Reads:** {reads}; see [kinds of modules](../modules.md).")
    lines.append(f"* **Cost:** {cost(kind, name)}")
    if kind == "measures" and MEASURES[name].baseline:
        lines.append("* **Baseline:** other measures have to outperform it.")
    return "\n".join(lines)


def names_of_arguments(path: Path, name: str) -> set[str]:
    """Return the names of the arguments of a function.

    Args:
        path: Its file.
    """
    arguments = function_of(path, name).args
    return {one.arg for one in ast.walk(arguments) if isinstance(one, ast.arg)}


def function_of(path: Path, name: str) -> ast.FunctionDef:
    """Return the syntax tree of a function.

    Args:
        path: Its file.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)


def source(path: Path, name: str) -> str:
    """Return the source of a definition.

    It is the paragraph of the docstring that begins with ``Source:``; or else what is cited in
    parentheses, or else the sentences that name a year.

    Args:
        path: File of the function.
    """
    paragraphs = definition(path, name).split("\n\n")
    said = next((one for one in paragraphs if one.startswith("Source: ")), "")
    if said:
        return said.removeprefix("Source: ")
    year = r"\b(?:1[89]|20)\d\d\b"
    sentences = re.split(r"(?<!Fig\.)(?<!Eq\.)(?<=[.)])\s+(?=[A-Z])", " ".join(paragraphs))
    found = " ".join(one for one in sentences if re.search(year, one))
    cited = re.findall(rf"\(([^()]*{year}[^()]*)\)", found)
    return f"{'; '.join(cited)}." if cited else found


def invariances(kind: str, name: str) -> list[str]:
    """Return what leaves a value unchanged and what does not, as items of a list."""
    if kind == "profiles":
        return _of_profile(name)
    lines = [_of_layers(name)] if kind == "similarities" else []
    if name not in audit_checks().index:
        return [*lines, f"* **Invariant to:** {UNKNOWN.format(goal='audit')}."]
    checks = audit_checks().loc[name].reindex(CHECKS)
    same = checks[checks["outcome"].isin(["invariant", "passed"])].index
    noisy = checks[checks["outcome"] == "within noise"].index
    others = checks.drop([*same, *noisy])
    changed = [f"{check}{_ratio(row)}" for check, row in others.iterrows()]
    return [
        *lines,
        f"* **Invariant to:** {', '.join(same) or 'nothing of this'}.",
        *([f"* **Invariant up to random numbers:** {', '.join(noisy)}."] if len(noisy) else []),
        *([f"* **Changed by:** {', '.join(changed)}."] if changed else []),
    ]


def _ratio(row: pd.Series) -> str:
    return "" if pd.isna(row["value"]) else f" (×{number(row['value'])})"


def _of_layers(name: str) -> str:
    """Return the changes of layers that leave a similarity unchanged."""
    known = SIMILARITIES[name].invariances
    said = [f"{how} {LAYERS.get(sides, 'of either layer')}" for how, sides in known.items()]
    symmetric = "changes" if SIMILARITIES[name].asymmetric else "is the same"
    return f"* **Invariant to** {', '.join(said)}; it {symmetric} if the layers change places."


def _of_profile(name: str) -> list[str]:
    table = profile_changes.known()
    rows = table[table["profile"] == name]
    if rows.empty:
        return [f"* **Invariances:** {UNKNOWN.format(goal='properties')}."]
    said = profile_changes.told(rows)
    same = [one.removesuffix(": nothing") for one in said if one.endswith(": nothing")]
    changed = [one for one in said if not one.endswith(": nothing")]
    return [
        f"* **Invariant to:** {', '.join(same) or 'nothing of this'}.",
        *([f"* **Columns changed by:** {'; by '.join(changed)}."] if changed else []),
    ]


def cost(kind: str, name: str) -> str:
    """Return what a function costs."""
    said = UNKNOWN.format(goal="properties")
    if name in all_costs().index:
        said = counted_costs.told(all_costs().loc[name], name)
    parts = [said]
    if kind == "measures":
        shares = MEASURES[name].shares_a_job
        parts.append("shares a job with other cheap measures" if shares else "has a job of its own")
    return f"{'; '.join(parts)}."


def card(name: str) -> str:
    """Return the card of a measure, its row on the page of all cards, as a table of two columns.

    Empty for what is not there: profiles, and measures without a card.
    """
    lines = (ROOT / "docs/audit.md").read_text(encoding="utf-8").split("\n")
    head = next(line for line in lines if line.startswith("| measure |"))
    row = next((one for one in lines if one.startswith(f"| {readable(name)} |")), "")
    if not row:
        return ""
    cells = zip(*(line.strip("| ").split(" | ") for line in (head, row)), strict=True)
    first, *rest = (f"| {column} | {value} |" for column, value in cells)
    return "\n".join([first, "|---|---|", *rest])


WIDTHS = "-".join(map(str, (SIDE**2, *HIDDEN, CLASSES)))
LEGEND = f"""\
Invariances are those of small ReLU networks without biases, random and trained: hidden units are
permuted; positive factors move from one layer to another (*rescaling of layers*); the last layer
or all inputs are multiplied by {FACTOR:g} and by other factors (*scale of logits*, *scale of
inputs*); inputs are written in another unit, and the first layer and the pixels per unit of input
follow (*unit of inputs*); inputs are given in another order. A ratio is that of the changed to the
original value, of the network that changes most. Of a profile, columns are compared, whatever the
order of rows, by the first of these factors only. Of a similarity, maps of single layers come first
(the table of Kornblith et al. 2019), which are tested on layers of random numbers.

Costs are counted, not timed, on networks {WIDTHS} in double precision at {TEST} test inputs and
{TRAIN} training inputs: operations of matrix products as multiples of a forward pass, then
decompositions of matrices, and the largest number of bytes in live tensors; in parentheses, how
operations and bytes grow if there are twice as many points. Settings are the defaults; of
profiles, numbers of points and draws are those of their examples.
"""
