"""A table of networks, which several tests split into panels."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def table():
    """Table of two datasets × three depths × two seeds, with one combination missing."""
    rows = [
        {"dataset": dataset, "depth": depth, "ensemble": f"{dataset}-{depth}", "seed": seed}
        for dataset in ("mnist", "digits")
        for depth in (5, 2, 3)
        for seed in (1, 2)
        if (dataset, depth) != ("digits", 5)
    ]
    return pd.DataFrame(rows).assign(value=np.arange(10.0))
