import numpy as np
import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch.nn.functional import cross_entropy, mse_loss, one_hot

from generalization.experiments.output_sensitivity.prediction_errors import prediction_errors
from generalization.networks.softmax_losses import softmax_losses

CLASSES = 4


@pytest.fixture
def drawn():
    """Points, their labels, and networks of small and of large logits."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(37, 9, generator=generator, dtype=torch.float64)
    labels = torch.randint(CLASSES, (37,), generator=generator)
    networks = random_networks((9, 7, CLASSES), count=3)
    networks.weights[-1][2] *= 30
    return inputs, labels, networks


def test_means_are_those_of_the_definitions(drawn):
    inputs, labels, networks = drawn
    table = prediction_errors(networks, inputs, labels)
    assert table["network"].to_list() == [0, 1, 2]
    for member, row in enumerate(table.to_dict("records")):
        logits = PlainNetwork(networks, member)(inputs)
        targets = one_hot(labels, CLASSES).double()
        squares = (logits.softmax(-1) - targets).square().sum(-1)
        expected = {
            "cross_entropy": cross_entropy(logits, labels),
            "squared_error": squares.mean(),
            "lower_bound": (squares / 2).sqrt().mean(),
            "squared_logit_error": CLASSES * mse_loss(logits, targets),
        }
        assert {key: row[key] for key in expected} == pytest.approx({
            key: value.item() for key, value in expected.items()
        })


def test_cross_entropy_is_never_below_the_root_of_half_the_squared_error_at_a_point():
    generator = torch.Generator().manual_seed(0)
    scales = torch.logspace(-3, 3, 13, dtype=torch.float64).view(-1, 1, 1)
    for classes in (2, 3, 10):
        logits = scales * torch.randn(13, 400, classes, generator=generator, dtype=torch.float64)
        labels = torch.randint(classes, (400,), generator=generator)
        losses = softmax_losses(logits, labels)
        bound = (losses["squared_loss"] / 2).sqrt()
        # Squares below 1e-300 have few digits, or none.
        assert (losses["cross_entropy"] >= bound * (1 - 1e-12) - 1e-150).all()


def test_with_one_rival_both_are_equal_in_the_limit():
    logits = torch.tensor([[[0.0, -gap] for gap in (1.0, 5.0, 20.0, 60.0)]], dtype=torch.float64)
    losses = softmax_losses(logits, torch.zeros(4, dtype=torch.long))
    ratios = (losses["cross_entropy"] / (losses["squared_loss"] / 2).sqrt())[0].tolist()
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-2:] == pytest.approx([1, 1], abs=1e-8)


def test_the_root_of_the_mean_may_exceed_the_cross_entropy():
    # Right for certain at nine points of ten, and at the tenth a coin: 0.1 · ln 2 = 0.07.
    logits = torch.tensor([[100.0, 0.0]] * 9 + [[0.0, 0.0]], dtype=torch.float64)
    network = torch.nn.Identity()
    row = prediction_errors(network, logits, torch.zeros(10, dtype=torch.long)).iloc[0]
    assert row["cross_entropy"] == pytest.approx(0.1 * np.log(2))
    assert row["lower_bound"] == pytest.approx(0.1 * 0.5)
    assert np.sqrt(row["squared_error"] / 2) == pytest.approx(np.sqrt(0.1) * 0.5)
    assert row["lower_bound"] < row["cross_entropy"] < np.sqrt(row["squared_error"] / 2)


class Shifted(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x) + x.square().sum(-1, keepdim=True)


def test_a_shift_of_all_logits_changes_only_the_error_of_logits(drawn):
    inputs, labels, networks = drawn
    plain = prediction_errors(networks, inputs, labels)
    modules = [PlainNetwork(networks, member) for member in range(3)]
    for member, module in enumerate(modules):
        shifted = prediction_errors(Shifted(module), inputs, labels).iloc[0]
        for name in ("cross_entropy", "squared_error", "lower_bound"):
            assert shifted[name] == pytest.approx(plain[name][member])
        assert abs(shifted["squared_logit_error"] - plain["squared_logit_error"][member]) > 1
