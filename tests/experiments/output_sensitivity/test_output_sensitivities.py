import numpy as np
import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, logit_jacobians, random_networks
from torch.testing import assert_close

from generalization.experiments.output_sensitivity.output_sensitivities import (
    VARIANTS,
    output_sensitivities,
    small_noise_variance,
)
from generalization.hyperparameters import Hyperparameters
from generalization.measures.output_sensitivity import (
    centered_output_sensitivity,
    output_sensitivity,
    output_sensitivity_per_output,
    softmax_output_sensitivity,
)
from generalization.training.initialization import initial_networks

MEASURES = {
    "mean": output_sensitivity,
    "per_output": output_sensitivity_per_output,
    "centered": centered_output_sensitivity,
    "softmax": softmax_output_sensitivity,
}
HE = Hyperparameters(dataset="digits")


def points(count, *features, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *features, generator=generator, dtype=torch.float64)


def generator():
    return torch.Generator().manual_seed(0)


def deviations(count):
    return torch.linspace(0.2, 0.6, count, dtype=torch.float64)


def profile(networks, inputs, hyperparameters=HE, **settings):
    spread = deviations(len(inputs))
    return output_sensitivities(networks, inputs, spread, generator(), hyperparameters, **settings)


def test_one_row_per_network_and_variant():
    table = profile(random_networks((9, 7, 4), count=3), points(20, 3, 3))
    assert table["network"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert table["variant"].tolist() == [*VARIANTS] * 3
    assert (table["classes"] == 4).all()


@pytest.mark.parametrize("variant", MEASURES)
def test_values_are_those_of_the_measures_with_the_same_noise(variant):
    networks, inputs = random_networks((9, 7, 4), count=3), points(20, 9)
    table = profile(networks, inputs, draws=2, pixel_noise_std=0.3)
    values = table.loc[table["variant"] == variant, "value"].tolist()
    measure = MEASURES[variant]
    expected = measure(networks, inputs, deviations(20), generator(), draws=2, pixel_noise_std=0.3)
    assert values == expected.tolist()


def test_a_module_has_no_expectation():
    networks, inputs = random_networks((9, 7, 4)), points(20, 9)
    of_stack, of_module = profile(networks, inputs), profile(PlainNetwork(networks), inputs)
    for column in ("value", "standard_error", "small_noise", "ratio", "input_ratio"):
        assert of_module[column].tolist() == pytest.approx(of_stack[column].tolist())
    assert (
        of_module[["expected_before", "expected_before_wide", "variance_of_biases"]]
        .isna()
        .all(axis=None)
    )
    tanh = profile(random_networks((9, 7, 4), "tanh"), inputs)
    assert (
        tanh[["expected_before", "expected_before_wide", "variance_of_biases"]]
        .isna()
        .all(axis=None)
    )


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_little_noise_by_the_whole_jacobian(activation):
    networks, inputs = random_networks((9, 7, 4), activation, count=2), points(20, 9)
    noise = 0.3 / deviations(20)
    for member in range(2):
        jacobians = logit_jacobians(PlainNetwork(networks, member), inputs)
        squares = jacobians.square().sum((1, 2))
        of_mean = jacobians.sum(1).square().sum(1)
        expected = {
            "mean": of_mean / 4**2,
            "per_output": squares / 4,
            "centered": (squares - of_mean / 4) / 3,
        }
        for variant, of_points in expected.items():
            outputs = VARIANTS[variant][0]
            found = small_noise_variance(
                networks, inputs, deviations(20), outputs, pixel_noise_std=0.3
            )
            assert_close(found[member], (noise.square() * of_points).mean())


def test_values_tend_to_those_of_little_noise():
    """The relative error of the variance of N changes is √(2/N) and more, here 2 %."""
    table = profile(
        random_networks((9, 7, 4), count=2), points(3000, 9), pixel_noise_std=1e-5, draws=3
    )
    assert table["ratio"].to_numpy() == pytest.approx(1, abs=0.1)
    errors = table["standard_error"] / table["value"]
    assert (abs(table["ratio"] - 1) < 4 * errors).all()
    assert errors.max() < 0.05


@pytest.mark.parametrize(
    "chosen",
    [
        {"init_scale": 0.8},
        {"initialization": "uniform", "biases": True},
        {"initialization": "standard_normal", "biases": True},
    ],
)
def test_expectations_before_training(chosen):
    """Exact for small noise, even at small widths; mean over networks and all logits."""
    chosen = Hyperparameters(dataset="digits", **chosen)
    networks = initial_networks((6, 9, 7, 3), chosen, range(1500)).to(torch.float64)
    table = profile(networks, points(3, 6), chosen)
    for variant, rows in table.groupby("variant"):
        expected = rows["expected_before"].iloc[0]
        if variant == "softmax":
            assert rows[["expected_before", "expected_before_wide"]].isna().all(axis=None)
            continue
        error = rows["small_noise"].sem()
        assert error < 0.1 * expected
        assert abs(rows["small_noise"].mean() - expected) < 4 * error


def test_variance_before_training_follows_from_sensitivity():
    """Var_θ f_k = S C + Σ, averaged over points and logits: exact at any finite widths."""
    chosen = Hyperparameters(dataset="digits", initialization="standard_normal", biases=True)
    networks = initial_networks((6, 9, 7, 3), chosen, range(3000)).to(torch.float64)
    inputs = 2 * points(5, 6)
    table = profile(networks, inputs, chosen).query("variant == 'per_output'")
    variances = networks.logits(inputs).square().mean((1, 2))  # The mean of logits is 0.
    found, error = variances.mean().item(), variances.std().item() / 3000**0.5
    row = table.iloc[0]
    expected = row["expected_before"] * row["input_ratio"] + row["variance_of_biases"]
    assert 4 * error < 0.2 * expected
    assert abs(found - expected) < 4 * error
    by_networks = table["small_noise"] * row["input_ratio"] + row["variance_of_biases"]
    assert abs(found - by_networks.mean()) < 4 * np.hypot(error, by_networks.sem())


def test_wide_networks_with_noise_that_is_not_little():
    chosen = Hyperparameters(dataset="digits")
    networks = initial_networks((100, 300, 300, 300, 10), chosen, range(8)).to(torch.float64)
    inputs = points(400, 100)
    rows = profile(networks, inputs, chosen, pixel_noise_std=0.3).query("variant == 'per_output'")
    assert rows["ratio"].mean() < 0.9
    error = rows["value"].sem()
    assert abs(rows["value"].mean() - rows["expected_before_wide"].iloc[0]) < 4 * error
    assert 4 * error < 0.15 * rows["value"].mean()


def test_ratio_of_inputs_and_noise():
    """C is the mean square pixel over the variance of noise, where inputs are pixels."""
    networks, inputs = random_networks((9, 7, 4)), points(20, 9)
    ones = torch.ones(20, dtype=torch.float64)
    table = output_sensitivities(networks, inputs, ones, generator(), HE, pixel_noise_std=0.1)
    expected = 100 * inputs.square().mean().item()
    assert table["input_ratio"].tolist() == pytest.approx([expected] * 4)


def test_single_precision_is_close():
    networks, inputs = random_networks((9, 7, 4), count=2), points(50, 9)
    single = profile(networks.to(torch.float32), inputs.float())
    double = profile(networks, inputs)
    for column in ("value", "small_noise", "standard_error"):
        assert single[column].to_numpy() == pytest.approx(double[column].to_numpy(), rel=1e-4)
        assert single[column].dtype == "float64"
