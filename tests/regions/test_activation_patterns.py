from itertools import product
from math import log

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.func import grad
from torch.testing import assert_close

from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.activation_patterns import (
    activation_pattern,
    facet_distances,
    log_membership,
    margins,
)

PIECEWISE_LINEAR = ["relu", "relu6", "hardtanh", "hardsigmoid"]


def points(count, features, *, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


def hidden(networks, inputs):
    return networks.preactivations(inputs)[:-1]


def pattern_at(networks, inputs):
    """Codes of all hidden units, (networks, samples, units)."""
    codes = activation_pattern(hidden(networks, inputs), networks.phi.thresholds)
    return torch.cat(codes, dim=-1)


def inradii(networks, inputs):
    return torch.cat(facet_distances(networks, hidden(networks, inputs)), dim=-1).amin(-1)


def own_membership(networks, inputs):
    thresholds, z = networks.phi.thresholds, hidden(networks, inputs)
    return log_membership(z, activation_pattern(z, thresholds), thresholds)


def one_unit(z, activation="relu"):
    """The preactivations of one hidden unit of one network at one point."""
    return [torch.tensor([[[z]]], dtype=torch.float64)]


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_codes_count_the_thresholds_below(activation):
    networks = random_networks((9, 7, 8, 4), activation, count=2, biases=True)
    preactivations = hidden(networks, 3 * points(11, 9))
    thresholds = networks.phi.thresholds
    codes = activation_pattern(preactivations, thresholds)
    seen = set()
    for layer, of_layer in zip(codes, preactivations, strict=True):
        for place in product(*map(range, layer.shape)):
            assert layer[place] == sum(float(of_layer[place]) > t for t in thresholds)
            seen.add(int(layer[place]))
    assert seen == set(range(len(thresholds) + 1))


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_margins_are_distances_to_the_nearest_threshold(activation):
    networks = random_networks((9, 7, 8, 4), activation, biases=True)
    preactivations, thresholds = hidden(networks, points(5, 9)), networks.phi.thresholds
    for margin, z in zip(margins(preactivations, thresholds), preactivations, strict=True):
        for place in product(*map(range, z.shape)):
            assert margin[place] == min(abs(float(z[place]) - t) for t in thresholds)


def test_margins_scale_with_the_input_without_biases():
    networks, inputs = random_networks((9, 7, 8, 4)), points(5, 9)
    before, after = (margins(hidden(networks, x), (0.0,)) for x in (inputs, 5 * inputs))
    for one, other in zip(before, after, strict=True):
        assert_close(other, 5 * one)


def test_unit_on_its_threshold_is_on_either_side_with_one_half():
    for code in (0, 1):
        pattern = [torch.tensor([[[code]]], dtype=torch.uint8)]
        assert log_membership(one_unit(0.0), pattern, (0.0,)).item() == pytest.approx(-log(2))


def test_membership_is_the_product_of_logistic_functions_of_signed_preactivations():
    networks = random_networks((9, 7, 8, 4), count=2, biases=True)
    z = hidden(networks, points(5, 9))
    pattern = activation_pattern(hidden(networks, points(5, 9, seed=2)), (0.0,))
    factors = [
        torch.sigmoid((2 * codes.double() - 1) * layer)
        for codes, layer in zip(pattern, z, strict=True)
    ]
    expected = torch.cat(factors, dim=-1).prod(-1)
    assert_close(log_membership(z, pattern, (0.0,)).exp(), expected, rtol=1e-12, atol=0)


def test_own_region_has_more_than_a_half_per_unit():
    networks = random_networks((9, 7, 8, 4), count=2, biases=True)
    own = own_membership(networks, points(50, 9))
    assert (own < 0).all()
    assert (own > -15 * log(2)).all()
    expected = sum(
        -torch.nn.functional.softplus(-z.abs()).sum(-1) for z in hidden(networks, points(50, 9))
    )
    assert_close(own, expected)


def test_far_outside_nothing_underflows():
    pattern = [torch.zeros(1, 1, 1, dtype=torch.uint8)]
    assert log_membership(one_unit(1e4), pattern, (0.0,)).item() == -1e4


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
@pytest.mark.parametrize("widths", [(4, 3, 2), (4, 3, 2, 2), (4, 2, 2, 1, 2)])
def test_memberships_of_one_point_in_all_patterns_sum_to_1(widths, activation):
    networks = random_networks(widths, activation, biases=True)
    thresholds, units = networks.phi.thresholds, widths[1:-1]
    codes = torch.tensor(list(product(range(len(thresholds) + 1), repeat=sum(units))))
    pattern = codes.byte().unsqueeze(0).split(units, dim=-1)
    for point in points(3, 4).split(1):
        memberships = log_membership(hidden(networks, point), pattern, thresholds)
        assert memberships.shape == (1, len(codes))
        assert memberships.exp().sum().item() == pytest.approx(1, rel=1e-12)


def test_tangent_sensitivity_is_the_same_all_over_a_region():
    networks = random_networks((9, 7, 8, 4), biases=True)
    for x, direction in zip(points(5, 9), points(5, 9, seed=2), strict=True):
        segment = x + torch.linspace(-2, 2, 201).double()[:, None] * direction
        patterns = pattern_at(networks, segment)[0]
        inside = segment[(patterns == patterns[100]).all(-1)]
        # Not only points next to each other.
        assert 2 < len(inside) < 201
        values = tangent_sensitivity(networks, segment)[0]
        within = tangent_sensitivity(networks, inside)[0]
        assert_close(within, values[100].expand(len(inside)), rtol=1e-13, atol=0)
        assert values.max() > 1.01 * values.min()


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_no_unit_changes_within_the_inradius(activation):
    networks = random_networks((5, 7, 8, 6, 4), activation, biases=True)
    inputs = points(10, 5)
    directions = torch.nn.functional.normalize(points(200, 5, seed=2), dim=1)
    for x, radius in zip(inputs, inradii(networks, inputs)[0], strict=True):
        around = x + 0.999 * radius * directions
        assert (pattern_at(networks, around) == pattern_at(networks, x[None])).all()


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_a_unit_changes_just_beyond_the_nearest_facet(activation):
    networks = random_networks((5, 7, 8, 6, 4), activation, biases=True)
    inputs = points(10, 5)
    distances = [layer[0] for layer in facet_distances(networks, hidden(networks, inputs))]
    for point, x in enumerate(inputs):
        nearest = [layer[point].min(0) for layer in distances]
        layer = min(range(len(nearest)), key=lambda number: nearest[number].values)
        radius, unit = nearest[layer]

        def preactivation(x, layer=layer, unit=unit):
            return networks.preactivations(x[None])[layer][0, 0, unit]

        normal = torch.nn.functional.normalize(grad(preactivation)(x), dim=0)
        ends = [
            x + sign * beyond * radius * normal for beyond in (0.999, 1.001) for sign in (1, -1)
        ]
        changed = pattern_at(networks, torch.stack([x, *ends]))[0]
        changed = (changed != changed[0]).any(-1)[1:]
        assert changed[:2].tolist() == [False, False]
        assert changed[2:].any()


def test_inradius_does_not_change_when_inputs_and_weights_are_rotated():
    networks, inputs = random_networks((9, 7, 8, 4), count=2, biases=True), points(20, 9)
    rotation = torch.linalg.qr(points(9, 9, seed=3)).Q
    first, *others = networks.weights
    rotated = FullyConnectedNetworks((first @ rotation.T, *others), "relu", networks.biases)
    expected = inradii(networks, inputs)
    assert_close(inradii(rotated, inputs @ rotation.T), expected, rtol=1e-9, atol=0)


def test_inradius_scales_with_the_input_without_biases():
    networks, inputs = random_networks((9, 7, 8, 4)), points(5, 9)
    assert_close(inradii(networks, 5 * inputs), 5 * inradii(networks, inputs))


def test_one_layer_has_hyperplanes():
    networks = random_networks((9, 7, 4), count=2, biases=True)
    inputs = points(5, 9)
    (distances,) = facet_distances(networks, hidden(networks, inputs))
    for member, point, unit in product(range(2), range(5), range(7)):
        weight, bias = networks.weights[0][member, unit], networks.biases[0][member, unit]
        expected = (weight @ inputs[point] + bias).abs() / weight.norm()
        assert distances[member, point, unit].item() == pytest.approx(expected.item())


def test_unit_above_dead_ones_is_never_reached():
    networks = random_networks((6, 5, 4, 3))
    networks.weights[0].copy_(-networks.weights[0].abs())
    _, second = facet_distances(networks, hidden(networks, points(2, 6).abs()))
    assert second.isinf().all()
