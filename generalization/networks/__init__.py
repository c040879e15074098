"""Stacks of networks: every weight has a leading network axis, and all numerics act on stacks.

Args:
    activation: Name of an activation function in ``ACTIVATION_FUNCTIONS``, which sets the gain.
    generators: One generator per network, so that each network is drawn independently of others.
    settings: Settings ``init_scale``, ``biases``, ``initialization`` and ``normalized`` of
        ``initial_parts``.
    inputs: One batch shared by all networks, in the dtype of the weights.
    path: Path of a safetensors file.
"""
