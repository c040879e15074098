"""Write the tables of a study as Parquet, beside their CSV files."""

import argparse
from pathlib import Path

from generalization.errors import told_in_one_sentence
from generalization.tables import read_table, write_parquet


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+", help="<table>.csv")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    arguments = parser.parse_args()

    for path in arguments.tables:
        write_parquet(arguments.output / f"{path.stem}.parquet", read_table(path))


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
