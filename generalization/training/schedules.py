"""Learning rates that change during training."""

import math

from generalization.hyperparameters import Hyperparameters


def scheduled_rate(hyperparameters: Hyperparameters, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate η of the step that follows ``step``.

    ``step`` multiplies η by ``decay_factor`` γ every ``decay_epochs`` epochs, as ``StepLR``;
    ``exponential`` multiplies it by γ^(1 / ``decay_epochs``) every epoch, which of 1 is
    ``ExponentialLR``; ``cosine`` is η (1 + cos(π t / T)) / 2 at step t of the T up to
    ``max_steps`` that follow the warm-up, as ``CosineAnnealingLR``. During the W = ``warmup_steps``
    first steps the rate is also multiplied by (``step`` + 1) / (W + 1), as ``LinearLR`` does. It
    depends only on the step, so that training can resume at any.

    Args:
        hyperparameters: Hyper-parameters, of which those of the learning rate are used.
        step: Number of steps trained so far.
        steps_per_epoch: Steps after which an epoch ends.
    """
    chosen, warmup = hyperparameters, hyperparameters.warmup_steps
    epoch = step // steps_per_epoch
    if chosen.schedule == "cosine":
        progress = max(0, step - warmup) / (chosen.max_steps - warmup)
        rate = chosen.learning_rate * (1 + math.cos(math.pi * progress)) / 2
    elif chosen.schedule == "exponential":
        rate = chosen.learning_rate * chosen.decay_factor ** (epoch / chosen.decay_epochs)
    else:
        rate = chosen.learning_rate * chosen.decay_factor ** (epoch // chosen.decay_epochs)
    return rate if step >= warmup else rate * (step + 1) / (warmup + 1)
