import warnings

import pytest
import torch
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    SequentialLR,
    StepLR,
)

from generalization.hyperparameters import Hyperparameters, contradictions
from generalization.training.schedules import scheduled_rate

STEPS, EPOCH, RATE = 60, 7, 0.03


def rates(**settings):
    chosen = Hyperparameters(
        dataset="digits", learning_rate=RATE, max_steps=STEPS, decay_epochs=2, **settings
    )
    return [scheduled_rate(chosen, step, EPOCH) for step in range(STEPS)]


def of_torch(make, by_epoch=False):
    """Rates of every step by a scheduler of PyTorch, which is asked each step or each epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(optimizer)
        for step in range(1, STEPS + 1):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if not by_epoch or step % EPOCH == 0:
                scheduler.step()
    return found


def warmup(optimizer, steps=10):
    return LinearLR(optimizer, start_factor=1 / (steps + 1), total_iters=steps)


BY_EPOCH = {
    "step": lambda optimizer: StepLR(optimizer, 2, gamma=0.3),
    "exponential": lambda optimizer: ExponentialLR(optimizer, 0.3**0.5),
}


@pytest.mark.parametrize("schedule", BY_EPOCH)
def test_schedules_by_epoch_are_those_of_torch(schedule):
    expected = of_torch(BY_EPOCH[schedule], by_epoch=True)
    assert rates(schedule=schedule, decay_factor=0.3) == pytest.approx(expected, rel=1e-12)
    # A warm-up is another factor.
    factors = [rate / RATE for rate in of_torch(warmup)]
    expected = [rate * factor for rate, factor in zip(expected, factors, strict=True)]
    found = rates(schedule=schedule, decay_factor=0.3, warmup_steps=10)
    assert found == pytest.approx(expected, rel=1e-12)


def test_cosine_is_that_of_torch():
    expected = of_torch(lambda optimizer: CosineAnnealingLR(optimizer, STEPS))
    assert rates(schedule="cosine") == pytest.approx(expected, rel=1e-11)


def test_cosine_after_a_warmup_is_that_of_torch():
    def scheduler(optimizer):
        after = CosineAnnealingLR(optimizer, STEPS - 10)
        return SequentialLR(optimizer, [warmup(optimizer), after], milestones=[10])

    found = rates(schedule="cosine", warmup_steps=10)
    assert found == pytest.approx(of_torch(scheduler), rel=1e-11)


def test_warmup_and_steps_are_chained_as_by_torch():
    def scheduler(optimizer):
        return ChainedScheduler([warmup(optimizer), StepLR(optimizer, 2 * EPOCH, gamma=0.1)])

    assert rates(warmup_steps=10) == pytest.approx(of_torch(scheduler), rel=1e-12)


def test_default_has_the_bits_that_it_always_had():
    chosen = Hyperparameters(dataset="digits")
    for step in (0, 1, 499, 500, 999, 1000, 3750):
        assert scheduled_rate(chosen, step, 1) == 0.01 * 0.1 ** (step // 500)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"schedule": "no"}, "schedule must be one of step, exponential, cosine, not 'no'."),
        (
            {"warmup_steps": 9, "max_steps": 9},
            "warmup_steps must be less than max_steps, 9, not 9.",
        ),
        (
            {"optimizer": "lbfgs", "schedule": "cosine"},
            "schedule must be 'step' where optimizer is 'lbfgs', not 'cosine'.",
        ),
    ],
)
def test_impossible_schedules(settings, sentence):
    assert list(contradictions(Hyperparameters(dataset="digits", **settings), 100)) == [sentence]
