"""Made-up tables of a league: a measure that turns round, a good one, controls, and a design."""

import numpy as np
import pandas as pd

COLUMNS = [
    *("measure", "kind", "statistic", "selection", "dataset"),
    *("estimate", "low", "high", "level", "p_value", "p_value_corrected"),
    *("networks", "ensembles", "cells", "pairs", "note"),
]
FACTOR = "label_corruption"
WITHIN = f"spearman_within_{FACTOR}"
CONSTANT = "is a function of the hyper-parameters alone"

# Measure → kind, pooled, within label corruption, given the design, worst sign error.
ROWS = {
    "jacobian_norm": ("candidate", 0.88, 0.73, 0.16, 0.42),
    "output_sensitivity": ("candidate", 0.21, 0.71, 0.28, 0.35),
    "logit_jacobian_norm": ("candidate", 0.45, 0.70, 0.31, 0.38),
    "tangent_sensitivity": ("candidate", 0.17, 0.69, 0.19, 0.40),
    "normalized_transitions": ("candidate", 0.25, -0.41, 0.33, 0.71),
    "noise_to_signal_slope": ("candidate", 0.38, 0.34, 0.50, 0.55),
    "transitions": ("candidate", -0.05, 0.12, 0.08, 0.62),
    "weight_norm": ("baseline", 0.31, 0.64, -0.08, 0.50),
    "output_entropy": ("baseline", 0.84, -0.28, -0.16, 0.88),
    "training_loss": ("baseline", 0.59, -0.22, -0.21, 0.80),
    "number_of_parameters": ("baseline", -0.01, 0.03, np.nan, 0.60),
    "label_corruption": ("factor", 0.97, np.nan, np.nan, 0.50),
    "init_scale": ("factor", 0.12, 0.55, np.nan, 0.50),
    "width": ("factor", -0.02, 0.04, np.nan, 0.58),
    "noisy_oracle": ("control", 0.98, 0.90, 0.80, 0.12),
    "random_main_effects": ("control", 0.33, -0.11, np.nan, 0.68),
    "random_per_ensemble": ("control", -0.08, 0.02, 0.05, 0.60),
    "random_per_network": ("control", 0.04, 0.06, -0.03, 0.57),
}
NOTES = {"difference_to_best_baseline": "within label corruption; less that of weight norm"}
CLEAR = 0.3


def made_statistics(*, ensembles=32, selections=("fitted", "all")):
    """The ``statistics.csv`` of a study of label corruption, init scale and width."""
    rows = [row for selection in selections for row in _rows(selection, ensembles)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(selection, ensembles):
    size = {"networks": 4 * ensembles - (selection == "fitted"), "ensembles": ensembles}
    study = {"selection": selection, "dataset": "all", "level": 0.95, "cells": np.nan, "note": ""}
    study |= {"pairs": np.nan}
    for measure, (kind, pooled, conditional, partial, worst) in ROWS.items():
        numbers = {
            "spearman": (pooled, np.nan),
            WITHIN: (conditional, np.nan),
            "spearman_given_design": (partial, np.nan),
            "granulated_kendall": (0.8 * conditional, 3),
            "conditional_information": (max(0.0, 0.3 * abs(conditional) - 0.05), 48),
            "sign_error_mean": (worst - 0.15, 40),
            "sign_error_90th": (worst - 0.04, 40),
            "sign_error_worst": (worst, 40),
            "difference_to_best_baseline": (abs(conditional) - 0.64, np.nan),
            "simultaneous_interval": (conditional, np.nan),
            "added_r_squared": (max(0.0, 0.1 * abs(partial)), np.nan),
            "regret": (0.5 * (1 - abs(conditional)), np.nan),
            "top_20_hit_rate": (abs(conditional), np.nan),
        }
        for statistic, (estimate, cells) in numbers.items():
            yield {
                "measure": measure,
                "kind": kind,
                "statistic": statistic,
                **study,
                **_judged(estimate, statistic),
                **size,
                "cells": cells,
                "note": CONSTANT if np.isnan(estimate) else NOTES.get(statistic, ""),
            }
    ceilings = {"noise_ceiling": 0.99, f"noise_ceiling_within_{FACTOR}": 0.97}
    for statistic, estimate in (ceilings | {"repeatability": 0.96}).items():
        yield {
            "measure": "generalization_gap",
            "kind": "",
            "statistic": statistic,
            **study,
            **_judged(estimate, statistic, half=0.02),
            **size,
        }


def _judged(estimate, statistic, half=0.22):
    """An interval; and p-values of statistics whose value without a relation is 0."""
    tested = statistic.startswith(("spearman", "granulated", "conditional", "difference"))
    p_value = 0.0001 if abs(estimate) > CLEAR else 0.4
    p_value = p_value if tested and not np.isnan(estimate) else np.nan
    low, high = (float(np.clip(estimate + side * half, -1, 1)) for side in (-1, 1))
    return {
        "estimate": estimate,
        "low": low,
        "high": high,
        "p_value": p_value,
        "p_value_corrected": min(1.0, 7 * p_value),
    }


def made_design(*, ensembles=32):
    """The ``design.csv`` of the study."""
    shares = {
        "label_corruption": (4, 0.9891, 16),
        "init_scale": (2, 0.004, 16),
        "width": (2, 0.0005, 0),
        "all_main_effects": (np.nan, 0.9936, np.nan),
        "pairwise_interactions": (np.nan, 0.997, np.nan),
    }
    power = {
        "selection": "fitted",
        "dataset": "all",
        "factor": "minimum_detectable_correlation",
        "value": 0.47,
        "ensembles": ensembles,
        "note": "",
    }
    rows = [
        power
        | {
            "factor": factor,
            "levels": levels,
            "r_squared": share,
            "adjusted_r_squared": share - 0.001,
            "one_factor_pairs": pairs,
            "value": np.nan,
        }
        for factor, (levels, share, pairs) in shares.items()
    ]
    of_stratum = {
        f"minimum_detectable_correlation_within_{FACTOR}": 0.49,
        f"shown_random_main_effects_within_{FACTOR}": 0.36,
    }
    more = [power | {"factor": factor, "value": value} for factor, value in of_stratum.items()]
    return pd.DataFrame([*rows, power, *more])
