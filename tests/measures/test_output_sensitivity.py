import inspect

import pytest
import torch
from oracles import output_sensitivity as oracle
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch.testing import assert_close

from generalization.derivatives.output_changes import PixelNoise, mean_logit, output_variance
from generalization.devices import BUDGETS, Budget
from generalization.measures.jacobian_norm import jacobian_norm
from generalization.measures.output_sensitivity import (
    centered_output_sensitivity,
    output_sensitivity,
    output_sensitivity_per_output,
    softmax_output_sensitivity,
)
from generalization.networks.fully_connected import FullyConnectedNetworks

OF_LOGITS = {
    output_sensitivity: oracle.mean_output_sensitivity,
    output_sensitivity_per_output: oracle.output_sensitivity_per_output,
    centered_output_sensitivity: oracle.centered_output_sensitivity,
}
# F1: value for a linear network with this weight, divided by the variance of the noise.
LINEAR = {
    output_sensitivity_per_output: lambda weight: weight.norm() ** 2 / 4,
    centered_output_sensitivity: lambda weight: (weight - weight.mean(0)).norm() ** 2 / 3,
}


def points(count, *features, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *features, generator=generator, dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def ones(inputs):
    return torch.ones(len(inputs), dtype=torch.float64)


def sensitivity(networks, inputs, deviations=None, measure=output_sensitivity, **settings):
    deviations = ones(inputs) if deviations is None else deviations
    return measure(networks, inputs, deviations, generator(), **settings)


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("measure", OF_LOGITS)
def test_equals_the_definition(measure, activation, draws):
    networks = random_networks((12, 7, 4), activation, count=3, biases=True)
    inputs, deviations = points(50, 3, 2, 2), points(50).square() + 0.1
    changes = oracle.output_changes(networks, inputs, 0.3 / deviations, generator(), draws)
    expected = torch.from_numpy(OF_LOGITS[measure](changes))
    chosen = {"measure": measure, "pixel_noise_std": 0.3, "draws": draws}
    assert_close(sensitivity(networks, inputs, deviations, **chosen), expected)


def test_sensitivity_of_the_softmax_equals_the_definition():
    networks, inputs = random_networks((9, 7, 4), count=3, biases=True), points(50, 9)
    noise = torch.full((50,), 0.6).double()
    changes = oracle.output_changes(networks, inputs, noise, generator())
    changes = torch.from_numpy(changes)[:, 0]
    before = torch.stack([PlainNetwork(networks, member)(inputs) for member in range(3)])
    changes = (before + changes).softmax(-1) - before.softmax(-1)
    expected = changes.var(1, correction=0).sum(-1)
    chosen = {"measure": softmax_output_sensitivity, "pixel_noise_std": 0.6}
    assert_close(sensitivity(networks, inputs, **chosen), expected)


@pytest.mark.parametrize("measure", [*OF_LOGITS, softmax_output_sensitivity])
def test_a_module_is_a_stack_of_one(measure):
    networks, inputs = random_networks((12, 7, 4), count=2), points(50, 12)
    values = sensitivity(networks, inputs, measure=measure)
    for member, value in enumerate(values):
        module = PlainNetwork(networks, member)
        assert_close(sensitivity(module, inputs, measure=measure), value[None])


def test_networks_see_the_same_noise_however_many_there_are(monkeypatch):
    networks, inputs = random_networks((12, 7, 4), count=5), points(50, 12)
    together = sensitivity(networks, inputs, draws=2)
    alone = torch.cat([sensitivity(one, inputs, draws=2) for one in networks])
    assert_close(together, alone)
    monkeypatch.setitem(BUDGETS, "logits", Budget(2 * 50 * 4, 2 * 50 * 4))
    assert_close(sensitivity(networks, inputs, draws=2), alone)


def test_linear_network_has_the_square_of_its_mean_row():
    """F1: σ²‖mean row‖², whatever the biases; changes are normal, so its error is √(2/N) of it."""
    weight, bias = points(1, 4, 9), points(1, 4)
    networks = FullyConnectedNetworks((weight,), "relu", (bias,))
    inputs = points(20_000, 9)
    noise = PixelNoise(ones(inputs), generator(), 0.1, 1)
    value, error = output_variance(networks, inputs, noise, mean_logit)
    expected = 0.1**2 * weight[0].mean(0).norm() ** 2
    assert error.item() == pytest.approx(expected.item() * (2 / 20_000) ** 0.5, rel=0.05)
    assert abs(value.item() - expected.item()) < 4 * error.item()


@pytest.mark.parametrize("measure", LINEAR)
def test_linear_network_has_the_square_of_its_weight(measure):
    """F1."""
    weight, inputs = points(1, 4, 9), points(20_000, 9)
    networks = FullyConnectedNetworks((weight,), "relu")
    expected = (0.1**2 * LINEAR[measure](weight[0])).item()
    value = sensitivity(networks, inputs, measure=measure)
    assert value.item() == pytest.approx(expected, rel=0.03)


def test_bias_of_the_last_layer_does_not_matter():
    networks, inputs = random_networks((9, 7, 4), biases=True), points(50, 9)
    biases = (networks.biases[0], networks.biases[1] + points(1, 4))
    shifted = FullyConnectedNetworks(networks.weights, "relu", biases)
    assert_close(sensitivity(shifted, inputs), sensitivity(networks, inputs))


def test_factor_on_logits_is_squared_and_constants_have_none():
    """F2."""
    networks, inputs = random_networks((9, 7, 4)), points(50, 9)
    first, last = networks.weights
    for factor in (3.0, 0.0):
        scaled = FullyConnectedNetworks((first, factor * last), "relu")
        assert_close(sensitivity(scaled, inputs), factor**2 * sensitivity(networks, inputs))


def test_scale_of_inputs_and_noise_of_a_bias_free_relu_network():
    """F3: S(αx, ασ) = α² S(x, σ)."""
    networks, inputs = random_networks((9, 7, 8, 4)), points(50, 9)
    expected = 25 * sensitivity(networks, inputs, pixel_noise_std=0.2)
    assert_close(sensitivity(networks, 5 * inputs, pixel_noise_std=1.0), expected)


def test_noise_is_stated_in_pixels():
    """A deviation of ½ is half a pixel per unit of input: noise is twice as large in inputs."""
    networks, inputs = random_networks((9, 7, 4)), points(50, 9)
    halves = torch.full((50,), 0.5, dtype=torch.float64)
    assert_close(
        sensitivity(networks, inputs, halves), sensitivity(networks, inputs, pixel_noise_std=0.2)
    )


@pytest.mark.parametrize("measure", [output_sensitivity, output_sensitivity_per_output])
def test_function_added_to_all_logits_changes_it(measure):
    """F4: softmax, accuracy and cross-entropy stay as they are, S does not."""
    networks, inputs = random_networks((9, 7, 4)), points(50, 9)
    first, last = networks.weights
    shifted = FullyConnectedNetworks((first, last + 5 * points(1, 1, 7)), "relu")
    assert_close(shifted.logits(inputs).softmax(-1), networks.logits(inputs).softmax(-1))
    before = sensitivity(networks, inputs, measure=measure)
    assert sensitivity(shifted, inputs, measure=measure) > 5 * before


@pytest.mark.parametrize("measure", [centered_output_sensitivity, softmax_output_sensitivity])
def test_function_added_to_all_logits_does_not_change_the_others(measure):
    """F4."""
    networks, inputs = random_networks((9, 7, 4)), points(50, 9)
    first, last = networks.weights
    shifted = FullyConnectedNetworks((first, last + 5 * points(1, 1, 7)), "relu")
    before = sensitivity(networks, inputs, measure=measure)
    assert_close(sensitivity(shifted, inputs, measure=measure), before)


def test_sum_of_both_parts():
    """K Var̄ = Σ_k Var[e_k − ē] + K Var[ē], exactly, for whatever changes."""
    networks, inputs = random_networks((9, 7, 4), count=3), points(50, 9)
    mean = sensitivity(networks, inputs)
    rest = sensitivity(networks, inputs, measure=centered_output_sensitivity)
    both = sensitivity(networks, inputs, measure=output_sensitivity_per_output)
    assert_close(both, mean + rest * 3 / 4)


def test_uncorrelated_logits_have_k_times_that_of_their_mean():
    weight = torch.eye(4, 9, dtype=torch.float64)[None]
    networks, inputs = FullyConnectedNetworks((weight,), "relu"), points(20_000, 9)
    per_output = sensitivity(networks, inputs, measure=output_sensitivity_per_output)
    ratio = per_output / sensitivity(networks, inputs)
    assert ratio.item() == pytest.approx(4, rel=0.05)


def test_one_class_has_no_centered_sensitivity():
    networks, inputs = random_networks((9, 7, 1)), points(50, 9)
    assert sensitivity(networks, inputs, measure=centered_output_sensitivity).item() == 0


def test_little_noise_gives_the_mean_square_of_the_jacobian_norm():
    """Novak et al. 2018, §3: σ² E‖J‖_F²."""
    networks, inputs = random_networks((9, 7, 4), count=2), points(4000, 9)
    expected = 1e-4**2 * jacobian_norm(networks, inputs).square().mean(1)
    chosen = {"measure": softmax_output_sensitivity, "pixel_noise_std": 1e-4, "draws": 4}
    assert_close(sensitivity(networks, inputs, **chosen), expected, rtol=0.05, atol=0)


def test_certain_answers_change_by_one_or_not_at_all():
    """Between two classes: every change that is one counts twice, minus the square of the mean."""
    networks, inputs = random_networks((9, 40, 2)), points(500, 9)
    first, last = networks.weights
    certain = FullyConnectedNetworks((first, 1e12 * last), "relu")
    changes = oracle.output_changes(certain, inputs, ones(inputs), generator())
    changed = torch.from_numpy(changes)[0, 0]
    before = PlainNetwork(certain)(inputs)
    steps = ((before + changed).argmax(-1) - before.argmax(-1)).double()
    expected = 2 * (steps.square().mean() - steps.mean() ** 2)
    chosen = {"measure": softmax_output_sensitivity, "pixel_noise_std": 1.0}
    assert sensitivity(certain, inputs, **chosen).item() == pytest.approx(expected.item())
    assert expected > 0.3


def test_of_the_softmax_it_would_be_zero():
    networks, inputs = random_networks((9, 7, 4), count=2), points(50, 9)
    noise = PixelNoise(ones(inputs), generator(), 0.5, 2)
    values, _ = output_variance(
        networks, inputs, noise, lambda logits: logits.softmax(-1).mean(-1, True)
    )
    assert (values < 1e-30).all()


def test_standard_error_is_the_spread_between_noises():
    """Points are few, so that half the spread would come from them; they stay the same here."""
    networks, inputs = random_networks((9, 7, 4)), points(400, 9)
    same = inputs[:1].expand(400, 9)
    found = [
        output_variance(networks, same, PixelNoise(ones(same), generator(seed), 0.5, 1), mean_logit)
        for seed in range(300)
    ]
    values, errors = map(torch.cat, zip(*found, strict=True))
    # The standard deviation of 300 values has a relative error of 1 / √600.
    assert values.std().item() == pytest.approx(errors.mean().item(), rel=4 / 600**0.5)


def test_labels_are_not_used():
    names = inspect.signature(output_sensitivity).parameters
    assert not {"labels", "train_labels"} & set(names)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"draws": 0}, r"^draws must be at least 1, not 0\.$"),
        ({"pixel_noise_std": 0.0}, r"^pixel_noise_std must be positive, not 0\.0\.$"),
    ],
)
def test_nothing_to_compare_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        sensitivity(random_networks((9, 4)), points(5, 9), **settings)
