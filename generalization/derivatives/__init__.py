"""Derivatives of networks with respect to inputs and parameters: norms, bounds and expectations.

Args:
    weights: Weights W_l of the hidden layers.
    outputs: Matrix C of the outputs Cf.
    probes: Number of random probes, at least 1.
"""
