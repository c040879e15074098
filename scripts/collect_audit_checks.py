"""Collect the checks of all measures in one table."""

import argparse
from pathlib import Path

import pandas as pd

from generalization.errors import exit_on_input_error
from generalization.tables import read_table, write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    tables = map(read_table, arguments.tables)
    write_table(arguments.output, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
