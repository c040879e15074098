"""Compute measures of the pairs of networks of two blocks of seeds: one table per measure."""

import argparse
import json
from pathlib import Path

from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.devices import origin, prepare_device
from generalization.errors import exit_on_input_error
from generalization.measure_pairs import measure_pairs
from generalization.networks.block_file import read_block
from generalization.signatures import imported
from generalization.tables import write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--networks", type=Path, nargs=2, required=True, help="of two blocks")
    parser.add_argument("--settings", type=json.loads, required=True, help="measure → settings")
    parser.add_argument(
        "--measures", type=imported, nargs="+", required=True, help="module:function"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("outputs", type=Path, nargs="+", help="one per measure")
    arguments = parser.parse_args()

    device = prepare_device(arguments.device, arguments.threads)
    a, b = (read_block(path) for path in arguments.networks)
    data = experiment_data(read_dataset(arguments.dataset), a.hyperparameters).to(device)
    measures = {measure.__name__: measure for measure in arguments.measures}
    tables = measure_pairs(a, b, data, measures, arguments.settings)
    for output, (_, table) in zip(arguments.outputs, tables, strict=True):
        write_table(output, table.assign(**origin(device)))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
