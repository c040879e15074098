"""Similarities of all networks → one table."""

import argparse
import json
from pathlib import Path

import pandas as pd

from generalization.errors import told_in_one_sentence
from generalization.hyperparameters import expand_grid
from generalization.tables import read_table, write_table


def main() -> None:
    """Arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ensembles", type=Path, required=True, help="folder of all ensembles")
    parser.add_argument(
        "--similarities", type=json.loads, required=True, help="names of their files, and pairs"
    )
    parser.add_argument("--grids", type=json.loads, required=True)
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()

    ensembles = sorted({one.name for grid in arguments.grids for one in expand_grid(grid)})
    wanted = f"seed_a <= {arguments.seeds} and seed_b <= {arguments.seeds}"
    tables = [
        read_table(path).query(wanted)
        for name, every_pairs in arguments.similarities.items()
        for pairs in every_pairs
        for one in ensembles
        for other in ensembles
        for path in sorted(
            (arguments.ensembles / one).glob(f"seeds-*-*/similarities/{name}/{pairs}/{other}/*.csv")
        )
    ]
    # A block of one seed has no pairs of seeds; empty columns would spoil the types of others.
    filled = [table for table in tables if len(table)] or tables[:1]
    write_table(arguments.output, pd.concat(filled, ignore_index=True))


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
