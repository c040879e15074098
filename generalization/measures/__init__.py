"""Measures: numbers of one network.

A file holds the measure of its name, or a family of measures that share their computation; the
catalog says which. A measure names in its signature what it needs, out of what
``generalization.offered`` describes; settings are keyword-only. It returns R values for R networks,
or R × N values at N points, whose mean is the measure of the network.

Convolutional networks are given one at a time, as a ``torch.nn.Sequential``, each time with the
same ``generator``.

Args:
    dtype: Precision of all steps.
    training_margin: Values of this measure, if they are known.
    probes: Number of draws of the estimate. The closed form has none.
    initial_networks: The networks before training, whose normalizations, if there are any, change
        nothing.
"""
