import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.func import jacrev, vmap
from torch.testing import assert_close

from generalization.derivatives.layer_noise import layer_noise
from generalization.devices import BUDGETS, Budget
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import module_activations
from generalization.networks.sequences import sequence_of
from generalization.units.cloud_spectra import cloud_spectra, explained_variance


def points(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_autograd(sequence, inputs):
    """Signal, norm and noise of one module at every point and layer, by the definition."""
    found = []
    for layer, hidden in enumerate(module_activations(sequence, inputs)):
        hidden = hidden.flatten(1)

        def activations(point, layer=layer):
            return module_activations(sequence, point[None])[layer][0].flatten()

        jacobian = vmap(jacrev(activations))(inputs).flatten(2)
        signal = hidden.norm(dim=1)
        along = ((hidden / signal[:, None]).unsqueeze(1) @ jacobian).squeeze(1)
        norm = jacobian.norm(dim=(1, 2))
        found.append(torch.stack([signal, norm, (norm**2 - along.norm(dim=1) ** 2).sqrt()]))
    return torch.stack(found, -1).detach()


@pytest.mark.parametrize("block_bytes", [1, 2**22])
@pytest.mark.parametrize("activation", ["relu", "hardtanh", "tanh"])
@pytest.mark.parametrize("widths", [(9, 7, 4), (9, 7, 8, 6, 4), (5, 7, 8, 2)])
def test_equals_autograd(widths, activation, block_bytes, monkeypatch):
    monkeypatch.setitem(BUDGETS, "preactivation_jacobians", Budget(block_bytes, block_bytes))
    networks = random_networks(widths, activation, count=2, biases=True)
    inputs = points(6, widths[0])
    found = layer_noise(networks, inputs)
    for member, network in enumerate(networks):
        expected = by_autograd(sequence_of(network), inputs)
        for values, slow in zip(
            (found.signal, found.jacobian_norm, found.noise), expected, strict=True
        ):
            assert_close(values[member], slow)


def test_convolutional_module_equals_autograd():
    torch.manual_seed(0)
    sequence = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 4),
    ).double()  # fmt: skip
    inputs = points(3, 2, 6, 6)
    found = layer_noise(sequence, inputs)
    expected = by_autograd(sequence, inputs)
    for values, slow in zip(
        (found.signal, found.jacobian_norm, found.noise), expected, strict=True
    ):
        assert_close(values[0], slow)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_clouds_have_it_as_their_limit(activation):
    """(1 − EV_1) / σ² of 20,000 copies, for σ of 1e-5."""
    networks = random_networks((9, 7, 8, 4), activation, count=2, biases=True)
    image = points(9)
    expected = layer_noise(networks, image[None]).noise_to_signal[:, 0]
    spectra = cloud_spectra(networks, (image + 1e-5 * points(20_000, 9, seed=2)).unsqueeze(0))
    for layer, spectrum in enumerate(spectra):
        _, second, rest = explained_variance(spectrum[:, 0])
        assert_close((second + rest) / 1e-10, expected[:, layer], rtol=0.03, atol=0)


@given(st.floats(0.01, 100), st.integers(0, 5))
def test_scale_of_a_layer_and_rotation_of_the_input_change_no_ratio(scale, seed):
    first, *others = random_networks((9, 7, 8, 4)).weights
    rotation = torch.linalg.qr(points(9, 9, seed=seed)).Q
    inputs = points(4, 9)
    changed = FullyConnectedNetworks((scale * first @ rotation, *others), "relu")
    plain = FullyConnectedNetworks((first, *others), "relu")
    assert_close(
        layer_noise(changed, inputs @ rotation).noise_to_signal,
        layer_noise(plain, inputs).noise_to_signal,
    )


def test_one_active_unit_has_no_noise():
    """A is a multiple of ĥ there: it only makes the signal longer or shorter."""
    weight = -torch.ones(1, 3, 4).double()
    weight[0, 1] = 1
    networks = FullyConnectedNetworks((weight, weight[:, :, :3]), "relu")
    found = layer_noise(networks, torch.ones(1, 4).double())
    assert found.jacobian_norm.item() == pytest.approx(2, rel=1e-15)
    assert found.noise_to_signal.item() < 1e-30


def test_dead_layer_has_no_ratio():
    networks = random_networks((6, 5, 4))
    networks.weights[0].copy_(-networks.weights[0].abs())
    found = layer_noise(networks, points(2, 6).abs())
    assert found.signal.tolist() == [[[0], [0]]]
    assert found.jacobian_norm.tolist() == [[[0], [0]]]
    assert found.noise_to_signal.isnan().all()
