"""Measures: numbers of one network. Every file here holds one, of the same name.

A measure names in its signature what it needs, and is given it by that name:

``networks``
    A stack of R networks, or any ``torch.nn.Module`` where its definition allows. Normalizations
    are folded into the weights.
``trained_networks``
    The same as they were trained: weights, biases and normalizations.
``inputs``
    The first ``samples`` inputs of the test set. Measures never see test labels.
``pixel_deviations``
    Of every one of these inputs, the pixels per unit of input, where pixels are from 0 to 1: what
    is stated in pixels is divided by it.
``train_inputs``, ``train_labels``
    The training set, as the networks saw it.
``initial_networks``
    ``trained_networks`` before training.
``init_scale``
    The hyper-parameter.
``generator``
    A source of randomness that belongs to this measure of these networks.
``shared_generator``
    A source of randomness that is the same for all networks of a dataset, and for all measures.

the name of another measure
    Its R × N numbers, if they were just taken of the same inputs, else nothing.

Settings are keyword-only. A measure returns R numbers, or R × N numbers of points, of which the
mean is the measure of the network.

Of convolutional networks a measure is given one at a time, as a ``torch.nn.Sequential``, each time
with the same ``generator``.
"""

# With default settings these are taken by one job per block of seeds: starting Python and torch
# costs more than most of them. Who joins makes the others be taken anew, everywhere.
SHARE_A_JOB = (
    "jacobian_norm",
    "train_jacobian_norm",
    "translation_jacobian_norm",
    "gaussian_jacobian_norm",
    "logit_jacobian_norm",
    "transitions",
    "normalized_transitions",
    "curvature",
    "discrete_curvature",
    "tangent_sensitivity",
    "output_sensitivity",
    "output_sensitivity_per_output",
    "centered_output_sensitivity",
    "softmax_output_sensitivity",
    "ablation_auc",
    "normalized_ablation_auc",
    "class_selectivity",
    "class_information",
    "output_entropy",
    "training_loss",
    "noise_to_signal_slope",
    "weight_norm",
    "distance_from_initialization",
    "number_of_parameters",
    "random_number",
)

# Each of these has a job of its own, for it takes long.
ALONE = (
    "sampled_transitions",
    "mean_tangent_sensitivity",
    "balanced_tangent_sensitivity",
    "noise_cloud_slope",
)

MEASURES = SHARE_A_JOB + ALONE

# Of convolutional networks these are not defined: they refuse a module.
FULLY_CONNECTED_ONLY = ("normalized_transitions",)

# These are of networks together, which would be drawn alike one by one.
TAKEN_TOGETHER = ("random_number",)

# What a measure has to do better than.
BASELINES = (
    "output_entropy",
    "training_loss",
    "weight_norm",
    "distance_from_initialization",
    "number_of_parameters",
    "random_number",
)
