"""Networks and images → activations of noisy copies, per seed, step and layer."""

import argparse
import json
from pathlib import Path

from generalization.activations import write_activations
from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.devices import prepare_device
from generalization.errors import told_in_one_sentence
from generalization.networks.networks_file import read_networks
from generalization.randomness import generator_for
from generalization.units.cloud_spectra import cloud_images, noisy_copies


def main() -> None:
    """Arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    device, settings = prepare_device(arguments.device, arguments.threads), arguments.settings
    kept = read_networks(arguments.networks, device)
    data = experiment_data(read_dataset(arguments.dataset), kept.hyperparameters)
    images, _ = cloud_images(
        data.train_inputs,
        data.train_labels,
        data.test_inputs,
        data.test_labels,
        settings["images_per_class"],
    )
    generator = generator_for(data.name, "noisy_copies")
    clouds = noisy_copies(images.to(device), generator, settings["noise_stds"], settings["copies"])
    write_activations(
        arguments.output,
        kept,
        clouds.flatten(0, 2),
        layers=range(kept.hyperparameters.depth - 1),
        samples_per_chunk=len(settings["noise_stds"]) * settings["copies"],
    )


if __name__ == "__main__":
    with told_in_one_sentence():
        main()
