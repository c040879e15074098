"""Summarize what a study found, for the front page of its report."""

import argparse
import json
from pathlib import Path

import pandas as pd

from generalization.errors import exit_on_input_error
from generalization.files import write_checked
from generalization.signatures import named_by
from generalization.statistics.summary import summary
from generalization.tables import read_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+", help="<table>.csv")
    parser.add_argument("--computed-on", type=Path, nargs="*", default=[], help="devices of tables")
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    tables = {path.stem: read_table(path) for path in arguments.tables}
    if arguments.computed_on:
        tables["computed_on"] = pd.concat(map(read_table, arguments.computed_on), ignore_index=True)
    lines = summary(**named_by(summary, arguments.settings | tables))
    write_checked(arguments.output, ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    with exit_on_input_error():
        main()
