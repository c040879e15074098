"""Level of a perturbation of the weights at which the training error rises by 0.1.

The level is found by bisection. If the error does not rise as far at any level within the limits of
the search, there is no value and a warning says so.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from generalization.errors import warn_of_no_value

# ASSUME: a rise of the training error by 0.1, as in Jiang et al. 2019 and Dziugaite et al. 2020.
RISE = 0.1
SMALLEST_LEVEL, LARGEST_LEVEL = 2.0**-20, 2.0**10
HALVINGS = 15  # Of the interval between two consecutive powers of two.

# Map from one level per network to the rise of the error, (draws, networks).
Rise = Callable[[Float64[Tensor, "networks"]], Float64[Tensor, "draws networks"]]


class Level(NamedTuple):
    """Level at which the mean rise is reached, its standard error over draws, whether it exists."""

    level: Float64[Tensor, "networks"]
    standard_error: Float64[Tensor, "networks"]
    exists: Bool[Tensor, "networks"]


def level_of_rise(rise: Rise, networks: int, device: torch.device | None = None) -> Level:
    """Find the level at which the mean rise over draws reaches 0.1, for every network.

    Starting at 1, levels are doubled or halved until the rise is on the other side of 0.1; the
    interval between the last two is then bisected. The standard error is that of the mean rise
    divided by the slope of the rise between levels a fifth below and above.

    Args:
        rise: Deterministic function: the same draws at every call.
        networks: Number R of networks.
        device: Device of the levels.

    Returns:
        Levels; NaN, with a warning, where the rise stays on one side of 0.1 from 2⁻²⁰ to 2¹⁰.
    """
    low, high = _bracket(rise, torch.ones(networks, dtype=torch.float64, device=device))
    exists = low.isfinite() & high.isfinite()
    low, high = low.where(exists, 1.0), high.where(exists, 1.0)
    for _ in range(HALVINGS):
        level = (low + high) / 2
        too_far = rise(level).mean(0) > RISE
        low, high = low.where(too_far, level), level.where(too_far, high)
    level = (low + high) / 2
    limits = f"from {SMALLEST_LEVEL:.2g} to {LARGEST_LEVEL:g}"
    warn_of_no_value(f"the training error rises by {RISE} at no level {limits}", (~exists).tolist())
    error = _standard_error(rise, level)
    return Level(level.where(exists, torch.nan), error.where(exists, torch.nan), exists)


def _bracket(
    rise: Rise, level: Float64[Tensor, "networks"]
) -> tuple[Float64[Tensor, "networks"], Float64[Tensor, "networks"]]:
    """Bracket the level between two powers of two; a limit that was not found is NaN."""
    too_far = rise(level).mean(0) > RISE
    low, high = level.where(~too_far, torch.nan), level.where(too_far, torch.nan)
    while True:
        # Networks without a lower limit go down, networks without an upper limit go up.
        open_below = low.isnan() & (high > SMALLEST_LEVEL)
        open_above = high.isnan() & (low < LARGEST_LEVEL)
        if not (open_below | open_above).any():
            return low, high
        level = torch.where(open_below, high / 2, torch.where(open_above, low * 2, level))
        too_far = rise(level).mean(0) > RISE
        low = torch.where(
            open_below & ~too_far, level, torch.where(open_above & ~too_far, level, low)
        )
        high = torch.where(
            open_above & too_far, level, torch.where(open_below & too_far, level, high)
        )


def _standard_error(rise: Rise, level: Float64[Tensor, "networks"]) -> Float64[Tensor, "networks"]:
    """Return the standard error of the mean rise over draws, divided by the slope of the rise."""
    rises = rise(level)
    if len(rises) == 1:
        return torch.zeros_like(level)
    slope = (rise(1.2 * level).mean(0) - rise(0.8 * level).mean(0)) / (0.4 * level)
    return rises.std(0) / len(rises) ** 0.5 / slope
