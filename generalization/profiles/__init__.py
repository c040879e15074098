"""Profiles: tables of a network with many rows, one per test point, per angle, per layer.

Every file here holds one, of the same name. A profile names in its signature what it needs, and is
given it by that name:

``networks``
    A stack of R networks. Normalizations are folded into the weights. Convolutional networks come
    one at a time, as a ``torch.nn.Sequential``.
``inputs``, ``labels``
    The first ``samples`` of the test set. Unlike measures, profiles may see test labels: they show
    where a network fails, they do not predict it.
``pixel_deviations``, ``shared_generator``
    As for measures.
``train_inputs``, ``train_labels``
    The training set, as the networks saw it.
``init_scale``
    The hyper-parameter.
``hyperparameters``
    All of them.
``members``
    A table of what the networks of the stack are: ``seed``, ``step`` and ``final``, whether that is
    the last step of the network.
``generator``
    A source of randomness that belongs to this profile of this dataset: the same for all networks.
``recorded``
    For ``noise_clouds``: what was recorded of the networks. Of a slice of positions it gives the
    inputs there and, one tensor per hidden layer, what the stack says to them.

Settings are keyword-only. A profile returns a table whose column ``network`` is a position in the
stack.
"""

PROFILES = (
    "points",
    "ellipses",
    "boundaries",
    "transitions_per_layer",
    "translation_trajectory",
    "activation_regions",
    "tangent_bounds",
    "train_test_sensitivity",
    "projection_accuracy",
    "output_sensitivities",
    "output_distances",
    "noise_clouds",
    "prediction_errors",
    "ablation_curves",
    "single_units",
)

# These compare networks, and are given convolutional ones as a stack too.
TAKEN_TOGETHER = ("output_distances", "projection_accuracy")

# These read the layers of stacks of fully connected networks.
FULLY_CONNECTED_ONLY = (
    "ellipses",
    "boundaries",
    "transitions_per_layer",
    "translation_trajectory",
    "activation_regions",
    "tangent_bounds",
    "train_test_sensitivity",
)
