"""What leaves each similarity as it is, and what does not (the table of Kornblith et al. 2019)."""

from importlib import import_module

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.similarities import planted
from torch import nn

from generalization.catalog import SIMILARITIES
from generalization.errors import InputError

FUNCTIONS = {
    name: getattr(import_module(f"generalization.similarities.{name}"), name)
    for name in SIMILARITIES
}


def layers(seed=0, widths=(4, 6)):
    generator = np.random.default_rng(seed)
    x, y = planted(generator, 60, 2, widths[0] - 2, widths[1] - 2)
    return x, y + 0.5 * generator.standard_normal(y.shape), generator


def rotation(width, generator):
    return np.linalg.qr(generator.standard_normal((width, width))).Q


def stretched(width, generator):
    return generator.standard_normal((width, width)) + 3 * np.diag(np.arange(width))


CHANGES = {
    "permutations of units": lambda x, some: x[:, some.permutation(x.shape[1])],
    "translations": lambda x, some: x + some.standard_normal(x.shape[1]),
    "isotropic scaling": lambda x, _: 3.7 * x,
    "orthogonal maps": lambda x, some: x @ rotation(x.shape[1], some),
    "invertible linear maps": lambda x, some: x @ stretched(x.shape[1], some),
}


def test_the_catalog_names_changes_that_are_tested():
    assert {how for one in SIMILARITIES.values() for how in one.invariances} == {*CHANGES}


# Similarity, change, layer that is changed, and whether the catalog says that this is no matter.
CASES = [
    (name, how, side, side in similarity.invariances.get(how, ""))
    for name, similarity in SIMILARITIES.items()
    for how in CHANGES
    for side in "ab"
]


@pytest.mark.parametrize(("name", "how", "side", "invariant"), CASES)
def test_what_leaves_a_similarity_as_it_is(name, how, side, invariant):
    x, y, generator = layers()
    before = FUNCTIONS[name](x, y)
    if side == "a":
        x = CHANGES[how](x, generator)
    else:
        y = CHANGES[how](y, generator)
    after = FUNCTIONS[name](x, y)
    assert (after.value == pytest.approx(before.value, abs=1e-9)) == invariant
    if invariant:
        assert after.null == pytest.approx(before.null, abs=1e-9)
        assert after.held_out == pytest.approx(before.held_out, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("widths", [(4, 6), (6, 4)])
@pytest.mark.parametrize("name", SIMILARITIES)
def test_which_similarities_are_symmetric(name, widths):
    x, y, _ = layers(widths=widths)
    one, other = FUNCTIONS[name](x, y), FUNCTIONS[name](y, x)
    symmetric = one.value == pytest.approx(other.value, abs=1e-9)
    assert symmetric != SIMILARITIES[name].asymmetric
    assert (one.units_a, one.units_b) == (other.units_b, other.units_a) == widths


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5), st.integers(2, 30))
@settings(max_examples=25)
def test_similarities_are_from_0_to_1_and_1_of_the_same(seed, width, other, samples):
    generator = np.random.default_rng(seed)
    x, y = (generator.standard_normal((samples, units)) for units in (width, other))
    for function in FUNCTIONS.values():
        assert -1e-9 <= function(x, y).value <= 1 + 1e-9
        assert function(x, x).value == pytest.approx(1)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_dead_and_constant_units_change_nothing(name):
    x, y, _ = layers()
    before = FUNCTIONS[name](x, y)
    more = np.hstack([x, np.zeros((60, 2)), np.full((60, 1), 0.1)])
    for one in (more, torch.from_numpy(more)):
        after = FUNCTIONS[name](one, y)
        assert after.value == pytest.approx(before.value, abs=1e-9)
        assert (after.units_a, after.null) == (7, pytest.approx(before.null))


@pytest.mark.parametrize("name", SIMILARITIES)
def test_single_precision_agrees_with_double(name):
    x, y, _ = layers()
    y[:, 3] = 0.1
    y[:, 4] = y[:, 5]
    singles = [layer.astype(np.float32) for layer in (x, y)]
    double = FUNCTIONS[name](*(layer.astype(np.float64) for layer in singles))
    single = FUNCTIONS[name](*singles)
    assert single.value == pytest.approx(double.value, abs=1e-9)
    assert single.held_out == pytest.approx(double.held_out, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_layers_that_say_nothing_have_no_similarity(name):
    x, y, _ = layers()
    constant = FUNCTIONS[name](np.ones((60, 3)), y)
    assert constant.status == "constant"
    assert np.isnan([constant.value, constant.null, constant.held_out]).all()
    x[3, 1] = np.inf
    assert FUNCTIONS[name](x, y).status == "not_finite"
    assert np.isnan(FUNCTIONS[name](y, x).value)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_few_samples_are_reported(name):
    x, y, _ = layers()
    assert FUNCTIONS[name](x, y).status == "ok"
    assert FUNCTIONS[name](x[:29], y[:29]).status == "few_samples"
    assert FUNCTIONS[name](x[:30], y[:30]).status == "ok"


@pytest.mark.parametrize("name", SIMILARITIES)
def test_bad_input_is_reported_in_one_sentence(name):
    x, y, _ = layers()
    sentences = {
        "activations must be of the same samples, not of 60 and 59.": (x, y[1:]),
        "activations must be of at least 2 samples, not 1.": (x[:1], y[:1]),
        "activations must be samples × units, not of shape (2, 3, 1, 1); feature maps become so "
        "by layer_matrices.": (np.ones((2, 3, 1, 1)), y),
        "activations must be samples × units, not a Linear: generalization.compare records those "
        "of its layers.": (nn.Linear(2, 3), y),
    }
    for sentence, pair in sentences.items():
        with pytest.raises(InputError) as caught:
            FUNCTIONS[name](*pair)
        assert str(caught.value) == f"{name}: {sentence}"
