"""Derivatives of networks by inputs and parameters, their norms, bounds and expectations.

Args:
    weights: W_l of the hidden layers.
    outputs: The matrix C.
    probes: Number of draws, at least 1.
"""
