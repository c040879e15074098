"""Record activations of networks per seed, step and layer."""

import argparse
import json
from pathlib import Path

from generalization.activations import write_activations
from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.devices import prepare_device
from generalization.errors import exit_on_input_error
from generalization.networks.block_file import read_block


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    device = prepare_device(arguments.device, arguments.threads)
    kept = read_block(arguments.networks)
    data = experiment_data(read_dataset(arguments.dataset), kept.hyperparameters)
    inputs = data.test_inputs[: arguments.settings.pop("samples")].to(device)
    write_activations(arguments.output, kept, inputs, **arguments.settings)


if __name__ == "__main__":
    with exit_on_input_error():
        main()
