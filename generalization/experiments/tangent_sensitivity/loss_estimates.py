"""The test loss and accuracy of networks in the course of training, as estimated without labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.tables import KEPT_NETWORK, NETWORK, with_networks

COLUMNS = [*KEPT_NETWORK, "quantity", "estimator", "estimate", "truth"]
QUANTITIES = ("loss", "accuracy")
LOGARITHMS = [
    "log_norm",
    *(f"log_{name}_{part}" for name in ("maximal", "empirical") for part in ("train", "test")),
]


def loss_estimates(train_test_sensitivity: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Estimates of the test loss and accuracy at every kept step but the first, beside the truth.

    Daróczy 2020, §4, multiplies what is measured on the training set by a ratio of sensitivities,

        (5)  L_train(t) w(t − 1) / w(t),   w = Π_l max |W_l|,
        (6)  L_train(t) B(test) / B(train),   B the maximal sensitivity of Theorem 3.2,
        (7)  L_train(t) E(test) / E(train),   E the empirical sensitivity, itself a logarithm,

    and uses (5), and in code (6), with ln w and ln B in their place. Here ``eq_5_log`` … have
    ratios of logarithms, ``eq_5_plain`` … ratios of the quantities themselves, exp of differences.
    Where logarithms are negative, as ln w of small weights is, and E, a ratio of logarithms moves
    the other way. Two estimators need no sensitivity:

    ``train``
        L_train(t): the ratio is 1.
    ``last``
        L_test(t − 1), which has seen test labels.

    The same holds for accuracies, with the same ratios; estimates may exceed 1.

    Returns:
        One row per network, step, quantity (``loss``, in nats, and ``accuracy``) and estimator,
        with the columns ``COLUMNS``. An estimate is empty where a logarithm is not finite, as E is
        if a layer has no active unit at a point, or where it is divided by 0.
    """
    profile = train_test_sensitivity.reindex(columns=[*KEPT_NETWORK, *LOGARITHMS])
    # ASSUME: t − 1 is the step before at which the network was kept; in the paper, the last epoch.
    rows = with_networks(profile, training).sort_values(KEPT_NETWORK, ignore_index=True)
    rows = rows.astype(dict.fromkeys(LOGARITHMS, float))  # A table without rows has none.
    seconds = rows.duplicated(NETWORK)
    last = rows.groupby(NETWORK)[["log_norm", "test_loss", "test_accuracy"]].shift()
    rows, last = rows[seconds], last[seconds]
    ratios = _ratios(rows, last["log_norm"])
    tables = []
    for quantity in QUANTITIES:
        # ASSUME: accuracies have the same ratios, though a larger loss is a smaller accuracy.
        estimates = ratios.mul(rows[f"train_{quantity}"], axis=0)
        estimates.insert(1, "last", last[f"test_{quantity}"])
        known = rows[KEPT_NETWORK].assign(quantity=quantity, truth=rows[f"test_{quantity}"])
        tables.append(known.join(estimates).melt([*known], var_name="estimator"))
    table = pd.concat(tables, ignore_index=True).rename(columns={"value": "estimate"})
    table["estimate"] = table["estimate"].astype(float).replace([np.inf, -np.inf], np.nan)
    return table[COLUMNS]


def _ratios(rows: pd.DataFrame, last_log_norm: pd.Series) -> pd.DataFrame:
    """Every estimator's factor of the training loss."""
    logs = rows[LOGARITHMS].where(np.isfinite(rows[LOGARITHMS]))
    terms = {
        "eq_5": (last_log_norm.where(np.isfinite(last_log_norm)), logs["log_norm"]),
        "eq_6": (logs["log_maximal_test"], logs["log_maximal_train"]),
        "eq_7": (logs["log_empirical_test"], logs["log_empirical_train"]),
    }
    ratios = pd.DataFrame({"train": 1.0}, index=rows.index)
    with np.errstate(over="ignore"):
        for equation, (above, below) in terms.items():
            ratios[f"{equation}_log"] = above / below
            ratios[f"{equation}_plain"] = np.exp(above - below)
    return ratios
