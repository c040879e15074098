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
