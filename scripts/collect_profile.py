"""A profile of all ensembles → one table."""

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
    parser.add_argument("profile", help="name of its file")
    parser.add_argument("--ensembles", type=Path, required=True, help="folder of all ensembles")
    parser.add_argument("--grids", type=json.loads, required=True)
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()

    ensembles = dict.fromkeys(one.name for grid in arguments.grids for one in expand_grid(grid))
    tables = [
        read_table(block / f"profiles/{arguments.profile}.csv").query(f"seed <= {arguments.seeds}")
        for name in ensembles
        for block in sorted((arguments.ensembles / name).glob("seeds-*-*"))
        if int(block.name.split("-")[1]) <= arguments.seeds
    ]
    write_table(arguments.output, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
