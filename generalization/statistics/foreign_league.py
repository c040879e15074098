"""The league of a table of measures from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from generalization.errors import InputError
from generalization.signatures import named_by
from generalization.statistics.estimates import joined
from generalization.statistics.fit_statistics import fit_statistics
from generalization.statistics.model_statistics import model_statistics
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import excluded
from generalization.statistics.selection_on_fit import selection_on_fit

DEFAULT_TEST_SIZE = 10_000


def foreign_league(
    measures: pd.DataFrame,
    *,
    baselines: Sequence[str],
    fitted_accuracy: float,
    resamples: int,
    test_size: int | None = None,
) -> dict[str, pd.DataFrame]:
    """Compute all that a study says of its measures.

    Args:
        measures: Table of ``read_foreign_table``.
        baselines: Measures that others are to beat.
        resamples: Number of bootstrap resamples.
        test_size: Number of test points behind every test accuracy, on which sign errors rest; if
            it is not given, 10,000, and their notes say so.

    Returns:
        ``statistics``, ``design``, ``excluded``, ``selection_on_fit`` and ``model_statistics``.

    Raises:
        InputError: If the test size is less than 1.
    """
    if test_size is not None and test_size < 1:
        raise InputError(f"test_size must be at least 1, not {test_size}.")
    datasets = measures["dataset"].unique()
    offered = {
        "test_sizes": dict.fromkeys(datasets, test_size or DEFAULT_TEST_SIZE),
        "resampling": Resampling(np.random.default_rng(list(b"statistics")), resamples),
        "baselines": baselines,
        "fitted_accuracy": fitted_accuracy,
    }
    statistics, design = fit_statistics(measures, **named_by(fit_statistics, offered))
    if test_size is None:
        taken = f"test points are taken for {DEFAULT_TEST_SIZE:,}"
        rows = statistics["statistic"].str.startswith("sign_error")
        notes = [joined(note, taken) for note in statistics.loc[rows, "note"]]
        statistics.loc[rows, "note"] = notes
    tables = {"statistics": statistics, "design": design}
    tables["excluded"] = excluded(measures, fitted_accuracy=fitted_accuracy)
    for table in (selection_on_fit, model_statistics):
        tables[table.__name__] = table(measures, statistics, **named_by(table, offered))
    return tables
