"""Compute a profile of networks: a table with many rows per seed and step."""

import argparse
import json
from functools import partial
from pathlib import Path

from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.devices import origin, prepare_device
from generalization.errors import exit_on_input_error
from generalization.networks.block_file import read_block
from generalization.profile_networks import profile_networks
from generalization.recorded import opened_record
from generalization.signatures import imported
from generalization.tables import write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument("--recorded", type=Path, nargs="?", help="activations that it reads")
    parser.add_argument("--profile", type=imported, required=True, help="module:function")
    parser.add_argument("--together", action="store_true", help="it compares networks")
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("output", type=Path, help="the table")
    arguments = parser.parse_args()

    device = prepare_device(arguments.device, arguments.threads)
    kept = read_block(arguments.networks)
    data = experiment_data(read_dataset(arguments.dataset), kept.hyperparameters).to(device)
    profile = partial(profile_networks, together=arguments.together)
    with opened_record(arguments.recorded) as recorded:
        table = profile(kept, data, arguments.profile, arguments.settings, recorded)
    write_table(arguments.output, table.assign(**origin(device)))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
