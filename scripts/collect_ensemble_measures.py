"""Collect the measures of the pairs of networks of all ensembles in one table."""

import argparse
from itertools import product
from pathlib import Path

from generalization.blocks import add_block_arguments, blocks_of_grids, paired_blocks
from generalization.collecting import read_tables
from generalization.computed_on import counted_origins
from generalization.errors import exit_on_input_error
from generalization.tables import collect_ensemble_measures, write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_block_arguments(parser)
    parser.add_argument("--measures", nargs="+", required=True, help="names of their files")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--output-computed-on", type=Path, required=True)
    arguments = parser.parse_args()

    ensembles = blocks_of_grids(arguments.ensembles, arguments.grids, arguments.seeds)
    pairs = read_tables(
        folder / block / "pairs" / other / f"{measure}.csv"
        for ensemble, blocks in ensembles
        for folder in [arguments.ensembles / ensemble.name]
        for measure, (block, other) in product(
            arguments.measures, paired_blocks([block.name for block in blocks])
        )
    )
    write_table(arguments.output, collect_ensemble_measures([pairs], arguments.seeds))
    wanted = pairs.query(f"seed_a <= {arguments.seeds} and seed_b <= {arguments.seeds}")
    write_table(arguments.output_computed_on, counted_origins(wanted))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
