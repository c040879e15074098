"""Tables to read and search in a browser, each a page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd
from pandas.api.types import is_numeric_dtype

from generalization.names import interval, number, readable, value_name

# Columns whose cells are names of the project, shown in words.
NAMES = {"measure", "statistic", "factor", "quantity", "setting", "larger_in", "table", "name"}
LONG = 60  # Characters of a cell that narrow columns would break into many lines.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 14px/1.45 system-ui, sans-serif; margin: 1rem; color: #1b1b1b; background: #fff; }}
h1 {{ font-size: 1.2rem; margin: 0 0 .6rem; }}
input {{ font: inherit; padding: .3rem .5rem; width: 18rem; max-width: 100%; }}
output {{ color: #5a5a5a; margin-left: .6rem; }}
table {{ border-collapse: collapse; margin-top: .7rem; }}
td {{ white-space: pre-line; vertical-align: top; max-width: 60rem; }}
td.words {{ min-width: 15rem; }}
th, td {{ padding: .3rem .7rem; text-align: left; border-bottom: 1px solid #e4e4e4; }}
th {{ position: sticky; top: 0; background: #f4f6f8; white-space: nowrap; }}
th button {{ all: unset; cursor: pointer; font-weight: 600; }}
th button:focus-visible {{ outline: 2px solid #0072b2; }}
th[aria-sort=ascending] button::after {{ content: " ▲"; }}
th[aria-sort=descending] button::after {{ content: " ▼"; }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
tbody tr:hover {{ background: #f4f8fb; }}
</style>
</head>
<body>
<h1>{title}</h1>
{above}<label>Filter <input type="search" placeholder="words, all of which a row has"></label>
<output></output>
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
{below}<script>
const body = document.querySelector("tbody"), rows = [...body.rows];
const heads = [...document.querySelectorAll("th")], filter = document.querySelector("input");
function show() {{
  const words = filter.value.toLowerCase().split(/\\s+/);
  for (const row of rows)
    row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
  const shown = rows.filter(row => !row.hidden).length;
  document.querySelector("output").textContent = `${{shown}} of ${{rows.length}} rows`;
}}
function sort(place) {{
  const rising = heads[place].ariaSort !== "ascending", key = row => row.cells[place].dataset.key;
  const missing = row => key(row) === "";
  const less = (a, b) => isNaN(key(a) - key(b)) ? key(a).localeCompare(key(b)) : key(a) - key(b);
  rows.sort((a, b) => missing(a) - missing(b) || (rising ? less(a, b) : less(b, a)));
  heads.forEach(head => head.ariaSort = "none");
  heads[place].ariaSort = rising ? "ascending" : "descending";
  body.append(...rows);
}}
heads.forEach((head, place) => head.firstChild.addEventListener("click", () => sort(place)));
filter.addEventListener("input", show);
show();
</script>
</body>
</html>
"""


def html_table(table: pd.DataFrame, title: str, *, above: str = "", below: str = "") -> str:
    """A page with a table that is sorted by a click on a heading and filtered by words.

    Args:
        table: Table to show. The columns estimate, low and high become one, ``0.83 [0.71, 0.90]``,
            sorted by the estimate. Other numbers have three significant digits, whole ones all.
            Names of measures, statistics and hyper-parameters are written as words.
        title: Heading of the page.
        above: HTML between heading and table.
        below: HTML below the table.

    Returns:
        HTML that asks for nothing from the network. Missing numbers are dashes, and what is missing
        is sorted last.
    """
    columns = [key for key in table if key not in ("low", "high") or "estimate" not in table]
    numeric = {key for key in columns if is_numeric_dtype(table[key]) and table[key].dtype != bool}
    head = "".join(
        f'<th scope="col" aria-sort="none"{_looks(key in numeric)}>'
        f"<button>{escape(readable(str(key)))}</button></th>"
        for key in columns
    )
    body = "\n".join(
        f"<tr>{''.join(_cell(row, key, numeric=key in numeric) for key in columns)}</tr>"
        for row in table.to_dict("records")
    )
    return PAGE.format(title=escape(title), head=head, body=body, above=above, below=below)


def with_seen_labels(table: pd.DataFrame, sees: Mapping[str, str]) -> pd.DataFrame:
    """Tell beside every measure which labels it sees; a table without measures stays as it is.

    Args:
        table: Table to show.
        sees: Measure → labels that it sees; hashes of settings are no part of names.
    """
    if "measure" not in table or not sees or "sees" in table:
        return table
    names = table["measure"].astype(str).str.replace(r"-[0-9a-f]{8}$", "", regex=True)
    told = table.copy()
    told.insert(table.columns.get_loc("measure") + 1, "sees_labels", names.map(sees).fillna(""))
    return told


def _cell(row: dict, key: str, *, numeric: bool) -> str:
    value = row[key]
    if key == "estimate" and "low" in row and "high" in row:
        shown = interval(value, row["low"], row["high"])
    elif key in NAMES and isinstance(value, str):
        shown = readable(value)
    else:
        shown = number(value) if numeric else "" if pd.isna(value) else value_name(value)
    order = "" if pd.isna(value) else str(value)
    looks = ' class="words"' if len(shown) > LONG else _looks(numeric)
    return f'<td data-key="{escape(order)}"{looks}>{escape(shown)}</td>'


def _looks(numeric: bool) -> str:
    return ' class="number"' if numeric else ""
