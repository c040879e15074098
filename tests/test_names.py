import math

import numpy as np
import pandas as pd
import pytest

from generalization.names import (
    interval,
    listed,
    number,
    readable,
    setting_name,
    short_name,
    value_name,
    values_of,
    within,
)


@pytest.mark.parametrize(
    ("name", "words", "inside"),
    [
        ("logit_jacobian_norm", "Logit Jacobian norm", "logit Jacobian norm"),
        ("jacobian_norm-0a1b2c3d", "Jacobian norm (0a1b2c3d)", "Jacobian norm (0a1b2c3d)"),
        ("ols_r_squared", "OLS R²", "OLS R²"),
        ("empirical_fisher_rao_norm", "Empirical Fisher–Rao norm", "empirical Fisher–Rao norm"),
        ("pac_bayes_flatness", "PAC-Bayes flatness", "PAC-Bayes flatness"),
        ("theorem_3_1_bound", "Theorem 3.1 bound", "Theorem 3.1 bound"),
        ("svcca", "SVCCA", "SVCCA"),
        ("mean_cca", "Mean CCA", "mean CCA"),
        ("linear_cka", "Linear CKA", "linear CKA"),
        ("tic_of_traces", "TIC of traces", "TIC of traces"),
        ("statistics", "Statistics", "statistics"),
        ("p_value", "p value", "p value"),
        ("", "", ""),
    ],
)
def test_names_in_words(name, words, inside):
    assert readable(name) == words
    assert within(name) == inside


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (0.83456, "0.835"),
        (-12.345, "−12.3"),
        (1234.5, "1,234"),
        (123456, "123,456"),
        (np.int64(7), "7"),
        (1.234e-9, "1.23e−9"),
        (5e7, "5e7"),
        (math.nan, "–"),
        (-math.inf, "−∞"),
    ],
)
def test_three_significant_digits(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.834, 0.711, 0.899), "0.83 [0.71, 0.90]"),
        ((-0.004, -0.31, 0.37), "−0.004 [−0.31, 0.37]"),
        ((-0.38, -0.692, -0.00458), "−0.38 [−0.69, −0.0046]"),
        ((1.0, 0.95, 1.0), "1.00 [0.95, 1.00]"),
        ((0.0123, 0.0101, 0.0149), "0.012 [0.010, 0.015]"),
        ((51.2, 40.8, 60.3), "51 [41, 60]"),
        ((2.5e-8, 1e-8, 4e-8), "2.5e−8 [1e−8, 4e−8]"),
        ((0.5, math.nan, math.nan), "0.50"),
        ((0.0, 0.0, 0.0), "0.0 [0.0, 0.0]"),
        ((math.nan, math.nan, math.nan), "–"),
    ],
)
def test_interval_has_the_decimals_of_the_largest(values, shown):
    assert interval(*values) == shown


def test_lists():
    assert [listed(["a", "b", "c"][:size]) for size in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b, and c",
    ]


def test_values_are_named_as_in_a_configuration():
    values = values_of(pd.Series([100, None, 24.0]))
    assert [value_name(value) for value in values] == ["24", "100", "null"]
    assert [value_name(value) for value in (True, np.False_, 0.25, "relu")] == [
        "true",
        "false",
        "0.25",
        "relu",
    ]


def test_functions_that_build_networks_are_named_without_their_module():
    place, arguments = "package.module:small_net", '{"batch_norm": true, "depth": 11}'
    assert setting_name("architecture", place) == "small net"
    assert setting_name("architecture_arguments", arguments) == "batch norm true, depth 11"
    assert [short_name(value) for value in (place, None, 0.5, "max")] == [
        "small_net",
        "null",
        "0.5",
        "max",
    ]
