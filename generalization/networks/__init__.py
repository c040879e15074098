"""Stacks of networks: every weight has a leading network axis, and all numerics act on stacks.

Args:
    activation: A name of ``ACTIVATION_FUNCTIONS``; it sets the gain.
    generators: One per network, so that a network does not depend on its neighbors.
    settings: ``init_scale``, ``biases``, ``initialization`` and ``normalized``, see
        ``initial_parts``.
    inputs: One batch for all networks, in the dtype of the weights.
    path: A safetensors file.
"""
