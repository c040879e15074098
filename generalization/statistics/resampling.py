"""Level and random numbers of the intervals of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float


def check_level(level: float) -> None:
    """Refuse a level that no interval has.

    Raises:
        ValueError: If level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}.")


@dataclass(frozen=True)
class Resampling:
    """Level of the intervals of a table, and the bootstrap behind some of them.

    Every row sees the same random numbers: rows are compared on equal terms, and a new row changes
    no interval of another.

    Attributes:
        generator: Source of the one number that seeds all others.
        resamples: Number of bootstrap resamples.
        level: Level of the intervals.
    """

    generator: np.random.Generator
    resamples: int = 2000
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse settings that make no interval.

        Raises:
            ValueError: If level is not between 0 and 1, or resamples are none.
        """
        check_level(self.level)
        if self.resamples < 1:
            raise ValueError(f"resamples must be at least 1, not {self.resamples!r}.")

    @cached_property
    def _entropy(self) -> int:
        return int(self.generator.integers(2**63))

    def stream(self, *key: int) -> np.random.Generator:
        """Random numbers of a row, from the first on.

        Args:
            key: Numbers that tell apart rows that are to see different ones.
        """
        return np.random.default_rng([self._entropy, *key])

    def interval(self, draws: Float[np.ndarray, "resamples"]) -> dict[str, float]:
        """Percentile interval, as ``low`` and ``high``; NaN if no resample has the statistic.

        Args:
            draws: The statistic in every resample, NaN where it does not exist.
        """
        defined = draws[np.isfinite(draws)]
        if not len(defined):
            return {"low": np.nan, "high": np.nan}
        low, high = np.quantile(defined, [(1 - self.level) / 2, (1 + self.level) / 2])
        return {"low": low, "high": high}


def sample_first(
    counts: Float[np.ndarray, "resamples networks"],
) -> Float[np.ndarray, "resamples_and_one networks"]:
    """The sample itself, which holds everything once, and then its resamples."""
    return np.vstack([np.ones((1, counts.shape[1])), counts])
