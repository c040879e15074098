"""Initial networks of an ensemble, and their architecture.

Args:
    data: Data of the ensemble, as returned by ``experiment_data``.
"""

from collections.abc import Sequence

from generalization.datasets.dataset import Dataset
from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import AnyArchitecture, Architecture, architecture_of
from generalization.networks.convolutional import initialize_convolutional
from generalization.networks.foreign_architecture import ForeignArchitecture
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.module_networks import ModuleNetworks, initialize_modules
from generalization.networks.stacked_networks import StackedNetworks
from generalization.randomness import generator_for


def widths_for(data: Dataset, hyperparameters: Hyperparameters) -> tuple[int, ...]:
    """Return the widths of the networks of an ensemble: input, hidden layers, logits.

    Args:
        hyperparameters: Hyper-parameters, of which ``depth`` and ``width`` are used.
    """
    hidden = (hyperparameters.width,) * (hyperparameters.depth - 1)
    return (data.train_inputs[0].numel(), *hidden, data.classes)


def architecture_for(data: Dataset, hyperparameters: Hyperparameters) -> AnyArchitecture:
    """Return the architecture of an ensemble; the widths if networks are fully connected."""
    if hyperparameters.architecture == "fully_connected":
        return widths_for(data, hyperparameters)
    channels, height, width = data.train_inputs.shape[1:]
    if hyperparameters.is_foreign:
        return ForeignArchitecture.of(hyperparameters, (channels, height, width), data.classes)
    return architecture_of(hyperparameters, (channels, height, width), data.classes)


def initial_networks(
    architecture: AnyArchitecture, hyperparameters: Hyperparameters, seeds: Sequence[int]
) -> StackedNetworks | ModuleNetworks:
    """Initialize the networks of an ensemble at step 0.

    Args:
        architecture: Result of ``architecture_for``, or the number of units per layer.
        hyperparameters: Hyper-parameters; ``activation``, ``biases``, ``normalization``,
            ``initialization``, ``init_scale`` and the name are used. A foreign architecture
            initializes itself, from random numbers that are seeded by the name and the seed.
        seeds: One seed per network; each network depends only on its own seed.

    Returns:
        A stack of ``len(seeds)`` networks on the CPU, in float32 unless a user builds others.
    """
    name = hyperparameters.name
    generators = [generator_for(name, seed, "initialization") for seed in seeds]
    if isinstance(architecture, ForeignArchitecture):
        return initialize_modules(architecture, [one.initial_seed() for one in generators])
    convolutional = isinstance(architecture, Architecture)
    initialize = initialize_convolutional if convolutional else initialize_fully_connected
    return initialize(
        architecture,
        hyperparameters.activation,
        generators,
        init_scale=hyperparameters.init_scale,
        biases=hyperparameters.biases,
        initialization=hyperparameters.initialization,
        normalized=hyperparameters.normalization == "batch",
    )
