"""Optimization speed: training steps until the loss has fallen to a level (Jiang et al. 2019).

The loss is that of the evaluations during training: on the whole training set, without dropout, at
the powers of two, at kept steps and at the end. Between two of them its logarithm is interpolated
linearly, and the reason of the value tells the two steps. A network at a kept step has the course
until then. Invariant to everything that leaves training as it is; independent of the final weights.

Args:
    evaluated_steps: Steps of R networks at which the loss was evaluated, in ascending order; NaN at
        the end of a row that is shorter than others.
    evaluated_losses: Training losses at these steps, in nats or as squared errors.
"""

import warnings

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.errors import Approximated, warn_of_no_value

Evaluations = Float64[Tensor, "networks evaluations"]


def steps_to_loss(
    evaluated_steps: Evaluations, evaluated_losses: Evaluations, *, loss_level: float = 0.1
) -> Float64[Tensor, "networks"]:
    """Training steps until the training loss is at most 0.1 (Jiang et al. 2019).

    Args:
        loss_level: Another level.

    Returns:
        R numbers of steps; NaN where the loss has not fallen so far.

    Raises:
        ValueError: If the level is not positive.
    """  # noqa: DOC502
    return _steps_until(evaluated_steps, evaluated_losses, loss_level=loss_level)


def steps_between_losses(
    evaluated_steps: Evaluations,
    evaluated_losses: Evaluations,
    *,
    from_loss: float = 0.1,
    to_loss: float = 0.01,
) -> Float64[Tensor, "networks"]:
    """Training steps in which the training loss falls from 0.1 to 0.01 (Jiang et al. 2019).

    Args:
        from_loss: Another level to begin at.
        to_loss: Another level to end at.

    Returns:
        R numbers of steps; NaN where the loss has not fallen so far.

    Raises:
        ValueError: If a level is not positive.
    """  # noqa: DOC502
    first = _steps_until(evaluated_steps, evaluated_losses, from_loss=from_loss)
    return _steps_until(evaluated_steps, evaluated_losses, to_loss=to_loss) - first


def _steps_until(
    steps: Evaluations, losses: Evaluations, **level_by_name: float
) -> Float64[Tensor, "networks"]:
    """Return the step at which the loss, interpolated, first is at most the level.

    Raises:
        ValueError: If the level is not positive.
    """
    ((name, level),) = level_by_name.items()
    if not level > 0:
        raise ValueError(f"{name} must be above 0, not {level!r}.")
    reached = losses <= level
    there = reached.any(1)
    warn_of_no_value(f"the training loss has not fallen to {level:g}", (~there).tolist())
    if not there.any():
        return torch.full((len(steps),), torch.nan, dtype=torch.float64, device=steps.device)
    after = reached.int().argmax(1, keepdim=True)
    before = (after - 1).clamp_min(0)
    begin, end = steps.gather(1, before).squeeze(1), steps.gather(1, after).squeeze(1)
    above, below = losses.gather(1, before).squeeze(1), losses.gather(1, after).squeeze(1)
    share = (above / level).log() / (above / below).log()
    between = (end > begin + 1) & there  # Else the step is known.
    _tell_steps(begin, end, between)
    return (begin + share * (end - begin)).where(between, end).where(there, torch.nan)


def _tell_steps(begin: Tensor, end: Tensor, between: Tensor) -> None:
    """Warn of the steps between which values are interpolated."""
    for first, last in sorted(set(zip(begin.tolist(), end.tolist(), strict=True))):
        some = (between & (begin == first) & (end == last)).tolist()
        if any(some):
            how = f"interpolated between the steps {first:.0f} and {last:.0f}"
            warnings.warn(Approximated(how, some), stacklevel=4)
