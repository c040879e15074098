"""Derivatives of networks by inputs and parameters, their norms, bounds and expectations."""
