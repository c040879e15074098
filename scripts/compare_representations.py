"""Compute similarities of two blocks of seeds from their activations, a row per pair of layers."""

import argparse
import json
from functools import partial
from pathlib import Path

from generalization.activations import Activations
from generalization.devices import origin, prepare_device
from generalization.errors import exit_on_input_error
from generalization.networks.block_file import read_block
from generalization.representations.comparing import compare_networks
from generalization.signatures import imported
from generalization.tables import write_table


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("similarity", type=imported, help="module:function")
    parser.add_argument("pairs", help="over_training, between_seeds …")
    parser.add_argument("--activations", type=Path, nargs=2, required=True)
    parser.add_argument("--networks", type=Path, nargs="?", help="for straight_line")
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--asymmetric", action="store_true", help="it has two orders")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    device = prepare_device(arguments.device, arguments.threads)
    kept = arguments.networks and read_block(arguments.networks)
    first, second = arguments.activations
    compare = partial(compare_networks, asymmetric=arguments.asymmetric, device=device)
    with Activations(first) as a, Activations(second) as b:
        table = compare(a, b, arguments.similarity, arguments.pairs, arguments.settings, kept=kept)
    write_table(arguments.output, table.assign(**origin(device)))


if __name__ == "__main__":
    with exit_on_input_error():
        main()
