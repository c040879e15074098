import pytest
import torch
from torch import Generator, nn
from torch.func import jacrev, vmap

from generalization.devices import BUDGETS, Budget
from generalization.errors import InputError
from generalization.measures.curvature import curvature
from generalization.measures.transitions import transitions
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.regions.trajectories import equidistant_points, translation_loops

PIECEWISE_LINEAR = ["relu", "relu6", "hardtanh", "hardsigmoid"]
DOUBLE = torch.float64


def random_networks(widths, activation, *, biases=False, count=1, seed=0):
    """Float64 networks, with random biases if any, whose units reach all of their regions."""
    generators = [Generator().manual_seed(seed + number) for number in range(count)]
    scale = 6 if activation == "relu6" else 2
    networks = initialize_fully_connected(widths, activation, generators, init_scale=scale)
    drawn = (torch.randn(count, units, generator=generators[0]) for units in widths[1:] if biases)
    return FullyConnectedNetworks(networks.weights, activation, tuple(drawn)).to(DOUBLE)


def random_images(count, *shape, seed=0):
    return torch.randn(count, *shape, generator=Generator().manual_seed(seed)).double()


def sampled(network, image, points):
    """Σ ‖f'(z_{i+1}) − f'(z_i)‖_F over equidistant points, by automatic differentiation."""
    width = image.shape[-1]
    vertices = torch.stack([image.roll(-shift, dims=-1) for shift in range(width + 1)]).flatten(1)
    along = torch.arange(points).double() * width / points
    edge = along.long()
    loop = vertices[edge].lerp(vertices[edge + 1], (along - edge).unsqueeze(1))
    weights = [weight[0] for weight in network.weights]
    biases = [bias[0] for bias in network.biases] or [0.0] * len(weights)

    def logits(point):
        activations = point
        for weight, bias in zip(weights, biases, strict=True):
            preactivations = weight @ activations + bias
            activations = network.phi.function(preactivations)
        return preactivations

    jacobians = vmap(jacrev(logits))(loop)
    return (jacobians.roll(-1, dims=0) - jacobians).flatten(1).norm(dim=1).sum().item()


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_curvature_is_the_limit_of_samples_from_below(activation, biases):
    network = random_networks((24, 8, 8, 3), activation, biases=biases)
    images = random_images(2, 2, 3, 4)
    for image, whole in zip(images, curvature(network, images, dtype=DOUBLE)[0], strict=True):
        few, many = sampled(network, image, 2**4), sampled(network, image, 2**13)
        assert few < many <= whole.item() * (1 + 1e-12)
        assert many > 0.97 * whole.item()


def test_networks_and_images_are_processed_one_by_one():
    networks, images = random_networks((16, 8, 8, 2), "relu", count=3), random_images(4, 1, 4, 4)
    together = curvature(networks, images)
    assert together.shape == (3, 4)
    assert together.dtype == DOUBLE
    for number, network in enumerate(networks):
        for place, image in enumerate(images):
            alone = curvature(network, image.unsqueeze(0)).item()
            assert together[number, place].item() == pytest.approx(alone, rel=1e-5)


def test_float32_is_near():
    networks, images = random_networks((36, 20, 20, 20, 3), "relu"), random_images(5, 1, 6, 6)
    single, double = curvature(networks, images), curvature(networks, images, dtype=DOUBLE)
    assert single[0].tolist() == pytest.approx(double[0].tolist(), rel=1e-4)


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_one_hidden_layer_weighs_every_crossing_with_two_norms(activation):
    # Units with weights v and w above and below contribute ‖v‖ ‖w‖ each time they cross.
    network = random_networks((9, 5, 3), activation)
    first, last = network.weights
    images = random_images(3, 1, 3, 3)
    counts = torch.zeros(3, dtype=DOUBLE)
    for unit in range(5):
        alone = FullyConnectedNetworks((first[:, [unit]], last[:, :, [unit]]), activation)
        weight = first[0, unit].norm() * last[0, :, unit].norm()
        counts += weight * transitions(alone, images, dtype=DOUBLE)[0]
    assert curvature(network, images, dtype=DOUBLE)[0].tolist() == pytest.approx(counts.tolist())


def test_relu_without_biases_does_not_see_the_scale_of_an_image():
    networks, images = random_networks((16, 9, 9, 2), "relu"), random_images(4, 1, 4, 4)
    scaled = curvature(networks, 7.3 * images, dtype=DOUBLE)[0].tolist()
    assert scaled == pytest.approx(curvature(networks, images, dtype=DOUBLE)[0].tolist())


@pytest.mark.parametrize("activation", [*PIECEWISE_LINEAR, "tanh"])
def test_curvature_is_in_units_of_the_logits(activation):
    networks, images = random_networks((16, 9, 9, 2), activation), random_images(2, 1, 4, 4)
    *others, last = networks.weights
    larger = FullyConnectedNetworks((*others, 3 * last), activation)
    tripled = (3 * curvature(networks, images, grid_points=64)[0]).tolist()
    assert curvature(larger, images, grid_points=64)[0].tolist() == pytest.approx(tripled, rel=1e-5)


def test_translated_image_has_the_same_loop():
    networks = random_networks((48, 12, 12, 3), "hardtanh", biases=True)
    images = random_images(3, 3, 4, 4)
    translated = curvature(networks, images.roll(1, dims=-1), dtype=DOUBLE)[0].tolist()
    assert translated == pytest.approx(curvature(networks, images, dtype=DOUBLE)[0].tolist())


@pytest.mark.parametrize("numbers", [1, 200, 2**18])
@pytest.mark.parametrize("biases", [False, True])
def test_tanh_is_sampled(monkeypatch, biases, numbers):
    monkeypatch.setitem(BUDGETS, "operation", Budget(numbers, numbers))
    network = random_networks((16, 6, 5, 3), "tanh", biases=biases)
    images = random_images(2, 1, 4, 4)
    slow = [sampled(network, image, 50) for image in images]
    assert curvature(network, images, dtype=DOUBLE, grid_points=50)[0].tolist() == pytest.approx(
        slow
    )


def test_more_points_show_more_of_the_curvature_of_tanh():
    network, images = random_networks((16, 9, 9, 2), "tanh"), random_images(2, 1, 4, 4)
    few, more, many = (
        curvature(network, images, dtype=DOUBLE, grid_points=2**power) for power in (6, 9, 12)
    )
    assert (few < more).all()
    assert (more < many).all()
    assert (many < 1.001 * more).all()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_network_without_hidden_layers_is_not_curved(activation):
    linear = FullyConnectedNetworks((torch.ones(2, 3, 16),), activation)
    assert curvature(linear, random_images(2, 1, 4, 4).float()).tolist() == [[0, 0], [0, 0]]


def test_diverged_network_has_no_curvature_and_its_neighbour_has():
    networks = random_networks((16, 10, 10, 2), "relu", count=2)
    networks.weights[1][0, 3, 4] = torch.nan
    values = curvature(networks, random_images(3, 1, 4, 4))
    assert values[0].isnan().all()
    assert values[1].isfinite().all()


def convolutional(activation):
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 3, 2), activation, nn.MaxPool2d(2, stride=1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(12, 6), activation, nn.Linear(6, 3)).double()


def test_the_discrete_formula_of_the_paper_is_half_of_the_integral():
    """The slope of a ReLU goes from 0 to 1 and back; of tanh the sum over points is taken."""
    # Two translations, of which the network reads one pixel.
    image = torch.tensor([[[[-1.0, 1.0]]]], dtype=DOUBLE)
    weights = torch.tensor([[[1.0, 0.0]]], dtype=DOUBLE), torch.ones(1, 1, 1, dtype=DOUBLE)
    network = FullyConnectedNetworks(weights, "relu")
    assert curvature(network, image).item() == 2
    assert sampled(network, image[0], 64) / 2 == 1
    network, images = random_networks((16, 8, 8, 2), "tanh"), random_images(3, 1, 4, 4)
    halves = [sampled(network, image, 64) / 2 for image in images]
    found = curvature(network, images, dtype=DOUBLE, grid_points=64)[0]
    assert (found / 2).tolist() == pytest.approx(halves)


def sampled_of_module(module, image, points):
    """Σ ‖f'(z_{i+1}) − f'(z_i)‖_F over equidistant points, by automatic differentiation."""
    loop = equidistant_points(translation_loops(image.unsqueeze(0)), points, 0, points + 1)
    jacobians = vmap(jacrev(lambda point: module(point.unsqueeze(0))[0]))(loop[0])
    return jacobians.diff(dim=0).flatten(1).norm(dim=1).sum().item()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Hardtanh(-0.5, 0.5), nn.LeakyReLU(0.2)])
def test_curvature_of_a_module_is_the_limit_of_samples_from_below(activation):
    module, images = convolutional(activation), 2 * random_images(2, 1, 4, 4)
    for image, whole in zip(images, curvature(module, images, dtype=DOUBLE)[0], strict=True):
        few, many = (sampled_of_module(module, image, points) for points in (2**4, 2**14))
        assert few < many <= whole.item() * (1 + 1e-12)
        assert many > 0.97 * whole.item()


@pytest.mark.parametrize("numbers", [1, 200, 2**18])
def test_module_with_tanh_is_sampled(monkeypatch, numbers):
    monkeypatch.setitem(BUDGETS, "polygons", Budget(8 * numbers, 8 * numbers))
    module, images = convolutional(nn.Tanh()), random_images(2, 1, 4, 4)
    slow = [sampled_of_module(module, image, 50) for image in images]
    assert curvature(module, images, dtype=DOUBLE, grid_points=50)[0].tolist() == pytest.approx(
        slow
    )


def test_statistics_of_a_batch_are_refused():
    module = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten())
    with pytest.raises(InputError, match=r"^curvature: networks must normalize batches by running"):
        curvature(module, random_images(1, 1, 4, 4))


def test_one_point_is_refused():
    networks = random_networks((16, 4, 2), "tanh")
    with pytest.raises(ValueError, match=r"^grid_points must be at least 2, not 1\.$"):
        curvature(networks, torch.zeros(1, 1, 4, 4), grid_points=1)


def test_flat_inputs_are_refused():
    sentence = (
        r"^inputs must be images of shape \(samples, channels, height, width\), not \(3, 16\)\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        curvature(random_networks((16, 4, 2), "relu"), torch.zeros(3, 16))
