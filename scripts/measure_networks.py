"""Compute measures of networks: one table per measure, one row per seed and step."""

import argparse
import json
from functools import partial
from pathlib import Path

from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.devices import origin, prepare_device
from generalization.errors import exit_on_input_error
from generalization.measure_networks import measure_networks
from generalization.networks.block_file import read_block
from generalization.signatures import imported
from generalization.tables import read_table, write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument("--training", type=Path, required=True, help="evaluations during training")
    parser.add_argument("--settings", type=json.loads, required=True, help="measure → settings")
    parser.add_argument(
        "--measures", type=imported, nargs="+", required=True, help="module:function"
    )
    parser.add_argument("--alone", nargs="*", default=[], help="measures of one network at a time")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("outputs", type=Path, nargs="+", help="one per measure")
    arguments = parser.parse_args()

    device = prepare_device(arguments.device, arguments.threads)
    kept = read_block(arguments.networks)
    data = experiment_data(read_dataset(arguments.dataset), kept.hyperparameters).to(device)
    measures = {measure.__name__: measure for measure in arguments.measures}
    training = read_table(arguments.training)
    measure = partial(measure_networks, alone=arguments.alone, training=training)
    tables = measure(kept, data, measures, arguments.settings)
    for output, (_, table) in zip(arguments.outputs, tables, strict=True):
        write_table(output, table.assign(**origin(device)))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
