import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.testing import assert_close

from generalization.networks.modules import logits_of
from generalization.units import activation_noise
from generalization.units.activation_noise import noisy_accuracies

SCALES = torch.linspace(0, 4, 5, dtype=torch.float64)


def points(count=50, features=9, classes=4):
    generator = torch.Generator().manual_seed(1)
    inputs = 2 * torch.randn(count, features, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(classes, (count,), generator=generator)


def noisy(networks, data, *, scales=SCALES, draws=3, layers=(0, 1), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return noisy_accuracies(networks, *data, generator, scales=scales, draws=draws, layers=layers)


def test_no_noise_changes_nothing():
    networks = random_networks((9, 7, 8, 4), count=2, biases=True)
    inputs, labels = points()
    expected = (logits_of(networks, inputs).argmax(-1) == labels).double().mean(-1)
    found = noisy(networks, (inputs, labels))
    assert_close(found[..., 0], expected[:, None].expand(-1, 3))
    assert (found[..., 1:] != found[..., :1]).any()


def test_networks_see_the_same_noise():
    networks = random_networks((9, 7, 8, 4), count=2)
    alone = [noisy(network, points()) for network in networks]
    assert_close(noisy(networks, points()), torch.cat(alone))


def test_draws_differ():
    first, second, _ = noisy(random_networks((9, 7, 8, 4)), points(500))[0]
    assert (first != second).any()


def above(threshold):
    """Says whether its one unit is above a threshold."""
    network = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2)).double()
    values = ([[1.0]], [0.0], [[0.0], [1.0]], [threshold, 0.0])
    for parameter, value in zip(network.parameters(), values, strict=True):
        parameter.data = torch.tensor(value, dtype=torch.float64)
    return network


def test_variance_of_noise_is_that_of_the_unit_times_the_scale():
    inputs = torch.tensor([[0.0], [2.0]], dtype=torch.float64).repeat(20_000, 1)
    labels = torch.tensor([0, 1]).repeat(20_000)
    normal = torch.distributions.Normal(0.0, 1.0)
    # The unit is 0 or 2, of variance 1, and 1 away from the threshold.
    expected = normal.cdf(1 / SCALES.sqrt())
    found = noisy(above(1.0), (inputs, labels), draws=1, layers=(0,))[0, 0]
    assert_close(found, expected, atol=0.01, rtol=0)


def test_unit_that_never_varies_has_no_noise():
    network = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2)).double()
    inputs, labels = torch.ones(100, 1).double(), torch.randint(2, (100,))
    found = noisy(network, (inputs, labels), layers=(0,))
    assert_close(found, found[..., :1].expand_as(found))


class Recorded(nn.Module):
    """Passes maps on, and keeps them."""

    def forward(self, maps):
        self.maps = maps
        return maps


def test_positions_of_a_feature_map_have_noise_of_their_own_and_one_variance():
    torch.manual_seed(0)
    seen = Recorded()
    layers = [nn.Conv2d(1, 3, 3), nn.ReLU(), seen, nn.Flatten(), nn.Linear(300, 2)]
    network = nn.Sequential(*layers).double()
    inputs, labels = torch.randn(200, 1, 12, 12).double(), torch.zeros(200).long()
    with torch.no_grad():
        maps = nn.Sequential(*layers[:2])(inputs)
    noisy(network, (inputs, labels), scales=SCALES[2:3], draws=1, layers=(0,))
    noise = (seen.maps - maps).movedim(1, 0).flatten(1)
    expected = 2 * maps.movedim(1, 0).flatten(1).var(1, correction=0)
    assert_close(noise.var(1), expected, rtol=0.05, atol=0)
    of_one_map = noise[0].view(200, -1)
    assert of_one_map.T.corrcoef().fill_diagonal_(0).abs().max() < 0.4


def test_several_chunks_are_of_one_variance(monkeypatch):
    inputs = torch.tensor([[0.0], [2.0]], dtype=torch.float64).repeat_interleave(5000, 0)
    labels = torch.tensor([0, 1]).repeat_interleave(5000)
    monkeypatch.setattr(activation_noise, "SAMPLES_PER_CHUNK", 1000)
    found = noisy(above(1.0), (inputs, labels), scales=SCALES[1:2], draws=1, layers=(0,))
    assert found.item() == pytest.approx(0.841, abs=0.02)
