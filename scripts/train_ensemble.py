"""Train one network per seed, all as one stack; write the networks and the training history."""

import argparse
import json
from functools import partial
from pathlib import Path

import pandas as pd

from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.devices import prepare_device
from generalization.errors import exit_on_input_error
from generalization.hyperparameters import Hyperparameters
from generalization.networks.networks_file import write_networks
from generalization.tables import write_table
from generalization.training import train_ensemble
from generalization.training.checkpoint import checkpoint_beside
from generalization.training.progress import shown_progress


def main() -> None:
    """Parse arguments, read, call, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--hyperparameters", type=json.loads, required=True)
    parser.add_argument("--code", default="by-hand", help="resume only what the same code began")
    parser.add_argument("--seeds", required=True, help="seeds-<first>-<last>")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument("--training", type=Path, required=True)
    arguments = parser.parse_args()

    device = prepare_device(arguments.device, arguments.threads)
    hyperparameters = Hyperparameters(**arguments.hyperparameters)
    first, last = map(int, arguments.seeds.split("-")[1:])
    data = experiment_data(read_dataset(arguments.dataset), hyperparameters)
    beside = checkpoint_beside(arguments.networks, arguments.code)
    progress = shown_progress(hyperparameters.name, last - first + 1)
    with beside as checkpoint, progress as report:
        train = partial(train_ensemble, device=device, checkpoint=checkpoint, report=report)
        trained = train(data, hyperparameters, range(first, last + 1))
        write_networks(arguments.networks, trained.kept)
        write_table(
            arguments.training, pd.DataFrame(trained.training).assign(**trained.kept.made_on)
        )


if __name__ == "__main__":
    with exit_on_input_error():
        main()
