"""Collect the similarities of all networks in one table."""

import argparse
import json
from pathlib import Path

import pandas as pd

from generalization.blocks import add_block_arguments, blocks_of_grids
from generalization.errors import told_in_one_sentence
from generalization.tables import read_table, write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--similarities", type=json.loads, required=True, help="names of their files, and pairs"
    )
    add_block_arguments(parser)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()

    found = blocks_of_grids(arguments.ensembles, arguments.grids, arguments.seeds)
    blocks_of = dict(sorted((ensemble.name, blocks) for ensemble, blocks in found))
    wanted = f"seed_a <= {arguments.seeds} and seed_b <= {arguments.seeds}"
    tables = [
        read_table(path).query(wanted)
        for name, every_pairs in arguments.similarities.items()
        for pairs in every_pairs
        for blocks in blocks_of.values()
        for other in blocks_of
        for block in blocks
        for path in sorted((block / f"similarities/{name}/{pairs}/{other}").glob("*.csv"))
    ]
    # A block of one seed has no pairs of seeds; empty columns would spoil the types of others.
    filled = [table for table in tables if len(table)] or tables[:1]
    write_table(arguments.output, pd.concat(filled, ignore_index=True))


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
