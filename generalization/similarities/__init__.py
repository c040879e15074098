"""Similarities of two layers, 1 = same. Each file holds the similarity of its name.

A similarity takes the activations of two layers, ``a`` and ``b``, on the same samples: arrays or
tensors of samples × units, or representations, which are computed once for many comparisons.
``cross_products`` computes the ``products`` of all pairs of layers of two networks at once.
Settings are keyword-only. A similarity returns a ``Score``: the value, its chance level, and its
value on held-out samples.

Args:
    a: Activations of one layer, datapoints × units. Directions within rounding of 0 are left out:
        that of the type, or of a narrower one that holds all numbers, see ``rounded_to``.
    b: Activations of another layer on the same datapoints.
    products: Products of the two representations, if already computed.
"""
