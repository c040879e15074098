import math
from statistics import NormalDist

import pytest
import torch
from oracles.flat_networks import learnt, linear, one_point, seeded

from generalization.measures.pac_bayes import (
    magnitude_aware_flatness,
    magnitude_aware_from_initialization,
    magnitude_aware_from_origin,
    noise_level,
    pac_bayes_flatness,
    pac_bayes_from_initialization,
    pac_bayes_from_origin,
)
from generalization.signatures import named_by


@pytest.mark.parametrize("weight", [0.3, 2.0])
def test_noise_has_the_standard_deviation_of_the_level(weight):
    # The margin w + σ (u_1 − u_2) is negative with probability Φ(−w / √2 σ) = 0.1.
    inputs, labels = one_point()
    expected = weight / (2**0.5 * NormalDist().inv_cdf(0.9))
    found = noise_level(linear((weight, 0.0)), inputs, labels, seeded(), draws=1000)
    assert found.exists.item()
    assert 0.02 < found.standard_error.item() / expected < 0.1
    assert abs(found.level.item() - expected) < 4 * found.standard_error.item()
    flatness = pac_bayes_flatness(linear((weight, 0.0)), inputs, labels, seeded(), draws=1000)
    assert flatness.item() == pytest.approx(found.level.item() ** -2)


def test_magnitude_aware_noise_is_in_proportion_to_weights():
    # Deviations σ w and σ v: the margin w − v has the deviation σ √(w² + v²).
    inputs, labels = one_point()
    found = noise_level(
        linear((2.0, 1.0)), inputs, labels, seeded(), draws=1000, magnitude_aware=True
    )
    expected = 1 / (5**0.5 * NormalDist().inv_cdf(0.9))
    assert abs(found.level.item() - expected) < 4 * found.standard_error.item()


def test_standard_error_is_the_spread_over_generators():
    inputs, labels = one_point()
    levels, errors = [], []
    for seed in range(40):
        found = noise_level(linear((1.0, 0.0)), inputs, labels, seeded(seed), draws=50)
        levels.append(found.level)
        errors.append(found.standard_error)
    spread, error = torch.stack(levels).std().item(), torch.stack(errors).mean().item()
    assert error == pytest.approx(spread, rel=0.4)


def test_bounds_by_their_formulas():
    networks, inputs, labels = learnt()
    chosen = {"train_samples": 50, "draws": 3}
    begun = networks.map(lambda part: part + 0.1 * torch.sin(9 * part))
    offered = {
        "networks": networks,
        "initial_networks": begun,
        "train_inputs": inputs,
        "train_labels": labels,
    }
    w = torch.cat([part.flatten(1) for part in networks.weights], 1)
    moved = w - torch.cat([part.flatten(1) for part in begun.weights], 1)
    first = (inputs[:50], labels[:50])
    plain = noise_level(networks, *first, seeded(), 3).level
    aware = noise_level(networks, *first, seeded(), 3, magnitude_aware=True).level
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
        for measure, value in expected.items():
            offered["generator"] = seeded()
            values = measure(**named_by(measure, offered), **chosen)
            assert values[member].item() == pytest.approx(value, rel=1e-9)
