import math
import re
from statistics import NormalDist

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.testing import assert_close

from generalization.measures.sharpness import (
    adaptive_sharpness,
    level_of_rise,
    magnitude_aware_flatness,
    magnitude_aware_from_initialization,
    magnitude_aware_from_origin,
    magnitude_aware_worst_case_flatness,
    pac_bayes_flatness,
    pac_bayes_from_initialization,
    pac_bayes_from_origin,
    pac_bayes_level,
    worst_case_flatness,
    worst_case_level,
)
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.perturbed_weights import logits_with, weights_by_name
from generalization.networks.sequences import sequence_of

NOISY = (
    pac_bayes_flatness,
    pac_bayes_from_initialization,
    pac_bayes_from_origin,
    magnitude_aware_flatness,
    magnitude_aware_from_initialization,
    magnitude_aware_from_origin,
)
WORST = (worst_case_flatness, magnitude_aware_worst_case_flatness, adaptive_sharpness)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def linear(*weights):
    """Networks of one layer, whose logits at 1 are (w, v), one for each pair."""
    weight = torch.tensor(weights).double().unsqueeze(2)
    return FullyConnectedNetworks((weight,), "relu")


def one_point(count=1):
    return torch.ones(count, 1).double(), torch.zeros(count, dtype=torch.int64)


def learnt(count=60):
    networks = random_networks((5, 8, 7, 3), count=2, biases=True)
    inputs = torch.randn(count, 5, generator=seeded(1), dtype=torch.float64)
    return networks, inputs, networks.logits(inputs)[0].argmax(1)


def taken(measure, networks, inputs, labels, **settings):
    offered = {"train_inputs": inputs, "train_labels": labels}
    if measure in NOISY:
        offered["generator"] = seeded()
    if "initialization" in measure.__name__ or measure is magnitude_aware_from_origin:
        tensors = {k: v + 0.1 * torch.sin(9 * v) for k, v in networks.tensors.items()}
        offered["initial_networks"] = networks.with_tensors(tensors)
    return measure(networks, **offered, **settings)


@pytest.mark.parametrize("weight", [0.3, 2.0])
def test_noise_has_the_standard_deviation_of_the_level(weight):
    # The margin w + σ (u_1 − u_2) is negative with probability Φ(−w / √2 σ) = 0.1.
    inputs, labels = one_point()
    expected = weight / (2**0.5 * NormalDist().inv_cdf(0.9))
    found = pac_bayes_level(linear((weight, 0.0)), inputs, labels, seeded(), draws=1000)
    assert found.exists.item()
    assert 0.02 < found.standard_error.item() / expected < 0.1
    assert abs(found.level.item() - expected) < 4 * found.standard_error.item()
    flatness = pac_bayes_flatness(linear((weight, 0.0)), inputs, labels, seeded(), draws=1000)
    assert flatness.item() == pytest.approx(found.level.item() ** -2)


def test_magnitude_aware_noise_is_in_proportion_to_weights():
    # Deviations σ w and σ v: the margin w − v has the deviation σ √(w² + v²).
    inputs, labels = one_point()
    found = pac_bayes_level(
        linear((2.0, 1.0)), inputs, labels, seeded(), draws=1000, magnitude_aware=True
    )
    expected = 1 / (5**0.5 * NormalDist().inv_cdf(0.9))
    assert abs(found.level.item() - expected) < 4 * found.standard_error.item()


def test_standard_error_is_the_spread_over_generators():
    inputs, labels = one_point()
    levels, errors = [], []
    for seed in range(40):
        found = pac_bayes_level(linear((1.0, 0.0)), inputs, labels, seeded(seed), draws=50)
        levels.append(found.level)
        errors.append(found.standard_error)
    spread, error = torch.stack(levels).std().item(), torch.stack(errors).mean().item()
    assert error == pytest.approx(spread, rel=0.4)


def test_level_at_which_a_quadratic_rise_reaches_its_threshold():
    # E ½ uᵀ H u = ½ σ² tr H is 0.1 at σ² = 0.2 / tr H.
    traces = torch.tensor([1e-3, 1.0, 400.0]).double()
    noises = torch.randn(3000, 3, generator=seeded(), dtype=torch.float64)
    scaled = noises / noises.square().mean(0).sqrt()

    def rise(levels):
        return (levels * scaled).square() * traces / 2

    found = level_of_rise(rise, 3)
    assert_close(found.level, (0.2 / traces).sqrt(), rtol=1e-4, atol=0)
    expected = found.level / 2 * scaled.square().std(0) / 3000**0.5
    assert_close(found.standard_error, expected, rtol=0.02, atol=0)


def test_level_beyond_the_limits_has_no_value_and_is_reported():
    slopes = torch.tensor([0.0, 1.0, 1e9]).double()
    sentence = (
        "the rise of the training error by 0.1 must be at a level from 9.5367431640625e-07 to "
        "1024.0, which it is not for 2 of 3 networks."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(sentence)}$"):
        found = level_of_rise(lambda levels: (levels * slopes).unsqueeze(0), 3)
    assert found.exists.tolist() == [False, True, False]
    assert found.level[[0, 2]].isnan().all()
    assert found.level[1].item() == pytest.approx(0.1, rel=1e-4)


def test_bounds_by_their_formulas():
    networks, inputs, labels = learnt()
    chosen = {"train_samples": 50, "draws": 3}
    begun = networks.map(lambda part: part + 0.1 * torch.sin(9 * part))
    w = torch.cat([part.flatten(1) for part in networks.weights], 1)
    moved = w - torch.cat([part.flatten(1) for part in begun.weights], 1)
    plain = pac_bayes_level(networks, inputs, labels, seeded(), **chosen).level
    aware = pac_bayes_level(
        networks, inputs, labels, seeded(), **chosen, magnitude_aware=True
    ).level
    for member in (0, 1):
        sigma, scaled = plain[member].item(), aware[member].item()
        distance, norm = moved[member].square().sum().item(), w[member].square().sum().item()
        expected = {
            pac_bayes_flatness: sigma**-2,
            pac_bayes_from_initialization: distance / 4 / sigma**2 + math.log(60 / sigma) + 10,
            pac_bayes_from_origin: norm / 4 / sigma**2 + math.log(60 / sigma) + 10,
            magnitude_aware_flatness: scaled**-2,
        }
        for measure, square in (
            (magnitude_aware_from_initialization, distance),
            (magnitude_aware_from_origin, norm),
        ):
            above = 1e-6 + (scaled**2 + 1) * square / w.shape[1]
            total = sum(
                math.log(above / (1e-6 + scaled**2 * change**2))
                for change in moved[member].tolist()
            )
            expected[measure] = total / 4 + math.log(60 / scaled) + 10
        for measure in NOISY:
            value = taken(measure, networks, inputs, labels, **chosen)[member].item()
            assert value == pytest.approx(expected[measure], rel=1e-9)


def test_worst_case_is_the_corner_of_the_box():
    # The margin w − v is at least w − v − 2α, or w − v − α (w + v) if the box is relative.
    networks = linear((0.3, 0.0), (2.0, 1.0))
    inputs, labels = one_point(4)
    values = worst_case_flatness(networks, inputs, labels)
    assert values.tolist() == pytest.approx([1 / 0.15**2, 4], rel=1e-3)
    relative = magnitude_aware_worst_case_flatness(linear((2.0, 1.0)), inputs, labels)
    assert relative.item() == pytest.approx(9, rel=1e-3)
    assert worst_case_level(networks, inputs, labels).standard_error.tolist() == [0, 0]


def test_worst_changes_raise_the_error_more_than_random_ones():
    networks, inputs, labels = learnt()
    networks = networks[:1]
    worst = worst_case_flatness(networks, inputs, labels)
    assert (worst > 4 * pac_bayes_flatness(networks, inputs, labels, seeded())).all()


@pytest.mark.parametrize("radius", [0.1, 0.4])
def test_adaptive_sharpness_of_one_point(radius):
    # The margin w − v falls by ρ √(w² + v²) at worst.
    inputs, labels = one_point(3)
    value = adaptive_sharpness(linear((2.0, 1.0)), inputs, labels, radius=radius).item()
    loss = [math.log1p(math.exp(-margin)) for margin in (1, 1 - radius * 5**0.5)]
    assert value == pytest.approx(loss[1] - loss[0], rel=1e-9)


@pytest.mark.parametrize("measure", NOISY + WORST)
def test_network_is_measured_as_if_it_were_alone(measure):
    networks, inputs, labels = learnt()
    with torch.random.fork_rng():
        together = taken(measure, networks, inputs, labels)
        alone = taken(measure, networks[1:], inputs, labels)
    assert_close(together[1:], alone, equal_nan=True)


@pytest.mark.parametrize("measure", [magnitude_aware_worst_case_flatness, adaptive_sharpness])
def test_rescaling_layers_changes_nothing_that_is_relative(measure):
    networks, inputs, labels = learnt()
    without = FullyConnectedNetworks(networks.weights, "relu")
    labels = without.logits(inputs)[0].argmax(1)
    first, second, third = without.weights
    rescaled = FullyConnectedNetworks((3 * first, second / 3, third), "relu")
    before = measure(without[:1], inputs, labels)
    assert_close(measure(rescaled[:1], inputs, labels), before, rtol=1e-6, atol=0)
    plain = worst_case_flatness(rescaled[:1], inputs, labels)
    assert (plain - worst_case_flatness(without[:1], inputs, labels)).abs().item() > 0.01


@pytest.mark.parametrize("measure", NOISY + WORST)
def test_module_equals_stack(measure):
    networks, inputs, labels = learnt()
    chosen = {"draws": 3} if measure in NOISY else {}
    stack = taken(measure, networks[:1], inputs, labels, **chosen)
    module = sequence_of(networks[:1])
    if measure in (magnitude_aware_from_origin,) or "initialization" in measure.__name__:
        tensors = {k: v + 0.1 * torch.sin(9 * v) for k, v in networks[:1].tensors.items()}
        begun = sequence_of(networks[:1].with_tensors(tensors))
        value = measure(module, begun, inputs, labels, seeded(), **chosen)
    elif measure in NOISY:
        value = measure(module, inputs, labels, seeded(), **chosen)
    else:
        value = measure(module, inputs, labels, **chosen)
    assert_close(value, stack)


def test_weights_of_a_convolutional_module_are_replaced_and_left_as_they_were():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).double()
    inputs = torch.randn(5, 1, 3, 3, generator=seeded(), dtype=torch.float64)
    own = weights_by_name(module)
    assert [tuple(weight.shape) for weight in own.values()] == [(1, 2, 1, 2, 2), (1, 3, 8)]
    assert_close(logits_with(module, own, inputs)[0], module(inputs))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    doubled = {name: 2 * value for name, value in own.items()}
    assert not torch.allclose(logits_with(module, doubled, inputs)[0], module(inputs))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_too_few_draws_and_inputs_are_refused():
    networks, inputs, labels = learnt()
    with pytest.raises(ValueError, match=r"^draws must be at least 1, not 0\.$"):
        pac_bayes_flatness(networks, inputs, labels, seeded(), draws=0)
    with pytest.raises(ValueError, match=r"^train_samples must be at least 1, not 0\.$"):
        worst_case_flatness(networks, inputs, labels, train_samples=0)
    sentence = r"^initial_networks must have 117 weights, not 15\.$"
    with pytest.raises(ValueError, match=sentence):
        pac_bayes_from_initialization(
            networks, random_networks((5, 3), count=2), inputs, labels, seeded()
        )
