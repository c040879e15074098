"""Lay out tables as HTML pages with sorting and filters."""

import argparse
import json
from pathlib import Path

from generalization.errors import exit_on_input_error
from generalization.figures.html_table import html_table, with_seen_labels
from generalization.files import written_whole
from generalization.names import readable
from generalization.tables import read_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--sees", type=json.loads, default={}, help="table → measure → labels")
    parser.add_argument("--outputs", type=Path, nargs="+", required=True, help="one per table")
    arguments = parser.parse_args()

    for file, output in zip(arguments.tables, arguments.outputs, strict=True):
        table = with_seen_labels(read_table(file), arguments.sees.get(file.stem, {}))
        page = html_table(table, readable(file.stem))
        with written_whole(output) as beside:
            beside.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    with exit_on_input_error():
        main()
