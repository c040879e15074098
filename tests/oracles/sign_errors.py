"""Robust sign errors as they are defined: one pair of networks after the other."""

from itertools import product

import numpy as np


def slow_sign_errors(measure, gap, levels, test_size, fewest_effective):
    """Error per pair of ensembles that differ in one factor alone, by two double loops."""
    found = {}
    for a, b in product(range(len(levels)), repeat=2):
        differ = np.flatnonzero(levels[a] != levels[b])
        if len(differ) != 1 or levels[a, differ[0]] > levels[b, differ[0]]:
            continue
        total = squares = wrong = 0.0
        networks = set()
        for i, j in product(range(gap.shape[1]), repeat=2):
            if np.isnan([measure[a, i], measure[b, j], gap[a, i], gap[b, j]]).any():
                continue
            networks |= {(a, i), (b, j)}
            difference = gap[a, i] - gap[b, j]
            w = max(0.0, 1 - 2 * np.exp(-2 * test_size * (difference / 2) ** 2)) ** 2
            w = max(0.0, w - 0.5)
            sign = float(measure[a, i] > measure[b, j]) - float(measure[a, i] < measure[b, j])
            total, squares = total + w, squares + w * w
            wrong += w * (1 - sign * np.sign(difference)) / 2
        effective = min(total**2 / squares, len(networks) - 1) if squares else 0.0
        if effective > 0 and effective >= fewest_effective:
            found[a, b] = wrong / total
    return found
