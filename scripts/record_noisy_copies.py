"""Record activations at noisy copies of images, per seed, step and layer."""

import argparse
import json
from pathlib import Path

from generalization.activations import write_activations
from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.devices import prepare_device
from generalization.errors import exit_on_input_error
from generalization.networks.block_file import read_block
from generalization.randomness import generator_for
from generalization.units.cloud_spectra import noisy_images


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

    device, settings = prepare_device(arguments.device, arguments.threads), arguments.settings
    kept = read_block(arguments.networks)
    data = experiment_data(read_dataset(arguments.dataset), kept.hyperparameters)
    generator = generator_for(data.name, "noisy_copies")
    write_activations(
        arguments.output,
        kept,
        noisy_images(data, generator, device, **settings),
        layers=range(kept.hyperparameters.depth - 1),
        samples_per_chunk=len(settings["noise_stds"]) * settings["copies"],
    )


if __name__ == "__main__":
    with exit_on_input_error():
        main()
