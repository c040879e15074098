"""Directions of a layer that are stable over training, and those that are not."""

from __future__ import annotations

import pandas as pd

# What a layer is compared with, see ``canonical_spectra``.
END, SEED, STABLE, UNSTABLE = "end", "seed", "stable", "unstable"
# ASSUME: directions are stable or unstable by what they are at half of training.
REFERENCE = 0.5


def reference_step(steps: pd.Series, last: int) -> int | None:
    """Return the latest kept step in the first half of training, but not 0; None without one.

    Args:
        steps: Kept steps of a network.
        last: Its last step.
    """
    first_half = steps[(steps > 0) & (steps <= REFERENCE * last)]
    return int(first_half.max()) if len(first_half) else None
