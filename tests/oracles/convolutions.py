"""Small stacks of convolutional networks of every kind."""

import torch

from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import architecture_of
from generalization.networks.convolutional import initialize_convolutional
from generalization.networks.networks_file import KeptNetworks
from generalization.randomness import generator_for

IMAGE, CLASSES = (2, 9, 8), 3

KINDS = {
    "convolutional": {"architecture": "convolutional", "depth": 4, "width": 60},
    "convolutional, pooled": {
        "architecture": "convolutional",
        "depth": 4,
        "width": 60,
        "pooling": "max",
    },
    "all_convolutional": {"architecture": "all_convolutional", "depth": 4, "width": 4},
    "widening_convolutional": {"architecture": "widening_convolutional", "depth": 4, "width": 2},
    "vgg": {"architecture": "vgg", "depth": 4, "width": 2},
    "vgg, pooled": {"architecture": "vgg", "depth": 4, "width": 2, "pooling": "average"},
}


def hyperparameters_of(kind, **changes):
    return Hyperparameters(**{"dataset": "digits"} | KINDS[kind] | changes)


def convolutional_stack(hyperparameters, seeds=(1, 2), image=IMAGE, classes=CLASSES):
    """Networks whose every tensor is none of those that training begins with."""
    generators = [generator_for("convolutions", seed) for seed in seeds]
    networks = initialize_convolutional(
        architecture_of(hyperparameters, image, classes),
        hyperparameters.activation,
        generators,
        biases=hyperparameters.biases,
        normalized=hyperparameters.normalization == "batch",
    )
    noise = generator_for("trained")
    return networks.map(lambda tensor: tensor + torch.rand(tensor.shape, generator=noise) / 4)


def kept_convolutions(hyperparameters, seeds=(1, 2)):
    stacks = [convolutional_stack(hyperparameters, seeds) for _ in range(3)]
    return KeptNetworks(
        hyperparameters=hyperparameters,
        seeds=seeds,
        steps=((0, 0), (8, 8), (30, 8)),
        statuses=("fitted", "stopped"),
        networks=tuple(s.map(lambda t, k=k: t * (1 - k / 8)) for k, s in enumerate(stacks)),
    )
