"""Measures: one number per network.

Each file holds the measure of its name, or a family of measures that share their computation; the
catalog lists the families. The parameters of a measure name its inputs, which
``generalization.offered`` describes; settings are keyword-only. A measure returns R values for R
networks, or R × N values at N samples, whose mean is the measure of the network. Settings that are
counts must be at least 1; otherwise a ValueError names them.

Convolutional networks are passed one at a time, as a ``torch.nn.Sequential``, each time with the
same ``generator``.

Args:
    dtype: Precision of the computation.
    training_margin: Values of this measure, if already computed.
    probes: Number of random probes of the estimate; unused by the closed form.
    initial_networks: The networks at initialization, where normalizations are the identity.
"""
