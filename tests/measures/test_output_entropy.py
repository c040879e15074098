import math

import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch.testing import assert_close

from generalization.measures.output_entropy import output_entropy
from generalization.networks.fully_connected import FullyConnectedNetworks


def entropy_of(*logits, dtype=torch.float64):
    weight = torch.tensor(logits, dtype=dtype).reshape(1, -1, 1)
    networks = FullyConnectedNetworks((weight,), "relu")
    return output_entropy(networks, torch.ones(1, 1, dtype=dtype)).item()


def random_points():
    return torch.randn(50, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_equals_the_entropy_of_the_softmax():
    networks = random_networks((9, 7, 4), count=3, biases=True)
    probabilities = networks.logits(random_points()).softmax(-1)
    expected = torch.special.entr(probabilities).sum(-1)
    assert_close(output_entropy(networks, random_points()), expected)
    assert_close(output_entropy(PlainNetwork(networks, 1), random_points()), expected[1:2])


@pytest.mark.parametrize("classes", [2, 10])
def test_undecided_network_has_the_logarithm_of_the_number_of_classes(classes):
    assert entropy_of(*[5.0] * classes) == pytest.approx(math.log(classes))


@pytest.mark.parametrize("margin", [1, 15, 40, 90, 700])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_rival(margin, dtype):
    """ln(1 + r) + r m / (1 + r) with r = e^-m."""
    rival = math.exp(-margin)
    expected = math.log1p(rival) + rival * margin / (1 + rival)
    assert entropy_of(0, margin, dtype=dtype) == pytest.approx(expected, rel=1e-12, abs=0)


def test_margin_beyond_float64_gives_zero():
    assert entropy_of(3000, 0, -3000) == 0


def test_common_change_of_all_logits_leaves_it_unchanged():
    assert entropy_of(1001, 1002, 1004) == pytest.approx(entropy_of(1, 2, 4), rel=1e-12)
