"""Units of hidden layers: their information, directions and ablation.

Args:
    mode: What ablated units become, see ``replacements``.
    layer: Which one, counted from 0.
    widths: Units of every hidden layer.
"""
