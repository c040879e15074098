"""Units of hidden layers: their information, directions and ablation.

Args:
    mode: Replacement of the activations of ablated units, see ``replacements``.
    layer: Index of the layer, from 0.
    widths: Number of units of each hidden layer.
"""
