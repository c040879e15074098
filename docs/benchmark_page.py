"""The page of benchmarks: what each measures, how to run it, and the ratios that were recorded."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from markup import as_markdown, escaped, titled

from generalization.names import number

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "docs/benchmarks"
# Call by which benchmarks print a table of ratios.
PRINTS_RATIOS = r"^ +print_table\("
# Files beside the benchmarks that are none.
NONE = {"record", "timing"}
HEAD = """\
# Benchmarks

Each compares a hot path with a straightforward implementation and with the limit of the
machine, in one run: variants take turns, so that load of the machine meets all alike.

```sh
make bench                                       # all, about half an hour
make bench ARGS=benchmarks/jacobian_norm.py      # one
make ratios ARGS=jacobian_norm                   # one, twice, for this page
```

In the tables, *× ours* is how many times as long as ours a variant takes, and the fraction is that
of the rate of torch's product of large matrices in single precision (sgemm), measured in the same
run, at which the products alone of our variant run. Each table was measured twice or more, one
number per run. With one thread, seconds are those of the processor.
"""


def benchmarks(records: Path = RECORDS) -> str:
    """Return the page.

    Args:
        records: Folder of what ``make ratios`` has recorded.
    """
    parts = [HEAD.rstrip()]
    for path in sorted((ROOT / "benchmarks").glob("*.py")):
        if path.stem in NONE:
            continue
        code = path.read_text(encoding="utf-8")
        said = ast.get_docstring(ast.parse(code)) or ""
        parts += [f"## {titled(path.stem)}", as_markdown(said.replace("``", "`"))]
        record = records / f"{path.stem}.json"
        if record.exists():
            parts.append(recorded(json.loads(record.read_text(encoding="utf-8"))))
        elif re.search(PRINTS_RATIOS, code, re.MULTILINE):
            parts.append(f"Not recorded: `make ratios ARGS={path.stem}` does it.")
        parts.append(f"`benchmarks/{path.name}`")
    return "\n\n".join(parts)


def recorded(record: dict[str, Any]) -> str:
    """Return the tables of a benchmark, and the machine on which it was run.

    Args:
        record: What ``benchmarks/record.py`` has written.
    """
    runs = record["runs"]
    if not runs:
        return f"Not recorded here: it takes more than {record['limit']} s of processor time."
    tables = [table_of(list(one)) for one in zip(*runs, strict=True)]
    return "\n\n".join([*tables, machine(record["machine"], len(runs))])


def table_of(runs: list[dict[str, Any]]) -> str:
    """Return one table of a benchmark.

    Args:
        runs: The same table of every run. Numbers in titles may differ; that of the first is shown.
    """
    first = runs[0]
    threads = "" if first["threads"] == 1 else f", {first['threads']} threads"
    lines = [f"{escaped(first['title'])}{threads}:", ""]
    lines += ["| variant | ms | × ours | of sgemm |", "|---|---|---|---|"]
    for variant in first["seconds"]:
        seconds = [one["seconds"][variant] for one in runs]
        ratios = [one["seconds"][variant] / one["seconds"][one["ours"]] for one in runs]
        ours = variant == first["ours"]
        fractions = [f"{one['fraction']:.0%}" for one in runs if ours and one["fraction"]]
        cells = [
            f"**{escaped(variant)}**" if ours else escaped(variant),
            ", ".join(number(1e3 * one) for one in seconds),
            "1" if ours else ", ".join(number(one) for one in ratios),
            ", ".join(fractions),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine(known: dict[str, Any], runs: int) -> str:
    """Return the machine of a record in words.

    Args:
        known: Facts of the record.
        runs: Number of runs.
    """
    return (
        f"{runs} runs: {known['processor']} ({known['vectors']}), {known['cores']} cores, "
        f"{known['system']}, Python {known['python']}, torch {known['torch']}; "
        f"the load average was {known['load']:g} at the beginning."
    )
