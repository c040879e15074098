"""Collect a profile of all ensembles in one table."""

import argparse
from pathlib import Path

from generalization.blocks import add_block_arguments, blocks_of_grids
from generalization.collecting import read_tables
from generalization.computed_on import counted_origins, without_origins
from generalization.errors import exit_on_input_error
from generalization.tables import write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="name of its file")
    add_block_arguments(parser)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-computed-on", type=Path, required=True)
    arguments = parser.parse_args()

    ensembles = blocks_of_grids(arguments.ensembles, arguments.grids, arguments.seeds)
    profile = read_tables(
        block / f"profiles/{arguments.profile}.csv" for _, blocks in ensembles for block in blocks
    ).query(f"seed <= {arguments.seeds}")
    write_table(arguments.output, without_origins(profile))
    write_table(arguments.output_computed_on, counted_origins(profile, arguments.output.stem))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
