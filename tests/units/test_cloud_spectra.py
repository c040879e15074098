import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.testing import assert_close

from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.units.cloud_spectra import (
    cloud_images,
    cloud_spectra,
    explained_variance,
    noisy_copies,
    squared_singular_values,
)


def normal(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def clouds(image, noise, scales):
    return torch.stack([image + scale * noise for scale in scales])


def linear_layer(matrix):
    """A network of which the hidden layer is linear where its preactivations are positive."""
    return FullyConnectedNetworks((matrix[None], matrix.new_ones(1, 2, len(matrix))), "relu")


@pytest.mark.parametrize("shape", [(20, 6), (6, 20), (7, 7), (3, 2, 20, 6)])
def test_squares_of_the_singular_values(shape):
    matrix = normal(*shape)
    expected = torch.linalg.svdvals(matrix).square()
    assert_close(squared_singular_values(matrix), expected)


def test_single_precision_is_squared_in_double_precision():
    """A second component of a millionth of the first, of which the square is 1e-12 of it."""
    matrix = torch.tensor([[1.0, 0.0], [0.0, 1e-6]])
    assert squared_singular_values(matrix)[1].item() == pytest.approx(1e-12)


def test_shares_sum_to_one():
    shares = torch.stack(explained_variance(squared_singular_values(normal(5, 20, 6))))
    assert_close(shares.sum(0), torch.ones(5).double())
    assert (shares >= 0).all()


@pytest.mark.parametrize(("copies", "units"), [(1, 5), (5, 1)])
def test_one_component_explains_everything(copies, units):
    spectrum = squared_singular_values(normal(copies, units))
    assert [share.item() for share in explained_variance(spectrum)] == [1, 0, 0]


def test_nothing_has_no_shares():
    assert torch.stack(explained_variance(torch.zeros(3, 4).double())).isnan().all()


def test_copies_without_noise_have_rank_one():
    networks = random_networks((9, 7, 8, 4), count=2)
    image = normal(9)
    noise = normal(30, 9, seed=2)
    hidden = [networks.phi.function(z)[:, 0] for z in networks.preactivations(image[None])[:-1]]
    spectra = cloud_spectra(networks, clouds(image, noise, [0.0]))
    for spectrum, activations in zip(spectra, hidden, strict=True):
        first, second, rest = explained_variance(spectrum)
        assert_close(first, torch.ones(2, 1).double())
        assert (second + rest < 1e-14).all()
        s_1 = spectrum[:, 0, 0].sqrt()
        assert_close(s_1, 30**0.5 * activations.norm(dim=-1))


def test_identity_explains_what_is_expected():
    """EV_1 = ‖x‖² / (‖x‖² + dσ²) of many copies."""
    image, noise_std = 5 + normal(20).abs(), 0.5
    spectrum = cloud_spectra(
        linear_layer(torch.eye(20).double()),
        clouds(image, normal(20_000, 20, seed=2), [noise_std]),
    )[0]
    first, *_ = explained_variance(spectrum)
    square = image.square().sum().item()
    assert first.item() == pytest.approx(square / (square + 20 * noise_std**2), rel=1e-3)


def test_linear_layer_is_exact_in_expectation():
    """E[HᵀH] / N = hhᵀ + σ²AAᵀ, whatever σ is."""
    matrix = normal(6, 9)
    image = torch.linalg.lstsq(matrix, 50 + normal(6).abs()).solution
    noise = normal(50_000, 9, seed=2)
    spectrum = cloud_spectra(linear_layer(matrix), clouds(image, noise, [2.0]))[0]
    activations = matrix @ image
    expected = torch.outer(activations, activations) + 4 * matrix @ matrix.T
    shares = torch.linalg.eigvalsh(expected).flip(-1)
    assert_close(spectrum[0, 0] / 50_000, shares, rtol=0.03, atol=0)


def test_order_of_copies_is_irrelevant():
    networks, image, noise = random_networks((9, 7, 4)), normal(9), normal(12, 9, seed=2)
    first, second = (
        cloud_spectra(networks, clouds(image, some, [0.3]))[0] for some in (noise, noise.flip(0))
    )
    assert_close(first, second)


def test_orthogonal_maps_and_scales_of_a_layer_change_no_share():
    cloud, rotation = normal(30, 8), torch.linalg.qr(normal(8, 8, seed=3)).Q
    shares = explained_variance(squared_singular_values(cloud))
    assert_close(explained_variance(squared_singular_values(-3 * cloud @ rotation)), shares)


def test_fewer_copies_than_units():
    few = clouds(normal(9), normal(5, 9, seed=2), [0.3])
    spectrum = cloud_spectra(random_networks((9, 20, 4)), few)[0]
    assert spectrum.shape == (1, 1, 5)


def test_noise_levels_do_not_touch_each_other():
    networks, image, noise = (
        random_networks((9, 7, 8, 4), count=2),
        normal(9),
        normal(12, 9, seed=2),
    )
    together = cloud_spectra(networks, clouds(image, noise, [0.3, 0.1]))
    for place, scale in enumerate([0.3, 0.1]):
        alone = cloud_spectra(networks, clouds(image, noise, [scale]))
        for one, other in zip(together, alone, strict=True):
            assert_close(one[:, place], other[:, 0])


def test_convolutional_module():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4)
    ).double()
    image, noise = normal(2, 6, 6), normal(12, 2, 6, 6, seed=2)
    spectrum = cloud_spectra(module, clouds(image, noise, [0.3]))[0]
    cloud = module.eval()[:3](image + 0.3 * noise).flatten(1)
    assert_close(spectrum[0, 0], torch.linalg.svdvals(cloud).square())


def test_images_are_the_first_of_every_class_of_either_part():
    train, test = normal(6, 1, 2, 2), normal(4, 1, 2, 2, seed=2)
    images, about = cloud_images(
        train, torch.tensor([2, 0, 2, 0, 0, 2]), test, torch.tensor([1, 1, 0, 1]), 2
    )
    assert_close(images, torch.cat([train[[1, 3, 0, 2]], test[[2, 0, 1]]]))
    assert about["part"].tolist() == 4 * ["train"] + 3 * ["test"]
    assert about["class"].tolist() == [0, 0, 2, 2, 0, 1, 1]


def test_copies_of_an_image_share_their_noise_over_scales():
    images = normal(3, 1, 2, 2)
    copies = noisy_copies(images, torch.Generator().manual_seed(0), [0.5, 0.1], 4000)
    assert copies.shape == (3, 2, 4000, 1, 2, 2)
    noise = (copies - images[:, None, None]) / torch.tensor([0.5, 0.1]).view(2, 1, 1, 1, 1)
    assert_close(noise[:, 0], noise[:, 1])
    flat = noise[:, 0].flatten(2).transpose(0, 1).flatten(1)
    assert_close(flat.mT @ flat / 4000, torch.eye(12).double(), rtol=0, atol=0.08)
    assert flat.mean().abs() < 0.02
