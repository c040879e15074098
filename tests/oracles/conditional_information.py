"""Conditional mutual information as it is defined: a table of probabilities for every cell."""

from collections import Counter
from itertools import combinations, permutations
from math import log


def slow_conditional_information(x, y, levels, weights=None):
    """Least share of entropy over at most two factors, over ordered pairs, one after the other."""
    n, factors = levels.shape
    weights = [1] * n if weights is None else weights
    shares = []
    for size in range(3):
        for chosen in combinations(range(factors), size):
            cells = {}
            for a, b in permutations(range(n), 2):
                u = (*levels[a, list(chosen)], *levels[b, list(chosen)])
                signs = (int(x[a] > x[b]) - int(x[a] < x[b]), int(y[a] > y[b]) - int(y[a] < y[b]))
                cells.setdefault(u, Counter())[signs] += int(weights[a] * weights[b])
            information = entropy = 0.0
            for cell in cells.values():
                total = sum(cell.values())
                of_x, of_y = Counter(), Counter()
                for (i, j), often in cell.items():
                    of_x[i] += often
                    of_y[j] += often
                for (i, j), often in cell.items():
                    if often:
                        information += often * log(often * total / (of_x[i] * of_y[j]))
                entropy -= sum(often * log(often / total) for often in of_y.values() if often)
            if entropy > 1e-12:
                shares.append(information / entropy)
    return min(shares) if shares else float("nan")
