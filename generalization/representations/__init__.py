"""Representations of layers, and the building blocks of all similarities.

Args:
    a: Representation of one layer.
    b: Representation of another layer.
    product: Product AᴴB of their centered coordinates.
    similarity: Similarity from ``generalization.similarities``.
    asymmetric: Whether the similarity changes when the layers are exchanged.
    size: Height and width of feature maps, for the layout ``interpolate``.
"""
