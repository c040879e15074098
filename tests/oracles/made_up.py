"""Small networks that were never trained, and data for them."""

import torch

from generalization.datasets.dataset import Dataset
from generalization.hyperparameters import Hyperparameters
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.networks_file import KeptNetworks
from generalization.randomness import generator_for


def kept(biases=False, seeds=(1, 2), normalization="none", activation="relu6"):
    def networks(purpose):
        generators = [generator_for(purpose, seed) for seed in seeds]
        stack = initialize_fully_connected(
            (6, 5, 5, 4), activation, generators, biases=biases, normalized=normalization == "batch"
        )
        for normalized in stack.normalizations:
            for part in (normalized.scale, normalized.shift, normalized.mean, normalized.variance):
                part.uniform_(0.5, 2, generator=generator_for(purpose))
        return stack

    return KeptNetworks(
        hyperparameters=Hyperparameters(
            dataset="digits",
            width=5,
            activation=activation,
            biases=biases,
            normalization=normalization,
        ),
        seeds=seeds,
        steps=((0, 0), (8, 8), (30, 8)),
        statuses=("fitted", "stopped"),
        networks=tuple(networks(purpose) for purpose in "abc"),
    )


def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(9, 1, 2, 3, generator=generator)
    labels = torch.randint(4, (9,), generator=generator)
    return Dataset(
        name="digits",
        classes=4,
        train_inputs=inputs,
        train_labels=labels,
        test_inputs=inputs.flip(0),
        test_labels=labels.flip(0),
    )
