"""Measures with draws of their own tell standard errors, which tables show."""

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import Generator
from torch.testing import assert_close

import generalization
from generalization.measures.local_learning_coefficient import local_learning_coefficient
from generalization.measures.pac_bayes import (
    isotropic_bound,
    noise_level,
    pac_bayes_flatness,
    pac_bayes_from_origin,
)
from generalization.networks.layer_weights import layer_weights
from generalization.networks.sequences import sequence_of
from generalization.standard_errors import collecting_standard_errors, tell_standard_error


def data():
    networks = random_networks((4, 8, 3), count=2)
    inputs = torch.randn(40, 4, generator=Generator().manual_seed(1), dtype=torch.float64)
    return networks, inputs, networks.logits(inputs)[0].argmax(1)


def generator():
    return Generator().manual_seed(2)


def test_errors_of_flatness_are_those_of_the_level_to_first_order():
    networks, inputs, labels = data()
    found = noise_level(networks, inputs, labels, generator(), 10)
    with collecting_standard_errors() as told:
        values = pac_bayes_flatness(networks, inputs, labels, generator())
        pac_bayes_from_origin(networks, inputs, labels, generator())
    assert_close(values, found.level.pow(-2), rtol=0, atol=0, equal_nan=True)
    expected = 2 * found.level.pow(-3) * found.standard_error
    assert expected[0] > 0
    assert_close(told[0], expected, rtol=1e-14, atol=0, equal_nan=True)
    near = [
        isotropic_bound(layer_weights(networks), (1 + change) * found.level, 40)
        for change in (-1e-6, 1e-6)
    ]
    slopes = (near[1] - near[0]) / (2e-6 * found.level)
    assert_close(told[1], slopes.abs() * found.standard_error, rtol=1e-6, atol=0, equal_nan=True)


def test_error_of_the_learning_coefficient_is_over_chains():
    networks, inputs, labels = data()
    chosen = {"chain_steps": 4, "step_size": 1e-3}
    with collecting_standard_errors() as told:
        local_learning_coefficient(networks, inputs, labels, generator(), chains=3, **chosen)
        local_learning_coefficient(networks, inputs, labels, generator(), chains=1, **chosen)
    (error,) = told
    assert error.shape == (2,)
    assert (error > 0).all()


def test_table_pools_the_errors_of_all_repeats():
    networks, inputs, labels = data()
    module = sequence_of(networks[:1])

    def told(networks, train_inputs, generator):
        one = torch.rand(1, generator=generator, dtype=torch.float64)
        tell_standard_error(3 + 0 * one)
        return one

    table = generalization.measure(module, inputs, labels, {"told": told}, repeats=9)
    assert table["standard_error"].item() == pytest.approx(1)
