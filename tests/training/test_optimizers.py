import math

import pytest
import torch

from generalization.training.optimizers import RULES


def moved(name, gradients, learning_rate=0.1):
    """Where a weight that begins at 1 goes, by the rule alone."""
    rule, weight = RULES[name], [torch.ones(1, dtype=torch.float64)]
    state = {
        key: [torch.full((1,), value, dtype=torch.float64)]
        for key, value in {"gradient": 0.0, **rule.slots}.items()
    }
    path = []
    for step, gradient in enumerate(gradients, start=1):
        state["gradient"][0].mul_(rule.memory).add_(gradient)
        rule.update(weight, state, learning_rate, step)
        path.append(weight[0].item())
    return path


def test_sgd_moves_by_rate_times_gradient():
    assert moved("sgd", [2.0, -1.0]) == pytest.approx([0.8, 0.9])


def test_momentum_adds_nine_tenths_of_the_last_velocity():
    assert moved("momentum", [2.0, -1.0]) == pytest.approx([0.8, 0.8 - 0.1 * (0.9 * 2 - 1)])


def test_first_step_of_adam_is_the_rate_whatever_the_gradient():
    # m = 0.1 g, v = 0.001 g², so that m / √v · √0.001 / 0.1 = sign g.
    assert moved("adam", [1e3]) == pytest.approx([0.9], abs=1e-9)
    assert moved("adam", [-1e3]) == pytest.approx([1.1], abs=1e-9)


def test_epsilon_of_adam_is_outside_the_uncorrected_root():
    # TensorFlow's "epsilon hat": with g = 1e-8, √v = 1e-8 √0.001 is well below ε = 1e-8.
    g, root = 1e-8, 1e-8 * math.sqrt(0.001)
    step = 0.1 * math.sqrt(0.001) / 0.1 * 0.1 * g / (root + 1e-8)
    assert moved("adam", [g]) == pytest.approx([1 - step], abs=1e-12)
    assert step < 0.1 * 0.04


def test_adam_is_that_of_torch_where_epsilon_does_not_count():
    gradients = [3.0, -2.0, 0.5, 4.0]
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=0.1)
    expected = []
    for gradient in gradients:
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
        expected.append(weight.item())
    assert moved("adam", gradients) == pytest.approx(expected, abs=1e-6)


def test_mean_square_of_rmsprop_begins_at_one():
    assert moved("rmsprop", [2.0]) == pytest.approx([1 - 0.1 * 2 / math.sqrt(0.9 + 0.1 * 4)])


def test_epsilon_of_rmsprop_is_inside_the_root():
    # After many steps without gradient the mean square is 0.9^600 ≈ 0, and only ε is left.
    *_, last, after = moved("rmsprop", [0.0] * 600 + [1e-7])
    assert last - after == pytest.approx(0.1 * 1e-7 / math.sqrt(0.1 * 1e-14 + 1e-10), rel=1e-6)


def test_momentum_alone_remembers_its_gradient():
    assert {name: rule.memory for name, rule in RULES.items()} == {
        "sgd": 0.0,
        "momentum": 0.9,
        "adam": 0.0,
        "rmsprop": 0.0,
    }
