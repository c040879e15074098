"""Regressions of the league on made-up populations."""

from itertools import islice

import numpy as np

from generalization.statistics.league import league
from generalization.statistics.population import Population
from generalization.statistics.resampling import Resampling


def regression(x, y, ensembles, level):
    """Slope and adjusted R² of a gap y on a measure x: rows of the league.

    Args:
        x: A number per network, not all of them positive: the league takes logarithms then.
        y: A number per network.
        ensembles: As many networks of each, one after the other.
    """
    count = len(np.unique(ensembles))
    population = Population(
        measures=["measure"],
        kinds=["candidate"],
        values=np.reshape(x, (1, count, -1)),
        gap=np.reshape(y, (count, -1)),
        levels=np.zeros((count, 0), int),
        factors=[],
        test_sizes=np.full(count, 10_000),
        train_loss=np.full((count, len(y) // count), np.nan),
    )
    # The league is lazy: it computes the first five rows, three correlations and these two.
    rows = league(population, Resampling(np.random.default_rng(0), level=level), permutations=1)
    found = {row["statistic"]: row for row in islice(rows, 5)}
    return found["ols_slope"], found["ols_r_squared"]
