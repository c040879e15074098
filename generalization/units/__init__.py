"""Units of hidden layers: their information, directions and ablation."""
