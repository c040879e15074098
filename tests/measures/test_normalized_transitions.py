from math import pi

import numpy as np
import pytest
import torch
from scipy.special import owens_t
from torch import Generator, nn

from generalization.measures.normalized_transitions import (
    expected_transitions,
    normalized_transitions,
)
from generalization.measures.transitions import transitions, transitions_per_layer
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import initialize_fully_connected


def smooth_images(count, channels=1, seed=0):
    """Images of mean 0 and variance 1 whose neighbouring pixels resemble each other."""
    noise = torch.randn(count, channels, 8, 8, generator=Generator().manual_seed(seed)).double()
    images = noise + noise.roll(1, dims=-1) + noise.roll(1, dims=-2)
    images = images - images.mean(dim=(1, 2, 3), keepdim=True)
    return images / images.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()


def angles(images):
    """Between each image and its translation by one pixel."""
    return torch.cosine_similarity(images.flatten(1), images.roll(1, dims=-1).flatten(1)).arccos()


def untrained(widths, activation, count, init_scale=1.0):
    generators = [Generator().manual_seed(number) for number in range(count)]
    return initialize_fully_connected(widths, activation, generators, init_scale=init_scale)


@pytest.mark.parametrize("init_scale", [0.5, 3.0])
def test_relu_follows_crofton_in_every_layer(init_scale):
    images = smooth_images(5, channels=3)
    expected = expected_transitions((192, 30, 20, 50, 10), "relu", images, init_scale=init_scale)
    assert expected == pytest.approx(100 * 8 / pi * angles(images), rel=1e-12)


@pytest.mark.parametrize("init_scale", [0.5, 3.0])
@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
def test_first_layer_follows_the_bivariate_normal(activation, init_scale):
    # P(one of two normals of correlation cos θ above h, the other not) = 4 T(h, tan(θ / 2)).
    images = smooth_images(5)
    phi = ACTIVATION_FUNCTIONS[activation]
    deviation = init_scale * phi.gain**0.5
    tangents = np.tan(angles(images).numpy() / 2)
    crossings = sum(4 * owens_t(t / deviation, tangents) for t in phi.thresholds)
    expected = expected_transitions((64, 7, 10), activation, images, init_scale=init_scale)
    assert expected.numpy() == pytest.approx(7 * 8 * crossings, rel=1e-9)


@pytest.mark.parametrize("init_scale", [1.0, 2.0])
@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
def test_deep_expectation_is_the_mean_over_untrained_networks(activation, init_scale):
    # Means over 8 networks of 4 x 100 units scatter by about 2 %.
    images, widths = smooth_images(4), (64, 100, 100, 100, 100, 10)
    networks = untrained(widths, activation, 8, init_scale)
    counts = transitions_per_layer(networks, images, grid_points=256).mean(dim=(0, 1)).cumsum(dim=0)
    for depth in range(1, 5):
        expected = expected_transitions(
            (*widths[: depth + 1], 10), activation, images, init_scale=init_scale
        )
        assert expected.mean().item() == pytest.approx(counts[depth - 1].item(), rel=0.08)


def test_quotient_of_untrained_networks_is_one_for_every_size():
    images = smooth_images(4)
    for widths in [(64, 40, 10), (64, 200, 200, 10), (64, 60, 60, 60, 60, 60, 10)]:
        quotients = normalized_transitions(untrained(widths, "relu", 8), images)
        assert quotients.shape == (8, 4)
        assert quotients.mean().item() == pytest.approx(1, abs=0.08)


def test_quotient_uses_counts_that_are_known():
    images, networks = smooth_images(3), untrained((64, 20, 20, 10), "hardtanh", 2)
    counts = transitions(networks, images)
    alone = normalized_transitions(networks, images, init_scale=2.0)
    given = normalized_transitions(networks, images, transitions=counts, init_scale=2.0)
    assert torch.equal(given, alone)
    doubled = normalized_transitions(networks, images, transitions=2 * counts, init_scale=2.0)
    assert torch.equal(doubled, 2 * alone)


def test_image_that_translations_do_not_change_has_no_quotient():
    images = torch.cat((smooth_images(1), torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)))
    quotients = normalized_transitions(untrained((64, 20, 20, 10), "relu6", 2), images)
    assert quotients.isnan().tolist() == [[False, True, True]] * 2


def test_module_is_refused():
    sentence = (
        r"^normalized_transitions needs a stack of networks, which it reads layer by layer, "
        r"not a Linear\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        normalized_transitions(nn.Linear(4, 2), torch.zeros(1, 1, 2, 2))


def test_flat_inputs_are_refused():
    sentence = (
        r"^inputs must be images of shape \(samples, channels, height, width\), not \(3, 64\)\.$"
    )
    networks = untrained((64, 4, 2), "relu", 1)
    with pytest.raises(ValueError, match=sentence):
        normalized_transitions(networks, torch.zeros(3, 64), transitions=torch.ones(1, 3))
