"""Collect training and measures of all ensembles in two tables, with the hyper-parameters."""

import argparse
from itertools import product
from pathlib import Path

import pandas as pd

from generalization.blocks import add_block_arguments, blocks_of_grids
from generalization.errors import exit_on_input_error
from generalization.tables import collect_measures, collect_training, read_table, write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_block_arguments(parser)
    parser.add_argument("--measures", nargs="+", required=True, help="names of their files")
    parser.add_argument("--output-measures", type=Path, required=True)
    parser.add_argument("--output-training", type=Path, required=True)
    arguments = parser.parse_args()

    ensembles = blocks_of_grids(arguments.ensembles, arguments.grids, arguments.seeds)
    hyperparameters = {ensemble.name: ensemble.as_dict() for ensemble, _ in ensembles}
    blocks = [block for _, blocks in ensembles for block in blocks]
    wanted = f"seed <= {arguments.seeds}"
    training = pd.concat(read_table(block / "training.csv").query(wanted) for block in blocks)
    tables = [
        read_table(block / f"measures/{measure}.csv").query(wanted)
        for block, measure in product(blocks, arguments.measures)
    ]
    measures = collect_measures(tables, training, hyperparameters)
    write_table(arguments.output_measures, measures)
    write_table(arguments.output_training, collect_training(training, hyperparameters))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
