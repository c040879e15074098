"""Compute measures of a network of a user: one table per measure."""

import argparse
import json
import sys
from pathlib import Path

from generalization.datasets.own_parts import own_parts
from generalization.devices import origin, prepare_device
from generalization.errors import exit_on_input_error
from generalization.networks.own_module import own_module
from generalization.own_population import measure_own_network, named_network
from generalization.signatures import imported
from generalization.tables import write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", type=json.loads, required=True, help="row of the manifest")
    parser.add_argument("--weights", type=Path, nargs="+", required=True, help="and at the start")
    parser.add_argument("--data", type=json.loads, required=True, help="train, test and loss")
    parser.add_argument("--path", default="", help="folders of modules, with : between them")
    parser.add_argument("--settings", type=json.loads, required=True, help="measure → settings")
    parser.add_argument("--measures", type=imported, nargs="+", required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--manifest", default="the manifest", help="file that has the row")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("outputs", type=Path, nargs="+", help="one per measure")
    arguments = parser.parse_args()

    sys.path[:0] = arguments.path.split(":")
    device = prepare_device(arguments.device, arguments.threads)
    about, data = arguments.network, arguments.data
    parts = own_parts(data)
    train, test = (tuple(one.to(device) for one in parts[part]) for part in ("train", "test"))
    network = about["ensemble"], about["seed"]
    with named_network(*network, arguments.manifest):
        module, initial = [
            weights and own_module(about["factory"], about["arguments"], weights).to(device)
            for weights in [*arguments.weights, None][:2]
        ]
    measures = {measure.__name__: measure for measure in arguments.measures}
    settings, how = arguments.settings, {"repeats": arguments.repeats, "loss": data["loss"]}
    tables = measure_own_network(module, initial, *network, train, test, measures, settings, **how)
    for output, table in zip(arguments.outputs, tables, strict=True):
        write_table(output, table.assign(**origin(device)))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
