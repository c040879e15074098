"""Lay out a table as an HTML page with sorting and filters."""

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
    parser.add_argument("table", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--sees", type=json.loads, default={}, help="measure → labels it sees")
    arguments = parser.parse_args()

    table = with_seen_labels(read_table(arguments.table), arguments.sees)
    page = html_table(table, readable(arguments.table.stem))
    with written_whole(arguments.output) as beside:
        beside.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    with exit_on_input_error():
        main()
