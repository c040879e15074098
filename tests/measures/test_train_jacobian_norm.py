import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks, softmax_jacobian_norms
from torch.testing import assert_close

from generalization.measures.jacobian_norm import train_jacobian_norm


def images(count):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 1, 3, 3, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("samples", "taken"), [(1, 1), (4, 4), (100, 7)])
def test_norms_at_the_first_training_points(samples, taken):
    networks = random_networks((9, 7, 4), count=2)
    values = train_jacobian_norm(networks, images(7), train_samples=samples)
    expected = [softmax_jacobian_norms(PlainNetwork(networks, r), images(7)) for r in range(2)]
    assert_close(values, torch.stack(expected)[:, :taken])


def test_module_is_a_stack_of_one():
    networks = random_networks((9, 7, 4))
    expected = train_jacobian_norm(networks, images(7), train_samples=5)
    assert_close(train_jacobian_norm(PlainNetwork(networks), images(7), train_samples=5), expected)


def test_no_points_are_refused():
    with pytest.raises(ValueError, match=r"^train_samples must be at least 1, not 0\.$"):
        train_jacobian_norm(random_networks((9, 4)), images(7), train_samples=0)
