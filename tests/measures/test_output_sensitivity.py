import inspect

import pytest
import torch
from oracles.output_sensitivity import mean_output_sensitivity, output_changes
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch.testing import assert_close

from generalization.derivatives.output_changes import output_variance
from generalization.devices import BUDGETS, Budget
from generalization.measures.output_sensitivity import output_sensitivity
from generalization.networks.fully_connected import FullyConnectedNetworks


def points(count, *features, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *features, generator=generator, dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def ones(inputs):
    return torch.ones(len(inputs), dtype=torch.float64)


def sensitivity(networks, inputs, deviations=None, **settings):
    deviations = ones(inputs) if deviations is None else deviations
    return output_sensitivity(networks, inputs, deviations, generator(), **settings)


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_equals_the_definition(activation, draws):
    networks = random_networks((12, 7, 4), activation, count=3, biases=True)
    inputs, deviations = points(50, 3, 2, 2), points(50).square() + 0.1
    changes = output_changes(networks, inputs, 0.3 / deviations, generator(), draws)
    expected = torch.from_numpy(mean_output_sensitivity(changes))
    assert_close(
        sensitivity(networks, inputs, deviations, pixel_noise_std=0.3, draws=draws), expected
    )


def test_a_module_is_a_stack_of_one():
    networks, inputs = random_networks((12, 7, 4), count=2), points(50, 12)
    values = sensitivity(networks, inputs)
    for member, value in enumerate(values):
        assert_close(sensitivity(PlainNetwork(networks, member), inputs), value[None])


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
    value, error = output_variance(
        networks,
        inputs,
        ones(inputs),
        generator(),
        lambda f: f.mean(-1, True),
        pixel_noise_std=0.1,
        draws=1,
    )
    expected = 0.1**2 * weight[0].mean(0).norm() ** 2
    assert error.item() == pytest.approx(expected.item() * (2 / 20_000) ** 0.5, rel=0.05)
    assert abs(value.item() - expected.item()) < 4 * error.item()


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


def test_function_added_to_all_logits_changes_it():
    """F4: softmax, accuracy and cross-entropy stay as they are, S does not."""
    networks, inputs = random_networks((9, 7, 4)), points(50, 9)
    first, last = networks.weights
    shifted = FullyConnectedNetworks((first, last + 5 * points(1, 1, 7)), "relu")
    assert_close(shifted.logits(inputs).softmax(-1), networks.logits(inputs).softmax(-1))
    assert sensitivity(shifted, inputs) > 5 * sensitivity(networks, inputs)


def test_of_the_softmax_it_would_be_zero():
    networks, inputs = random_networks((9, 7, 4), count=2), points(50, 9)
    values, _ = output_variance(
        networks,
        inputs,
        ones(inputs),
        generator(),
        lambda logits: logits.softmax(-1).mean(-1, True),
        pixel_noise_std=0.5,
        draws=2,
    )
    assert (values < 1e-30).all()


def test_standard_error_is_the_spread_between_noises():
    """Points are few, so that half the spread would come from them; they stay the same here."""
    networks, inputs = random_networks((9, 7, 4)), points(400, 9)
    same = inputs[:1].expand(400, 9)
    found = [
        output_variance(
            networks,
            same,
            ones(same),
            generator(seed),
            lambda f: f.mean(-1, True),
            pixel_noise_std=0.5,
            draws=1,
        )
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
