"""Similarities: numbers of two layers, 1 = same. Every file here holds one, of the same name.

A similarity takes two layers, ``a`` and ``b``: what they say to the same samples, as arrays or
tensors of samples × units, or as representations, which are made once and compared often. With
``products``, of ``cross_products``, those of all pairs of two networks are computed at once.
Settings are keyword-only. It returns a ``Score``: the value, what it would be by chance, and how it
holds on samples that it was not fitted to.

Args:
    a: One layer, datapoints × units.
    b: Another, of the same datapoints.
    products: Products of the two representations, if they are known.
"""
