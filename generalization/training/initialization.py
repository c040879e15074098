"""How the networks of an ensemble begin."""

from collections.abc import Sequence

from generalization.datasets.dataset import Dataset
from generalization.hyperparameters import Hyperparameters
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.randomness import generator_for


def widths_for(data: Dataset, hyperparameters: Hyperparameters) -> tuple[int, ...]:
    """Units per layer of the networks of an ensemble: input, hidden layers, logits.

    Args:
        data: What they are trained on, as ``experiment_data`` gives it.
        hyperparameters: Of these ``depth`` and ``width``.
    """
    hidden = (hyperparameters.width,) * (hyperparameters.depth - 1)
    return (data.train_inputs[0].numel(), *hidden, data.classes)


def initial_networks(
    widths: Sequence[int], hyperparameters: Hyperparameters, seeds: Sequence[int]
) -> FullyConnectedNetworks:
    """The networks of an ensemble before training, at step 0.

    Args:
        widths: Units per layer: input, hidden layers, logits.
        hyperparameters: Of these ``activation``, ``biases``, ``normalization``,
            ``initialization``, ``init_scale`` and the name.
        seeds: One per network; each network depends on its own seed only.

    Returns:
        A float32 stack of ``len(seeds)`` networks on the CPU.
    """
    name = hyperparameters.name
    return initialize_fully_connected(
        widths,
        hyperparameters.activation,
        [generator_for(name, seed, "initialization") for seed in seeds],
        init_scale=hyperparameters.init_scale,
        biases=hyperparameters.biases,
        initialization=hyperparameters.initialization,
        normalized=hyperparameters.normalization == "batch",
    )
