"""Checks of many measures on networks of an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from generalization.audit.cases import Case, with_random
from generalization.audit.check_measure import COLUMNS as OF_CHECKS
from generalization.audit.check_measure import check_measure
from generalization.datasets.dataset import Dataset
from generalization.finite_networks import FiniteNetworks
from generalization.networks.networks_file import KeptNetworks
from generalization.training.initialization import initial_networks

COLUMNS = ["measure", *OF_CHECKS]
# Settings of what a study measures, and not of a function.
ELSEWHERE = {"samples", "pairs", "layers", "convolution"}


def audit_checks(
    kept: KeptNetworks,
    data: Dataset,
    measures: Mapping[str, Callable[..., Tensor]],
    settings: Mapping[str, Mapping[str, Any]],
    *,
    samples: int,
    train_samples: int,
    repeats: int,
) -> pd.DataFrame:
    """Check measures on the trained networks of an ensemble, and on a random one.

    Args:
        measures: Name → measure of networks or of pairs, or similarity, which names what it needs.
        settings: Name → its settings; ``samples`` among them is ignored, since all are checked on
            the same inputs, and so is what a similarity is computed of, the last hidden layer.
        samples: Number of test inputs, the first ones.
        repeats: Number of seeds of a sampled measure.

    Returns:
        Rows of ``check_measure`` of each measure, with its name in the column ``measure``.
    """
    case = case_of(kept, data, samples=samples, train_samples=train_samples)

    def tables() -> Iterator[pd.DataFrame]:
        for name, function in measures.items():
            chosen = {key: one for key, one in settings[name].items() if key not in ELSEWHERE}
            rows = check_measure(function, chosen, case=case, repeats=repeats)
            yield rows.assign(measure=name)[COLUMNS]

    return pd.concat(tables(), ignore_index=True)


def case_of(kept: KeptNetworks, data: Dataset, *, samples: int, train_samples: int) -> Case:
    """Return the networks of an ensemble at the end of training, and what they are measured on."""
    finite = FiniteNetworks.of(kept)
    last = {kept.seeds[place]: row for row, (_, place, _) in enumerate(finite.rows)}
    rows = [row for row in last.values() if row in finite.positions]
    trained = finite.stack()[[finite.positions.index(row) for row in rows]]
    seeds = [kept.seeds[finite.rows[row][1]] for row in rows]
    made = initial_networks(trained.architecture, kept.hyperparameters, [*seeds, max(seeds) + 1])
    begun = made.to(trained.weights[0].device)
    points = {
        "inputs": data.test_inputs[:samples],
        "train_inputs": data.train_inputs[:train_samples],
    }
    case = Case(
        **with_random(trained, begun[: len(seeds)], begun[len(seeds) :]),
        **points,
        labels=data.test_labels[:samples],
        pixel_deviations=data.test_pixel_deviations[:samples],
        train_labels=data.train_labels[:train_samples],
        hyperparameters=kept.hyperparameters,
    )
    return case.to(torch.float64)
