import re
from itertools import pairwise
from math import pi

import pytest
import torch
from oracles.transitions import dense_transitions, rational_transitions
from sklearn.datasets import load_digits
from torch import Generator, nn

from generalization.datasets.dataset import Dataset
from generalization.errors import Approximated, InputError
from generalization.hyperparameters import Hyperparameters
from generalization.measures.sampled_transitions import (
    sampled_transitions,
    sampled_transitions_per_layer,
)
from generalization.measures.transitions import transitions, transitions_per_layer
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.regions.crossing_costs import SMOOTH_FUNCTIONS, is_followed
from generalization.training import train_ensemble

PIECEWISE_LINEAR = ["relu", "relu6", "hardtanh", "hardsigmoid"]
DOUBLE = torch.float64


def random_networks(widths, activation, *, biases=False, count=1, init_scale=2.0, seed=0):
    """Float64 networks, with random biases if any, whose units reach all of their regions."""
    generators = [Generator().manual_seed(seed + number) for number in range(count)]
    if activation == "relu6":
        init_scale *= 3
    networks = initialize_fully_connected(widths, activation, generators, init_scale=init_scale)
    if not biases:
        return networks.to(DOUBLE)
    biases = tuple(torch.randn(count, units, generator=generators[0]) for units in widths[1:])
    return FullyConnectedNetworks(networks.weights, activation, biases).to(DOUBLE)


def random_images(count, *shape, seed=0):
    return torch.randn(count, *shape, generator=Generator().manual_seed(seed)).double()


def arrays(network):
    """Weights and biases of a stack of one for the oracles."""
    weights = [weight[0].numpy() for weight in network.weights]
    biases = [bias[0].numpy() for bias in network.biases]
    return weights, biases or [weight[:, 0] * 0 for weight in weights], network.activation


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_counts_are_those_of_rational_arithmetic(activation, biases):
    network = random_networks((12, 5, 4, 4, 2), activation, biases=biases)
    images = random_images(3, 2, 2, 3)
    counts = transitions_per_layer(network, images, dtype=DOUBLE)[0]
    for image, count in zip(images, counts, strict=True):
        assert count.tolist() == rational_transitions(*arrays(network), image.numpy())
    assert (counts.sum(dim=0) > 0).all()


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_counts_are_the_limit_of_sampling(activation, biases):
    network = random_networks((16, 8, 8, 2), activation, biases=biases)
    images = random_images(2, 1, 4, 4)
    exact = transitions_per_layer(network, images, dtype=DOUBLE)[0]
    for image, count in zip(images, exact, strict=True):
        few = dense_transitions(*arrays(network), image.numpy(), 2**5)
        many = dense_transitions(*arrays(network), image.numpy(), 2**13)
        assert all(sampled <= counted for sampled, counted in zip(few, count, strict=True))
        assert many == count.tolist()


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_finer_samples_approach_the_count_from_below(activation):
    networks = random_networks((64, 30, 30, 30, 10), activation, count=2)
    images = random_images(3, 1, 8, 8)
    counts = [
        sampled_transitions(networks, images, grid_points=2**power, dtype=DOUBLE)
        for power in range(4, 13, 2)
    ]
    counts.append(transitions(networks, images, dtype=DOUBLE))
    for coarse, fine in pairwise(counts):
        assert (coarse <= fine).all()
    assert (counts[0] < counts[-1]).all()
    assert (counts[-2] > 0.98 * counts[-1]).all()


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8)
    images -= images.mean(dim=(2, 3), keepdim=True)
    images /= images.std(dim=(2, 3), keepdim=True, correction=0)
    labels = torch.tensor(labels)
    return Dataset(
        name="digits",
        classes=10,
        train_inputs=images[:400],
        train_labels=labels[:400],
        test_inputs=images[400:],
        test_labels=labels[400:],
    )


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_counts_of_trained_networks_are_the_limit_of_sampling(digits, activation):
    hyperparameters = Hyperparameters(
        dataset="digits", activation=activation, width=30, depth=4, batch_size=40, kept_steps=()
    )
    trained = train_ensemble(digits, hyperparameters, [1])
    assert trained.kept.statuses == ("fitted",)
    network, images = trained.kept.networks[-1].to(DOUBLE), digits.test_inputs[:2].double()
    exact = transitions(network, images, dtype=DOUBLE)
    coarse, fine = (
        sampled_transitions(network, images, grid_points=2**power, dtype=DOUBLE)
        for power in (6, 16)
    )
    assert (coarse <= exact).all()
    assert coarse.sum() < exact.sum()
    # Pairs of crossings less than 1e-4 of an edge apart are still missed.
    assert ((exact - fine) >= 0).all()
    assert ((exact - fine) <= 4).all()


def test_unit_that_jumps_over_its_linear_region_counts_twice():
    image = torch.tensor([[[[1.0, -1.0]]]])  # two translations: the unit goes from 10 to -10 to 10
    weights = (torch.tensor([[[5.0, -5.0]]]), torch.ones(1, 1, 1))
    for activation, count in [("relu", 2), ("hardtanh", 4), ("relu6", 4), ("hardsigmoid", 4)]:
        assert transitions(FullyConnectedNetworks(weights, activation), image).item() == count


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_count_around_a_closed_curve_is_even(activation):
    networks = random_networks((25, 20, 20, 2), activation, biases=True, count=3)
    counts = transitions_per_layer(networks, random_images(20, 1, 5, 5))
    assert (counts % 2 == 0).all()
    assert (counts > 0).any()


def test_relu_without_biases_does_not_see_the_scale_of_an_image():
    networks = random_networks((36, 30, 30, 30, 10), "relu")
    images = random_images(4, 1, 6, 6)
    counts = transitions_per_layer(networks, images, dtype=DOUBLE)
    assert torch.equal(transitions_per_layer(networks, 7.3 * images, dtype=DOUBLE), counts)
    assert (counts > 0).all()


def test_translated_image_has_the_same_loop():
    networks = random_networks((48, 30, 30, 10), "hardtanh", biases=True)
    images = random_images(4, 3, 4, 4)
    counts = transitions(networks, images, dtype=DOUBLE)
    for shift in range(1, 4):
        translated = images.roll(shift, dims=-1)
        assert torch.equal(transitions(networks, translated, dtype=DOUBLE), counts)


def test_first_layer_that_is_the_identity_counts_sign_changes_of_rows():
    images = random_images(5, 2, 3, 7)
    identity = torch.eye(42, dtype=DOUBLE).unsqueeze(0)
    network = FullyConnectedNetworks((identity, identity[:, :2]), "relu")
    changes = (images.sign() != images.roll(1, dims=-1).sign()).sum(dim=(1, 2, 3))
    assert torch.equal(transitions(network, images)[0], 7 * changes.double())


def test_unit_counted_twice_has_twice_its_transitions():
    network = random_networks((16, 6, 6, 2), "relu6")
    first, second, last = network.weights
    duplicated = FullyConnectedNetworks(
        (first, torch.cat((second, second[:, 2:3]), dim=1), last[:, :, [0, 1, 2, 3, 4, 5, 2]]),
        "relu6",
    )
    alone = FullyConnectedNetworks((first, second[:, 2:3], last[:, :, 2:3]), "relu6")
    images = random_images(10, 1, 4, 4)
    added = transitions_per_layer(duplicated, images) - transitions_per_layer(network, images)
    assert torch.equal(added[..., 1], transitions_per_layer(alone, images)[..., 1])
    assert (added[..., 0] == 0).all()
    assert added[..., 1].sum() > 0


def test_units_that_stay_in_one_region_have_no_transitions():
    networks = random_networks((16, 8, 8, 2), "hardtanh")
    networks = networks.map(lambda weight: weight / 100)
    assert (transitions(networks, random_images(3, 1, 4, 4)) == 0).all()


def test_image_that_translations_do_not_change_has_none():
    networks = random_networks((16, 8, 8, 2), "relu", biases=True)
    assert transitions(networks, torch.zeros(1, 1, 4, 4)).item() == 0


def test_first_layer_of_a_random_network_follows_crofton():
    # E[t_1] = n_1 (width / π) ∠(x, T_1 x); the mean of 4,000 units has a standard error below 2 %.
    networks = random_networks((64, 2000, 2), "relu", count=2)
    images = random_images(4, 1, 8, 8)
    angle = torch.cosine_similarity(images.flatten(1), images.roll(1, dims=-1).flatten(1)).arccos()
    counts = transitions(networks, images).mean(dim=0)
    assert counts == pytest.approx(2000 * 8 / pi * angle, rel=0.05)


@pytest.mark.parametrize("activation", [*PIECEWISE_LINEAR, "tanh"])
def test_stack_counts_what_its_networks_count_alone(activation):
    networks = random_networks((16, 10, 10, 2), activation, biases=True, count=3)
    images = random_images(4, 1, 4, 4)
    together = transitions(networks, images, dtype=DOUBLE)
    alone = torch.cat([transitions(network, images, dtype=DOUBLE) for network in networks])
    assert together.shape == (3, 4)
    assert torch.equal(together, alone)


def test_count_is_the_sum_over_layers_whatever_the_batch():
    networks = random_networks((16, 10, 10, 2), "relu", count=2)
    images = random_images(6, 1, 4, 4)
    layers = transitions_per_layer(networks, images, dtype=DOUBLE)
    assert layers.shape == (2, 6, 2)
    one_by_one = [transitions(networks, image, dtype=DOUBLE) for image in images.split(1)]
    assert torch.equal(layers.sum(dim=2), torch.cat(one_by_one, dim=1))


def test_single_precision_changes_few_pairs_at_most():
    networks = random_networks((64, 50, 50, 50, 10), "relu", count=4)
    images = random_images(50, 1, 8, 8)
    single, double = transitions(networks, images), transitions(networks, images, dtype=DOUBLE)
    assert (single != double).double().mean() <= 0.02
    assert (single - double).abs().max() <= 2


def test_smooth_activation_functions_are_those_without_linear_pieces():
    smooth = {name for name, one in ACTIVATION_FUNCTIONS.items() if not one.piecewise_linear}
    assert smooth == SMOOTH_FUNCTIONS


def test_a_network_too_large_to_follow_is_sampled_and_says_how_far_off(monkeypatch):
    networks = random_networks((64, 40, 40, 40, 10), "relu", count=2).to(torch.float32)
    inputs = torch.from_numpy(load_digits().images[:10]).float().unsqueeze(1) - 5
    exact = transitions(networks, inputs)
    monkeypatch.setattr("generalization.regions.crossing_costs.MOST_WORK", 0)
    with pytest.warns(Approximated) as warned:
        counts = transitions(networks, inputs, grid_points=64)
    assert torch.equal(counts, sampled_transitions(networks, inputs, grid_points=64))
    for network, one in enumerate(warned):
        text = r"sampled at 64 points, about (.*)% below the exact count"
        told = float(re.fullmatch(text, str(one.message))[1]) / 100
        missed = 1 - float(counts[network].sum() / exact[network].sum())
        assert one.message.networks == [network == 0, network == 1]
        assert 0.005 < missed < 0.1
        assert missed / 2 < told < 2 * missed


def test_a_module_too_large_to_follow_is_sampled_and_says_so():
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(192, 3)
    module, images = nn.Sequential(*layers), random_images(2, 1, 8, 8).float()
    exact = transitions(module, images)
    with pytest.warns(Approximated, match=r"^sampled at 64 points, about .*% below the exact"):
        counts = transitions(module, images, grid_points=64, most_work=0)
    assert torch.equal(counts, sampled_transitions(module, images, grid_points=64))
    assert (counts <= exact).all()


def test_only_very_large_networks_are_sampled():
    def followed(width, depth, activation="relu"):
        return is_followed((784, *[width] * (depth - 1), 10), 28, activation)

    assert followed(512, 9)
    assert followed(3000, 3)
    assert followed(200, 20)
    assert not followed(3000, 20)
    assert not followed(1000, 20)
    assert not followed(10, 2, "tanh")


def test_tanh_is_sampled():
    networks = random_networks((16, 10, 10, 2), "tanh")
    images = random_images(3, 1, 4, 4)
    counts = transitions(networks, images, grid_points=100)
    assert torch.equal(counts, sampled_transitions(networks, images, grid_points=100))
    assert (
        transitions(networks, images) >= sampled_transitions(networks, images, grid_points=8)
    ).all()


@pytest.mark.parametrize("damage", [torch.nan, torch.inf])
def test_diverged_network_has_no_count_and_its_neighbour_has(damage):
    networks = random_networks((16, 10, 10, 2), "relu", count=2)
    networks.weights[1][0, 3, 4] = damage
    counts = transitions(networks, random_images(3, 1, 4, 4))
    assert counts[0].isnan().any()
    assert counts[1].isfinite().all()


def small_cnn(activation):
    """All its parameters and running statistics away from where they begin."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), activation, nn.MaxPool2d(2)]
    layers[1].weight.data.fill_(4)
    module = nn.Sequential(*layers, nn.Conv2d(3, 4, 2), nn.Dropout(), activation)
    module = nn.Sequential(module, nn.Flatten(), nn.Linear(4, 3)).double()
    module[0][4].weight.data *= 8
    for _ in range(3):
        module(2 * random_images(8, 2, 4, 5, seed=1) + 1)
    return module


@pytest.mark.parametrize("activation", [nn.ReLU(True), nn.ReLU6(), nn.Hardtanh(), nn.Hardsigmoid()])
def test_counts_of_a_module_are_the_limit_of_sampling(activation):
    module, images = small_cnn(activation), 4 * random_images(3, 2, 4, 5)
    exact = transitions_per_layer(module, images, dtype=DOUBLE)
    few, many = (
        sampled_transitions_per_layer(module, images, grid_points=points, dtype=DOUBLE)
        for points in (2**5, 2**15)
    )
    assert exact.shape == (1, 3, 2)
    assert (few <= exact).all()
    assert few.sum() < exact.sum()
    assert (exact[:, :, 1] > 0).any()
    assert torch.equal(many, exact)


def test_module_is_evaluated_in_eval_mode_and_left_unchanged():
    module, images = small_cnn(nn.ReLU(inplace=True)).train(), random_images(2, 2, 4, 5)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    counts = transitions(module, images)
    assert torch.equal(transitions(module.eval(), images), counts)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(images, random_images(2, 2, 4, 5))


class Residual(nn.Sequential):
    def forward(self, inputs):
        return inputs + super().forward(inputs)


@pytest.mark.parametrize(
    "layers", [[nn.Linear(16, 9), nn.Tanh()], [Residual(nn.Linear(16, 16)), nn.ReLU()]]
)
def test_module_whose_regions_are_not_known_is_sampled(layers):
    module, images = (
        nn.Sequential(nn.Flatten(), *layers, nn.LazyLinear(2)),
        random_images(3, 1, 4, 4),
    )
    module(images.float())
    counts = transitions(module, images, grid_points=100)
    assert torch.equal(counts, sampled_transitions(module, images, grid_points=100))
    assert (counts > 0).all()


@pytest.mark.parametrize("damage", [torch.nan, torch.inf])
def test_diverged_module_has_no_count(damage):
    module = small_cnn(nn.ReLU())
    module[0][0].weight.data[1] = damage
    sentence = (
        "transitions needs networks with finite logits, not a Sequential, whose logits are not "
        "finite at 2 of 2 inputs."
    )
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        transitions(module, random_images(2, 2, 4, 5))


def test_module_without_activations_has_no_transitions():
    module = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 2))
    assert transitions(module, random_images(3, 1, 4, 4)).tolist() == [[0, 0, 0]]


def test_statistics_of_a_batch_are_refused():
    module = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), nn.ReLU(), nn.Flatten())
    with pytest.raises(InputError, match=r"^transitions: networks must normalize batches by"):
        transitions(module, random_images(3, 1, 4, 4))


def test_flat_inputs_are_refused():
    sentence = (
        r"^inputs must be images of shape \(samples, channels, height, width\), not \(3, 16\)\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        transitions(random_networks((16, 4, 2), "relu"), torch.zeros(3, 16))
