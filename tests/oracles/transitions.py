"""Transitions of one network and one image by their definition, with nothing from the package."""

from fractions import Fraction
from itertools import pairwise

import numpy as np

THRESHOLDS = {
    "relu": (0,),
    "relu6": (0, 6),
    "tanh": (0,),
    "hardtanh": (-1, 1),
    "hardsigmoid": (Fraction(-1, 2), Fraction(1, 2)),
}
LINEAR_PIECES = {
    "relu": lambda z: max(z, 0),
    "relu6": lambda z: min(max(z, 0), 6),
    "hardtanh": lambda z: min(max(z, -1), 1),
    "hardsigmoid": lambda z: min(max(z + Fraction(1, 2), 0), 1),
}
FUNCTIONS = {name: np.vectorize(piece, otypes=[float]) for name, piece in LINEAR_PIECES.items()}
FUNCTIONS["tanh"] = np.tanh


def dense_transitions(weights, biases, activation, image, points):
    """Code changes per hidden layer between equidistant points, in float64.

    Args:
        weights: Arrays of shape (fan_out, fan_in).
        biases: Arrays of shape (fan_out).
        activation: Its name.
        image: Array of shape (channels, height, width).
        points: How many.
    """
    width = image.shape[-1]
    shifts = np.stack([np.roll(image, -shift, axis=-1).ravel() for shift in range(width)])
    along = np.arange(points) * width / points
    edge, fraction = along.astype(int), (along % 1)[:, None]
    a = (1 - fraction) * shifts[edge] + fraction * shifts[(edge + 1) % width]
    changes = []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        z = a @ weight.T + bias
        code = sum((z > float(threshold)).astype(int) for threshold in THRESHOLDS[activation])
        changes.append(int(np.abs(code - np.roll(code, -1, axis=0)).sum()))
        a = FUNCTIONS[activation](z)
    return changes


def rational_transitions(weights, biases, activation, image):
    """Code changes per hidden layer around the whole loop, in exact rational arithmetic.

    Codes are compared in the middle of neighbouring linear pieces, whatever happens between them.
    """
    shifts = [np.roll(image, -s, axis=-1).ravel() for s in range(image.shape[-1] + 1)]
    shifts = [[Fraction(float(pixel)) for pixel in shift] for shift in shifts]
    layers = [
        ([[Fraction(float(w)) for w in row] for row in weight], [Fraction(float(b)) for b in bias])
        for weight, bias in zip(weights, biases, strict=True)
    ]

    def preactivations(along, layer):
        edge = min(int(along), len(shifts) - 2)
        fraction = along - edge
        a = [
            (1 - fraction) * p + fraction * q
            for p, q in zip(shifts[edge], shifts[edge + 1], strict=True)
        ]
        for weight, bias in layers[: layer + 1]:
            z = [
                sum(w * x for w, x in zip(row, a, strict=True)) + b
                for row, b in zip(weight, bias, strict=True)
            ]
            a = [LINEAR_PIECES[activation](value) for value in z]
        return z

    breakpoints = [Fraction(shift) for shift in range(len(shifts))]
    changes = []
    for layer in range(len(layers) - 1):
        found = set(breakpoints)
        ends = [preactivations(along, layer) for along in breakpoints]
        for (begin, end), (here, there) in zip(pairwise(breakpoints), pairwise(ends), strict=True):
            for z, y in zip(here, there, strict=True):
                for threshold in THRESHOLDS[activation]:
                    if (z - threshold) * (y - threshold) < 0:
                        found.add(begin + (end - begin) * (threshold - z) / (y - z))
        breakpoints = sorted(found)
        codes = [
            [sum(z > t for t in THRESHOLDS[activation]) for z in preactivations(middle, layer)]
            for middle in ((begin + end) / 2 for begin, end in pairwise(breakpoints))
        ]
        changes.append(
            sum(
                abs(before - after)
                for left, right in pairwise([*codes, codes[0]])
                for before, after in zip(left, right, strict=True)
            )
        )
    return changes
