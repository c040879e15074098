"""Collect training and measures of all ensembles in two tables, with the hyper-parameters."""

import argparse
from itertools import product
from pathlib import Path

from generalization.blocks import add_block_arguments, blocks_of_grids
from generalization.collecting import read_tables
from generalization.computed_on import counted_origins
from generalization.errors import exit_on_input_error
from generalization.tables import collect_measures, collect_training, write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_block_arguments(parser)
    parser.add_argument("--measures", nargs="+", required=True, help="names of their files")
    parser.add_argument("--output-measures", type=Path, required=True)
    parser.add_argument("--output-training", type=Path, required=True)
    parser.add_argument("--output-computed-on", type=Path, required=True)
    arguments = parser.parse_args()

    ensembles = blocks_of_grids(arguments.ensembles, arguments.grids, arguments.seeds)
    hyperparameters = {ensemble.name: ensemble.as_dict() for ensemble, _ in ensembles}
    blocks = [block for _, blocks in ensembles for block in blocks]
    wanted = f"seed <= {arguments.seeds}"
    training = read_tables(block / "training.csv" for block in blocks).query(wanted)
    measured = read_tables(
        block / f"measures/{measure}.csv" for block, measure in product(blocks, arguments.measures)
    ).query(wanted)
    measures = collect_measures([measured], training, hyperparameters)
    write_table(arguments.output_measures, measures)
    write_table(arguments.output_training, collect_training(training, hyperparameters))
    write_table(arguments.output_computed_on, counted_origins(measured))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
