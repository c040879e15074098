"""Tables of all ensembles → one table of measures and one of training, with hyper-parameters."""

import argparse
import json
from itertools import product
from pathlib import Path

import pandas as pd

from generalization.errors import told_in_one_sentence
from generalization.hyperparameters import expand_grid
from generalization.tables import collect_measures, collect_training, read_table, write_table


def main() -> None:
    """Arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ensembles", type=Path, required=True, help="folder of all ensembles")
    parser.add_argument("--grids", type=json.loads, required=True)
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("--measures", nargs="+", required=True, help="names of their files")
    parser.add_argument("--output-measures", type=Path, required=True)
    parser.add_argument("--output-training", type=Path, required=True)
    arguments = parser.parse_args()

    ensembles = {one.name: one for grid in arguments.grids for one in expand_grid(grid)}
    hyperparameters = {name: one.as_dict() for name, one in ensembles.items()}
    blocks = [
        block
        for name in ensembles
        for block in (arguments.ensembles / name).glob("seeds-*-*")
        if int(block.name.split("-")[1]) <= arguments.seeds
    ]
    training = pd.concat(map(read_table, (block / "training.csv" for block in blocks)))
    training = training[training["seed"] <= arguments.seeds]
    tables = [
        read_table(block / f"measures/{measure}.csv").query(f"seed <= {arguments.seeds}")
        for block, measure in product(blocks, arguments.measures)
    ]
    measures = collect_measures(tables, training, hyperparameters)
    write_table(arguments.output_measures, measures)
    write_table(arguments.output_training, collect_training(training, hyperparameters))


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
