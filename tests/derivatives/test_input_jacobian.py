import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks, softmax_jacobian_norms
from torch.testing import assert_close

from generalization.derivatives import input_jacobian
from generalization.derivatives.input_jacobian import input_jacobian_norm
from generalization.devices import BUDGETS, Budget
from generalization.measures.jacobian_norm import jacobian_norm


def points(count, features):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("points_per_block", [1, 4, 30, 100])
@pytest.mark.parametrize("widths", [(40, 30, 35, 4), (9, 30, 4), (9, 4)])
def test_size_of_blocks_changes_nothing(widths, points_per_block, monkeypatch):
    networks = random_networks(widths, "tanh", count=3, biases=True)
    inputs = points(13, widths[0])
    expected = [softmax_jacobian_norms(PlainNetwork(networks, r), inputs) for r in range(3)]
    block_bytes = points_per_block * 8 * 4 * max(widths[1:])
    monkeypatch.setitem(BUDGETS, "input_jacobian", Budget(block_bytes, block_bytes))
    monkeypatch.setattr(input_jacobian, "TRIANGLE_COLUMNS", 9)
    assert_close(jacobian_norm(networks, inputs), torch.stack(expected))


def test_size_of_chunks_of_a_module_changes_nothing(monkeypatch):
    module = PlainNetwork(random_networks((9, 7, 4)))
    inputs = points(13, 9)
    expected = jacobian_norm(module, inputs)
    monkeypatch.setattr(input_jacobian, "MODULE_SAMPLES", 5)
    assert_close(jacobian_norm(module, inputs), expected)


def test_cotangents_of_one_class_and_their_scale():
    def twice_the_first(logits):
        return torch.eye(logits.shape[-1]).double()[:1].expand(*logits.shape[:-1], 1, -1), (
            torch.full(logits.shape[:-1], 2.0).double()
        )

    networks = random_networks((9, 4), count=2)
    values = input_jacobian_norm(networks, points(3, 9), twice_the_first)
    expected = 2 * networks.weights[0][:, 0].norm(dim=-1, keepdim=True)
    assert_close(values, expected.expand(2, 3))


def test_no_points_give_no_norms():
    networks = random_networks((9, 7, 4), count=2)
    assert jacobian_norm(networks, points(0, 9)).shape == (2, 0)
