"""Evaluate a network of a user on its training set and its test set."""

import argparse
import json
import sys
from pathlib import Path

from generalization.datasets.own_parts import own_parts
from generalization.devices import origin, prepare_device
from generalization.errors import exit_on_input_error
from generalization.networks.own_module import own_module
from generalization.own_population import evaluated, named_network
from generalization.tables import write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", type=json.loads, required=True, help="row of the manifest")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=json.loads, required=True, help="train and test")
    parser.add_argument("--path", default="", help="folders of modules, with : between them")
    parser.add_argument("--manifest", default="the manifest", help="file that has the row")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    sys.path[:0] = arguments.path.split(":")
    device = prepare_device(arguments.device, arguments.threads)
    about, data = arguments.network, arguments.data
    parts = own_parts(data)
    train, test = (tuple(one.to(device) for one in parts[part]) for part in ("train", "test"))
    network = about["ensemble"], about["seed"]
    with named_network(*network, arguments.manifest):
        module = own_module(about["factory"], about["arguments"], arguments.weights).to(device)
        table = evaluated(module, *network, train, test)
    write_table(arguments.output, table.assign(**origin(device)))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
