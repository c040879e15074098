"""Representations of layers, and the parts that all similarities are made from.

Args:
    a: One layer.
    b: Another.
    product: AᴴB of their centered coordinates.
    similarity: One of ``generalization.similarities``.
    asymmetric: Whether the similarity changes when the layers change places.
    size: Height and width, for ``interpolate``.
"""
