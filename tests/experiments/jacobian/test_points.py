import math

import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, logit_jacobians, random_networks
from torch.func import jacrev, vmap
from torch.testing import assert_close

from generalization.derivatives import input_jacobian
from generalization.devices import BUDGETS, Budget
from generalization.experiments.jacobian.points import points
from generalization.measures.jacobian_norm import jacobian_norm
from generalization.networks.fully_connected import FullyConnectedNetworks

CLASSES = 4


def inputs_and_labels(count=11, features=9, classes=CLASSES):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, features, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(classes, (count,), generator=generator)


def values(table, column, networks=1):
    return torch.tensor(table[column].to_numpy()).reshape(networks, -1)


def by_logits(*logits, label, dtype=torch.float64):
    """One network at one point, where its logits are these and their gradients unit vectors."""
    weight = torch.eye(len(logits) + 1, dtype=dtype)[:-1].unsqueeze(0)
    weight[0, :, -1] = torch.tensor(logits, dtype=dtype)
    point = torch.eye(len(logits) + 1, dtype=dtype)[-1:]
    networks = FullyConnectedNetworks((weight,), "relu")
    return points(networks, point, torch.tensor([label])).iloc[0]


def test_one_row_per_network_and_point():
    inputs, labels = inputs_and_labels(3)
    table = points(random_networks((9, 7, CLASSES), count=2), inputs, labels)
    assert table["network"].tolist() == [0, 0, 0, 1, 1, 1]
    assert table["point"].tolist() == [0, 1, 2, 0, 1, 2]
    assert set(table["classes"]) == {CLASSES}


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_equals_the_definitions(activation, biases):
    networks = random_networks((9, 7, 8, CLASSES), activation, count=2, biases=biases)
    inputs, labels = inputs_and_labels()
    table = points(networks, inputs, labels)
    centering = torch.eye(CLASSES).double() - 1 / CLASSES
    for member in range(2):
        module = PlainNetwork(networks, member)
        sigma = module(inputs).softmax(-1)
        jacobian = vmap(jacrev(lambda x: module(x.unsqueeze(0))[0].softmax(-1)))(inputs)  # noqa: B023
        gradients = logit_jacobians(module, inputs)
        gram = centering @ gradients @ gradients.mT @ centering
        one_hot = torch.nn.functional.one_hot(labels, CLASSES)
        expected = {
            "cross_entropy": -sigma[range(11), labels].log(),
            "squared_loss": (sigma - one_hot).square().sum(-1),
            "correct": (sigma.argmax(-1) == labels).long(),
            "jacobian_norm": jacobian.norm(dim=(1, 2)),
            "true_row_norm": jacobian[range(11), labels].norm(dim=-1),
            "logit_gram_m": gram.diagonal(dim1=1, dim2=2).sum(-1) / (CLASSES - 1),
            "least_confidence": 1 - sigma.amax(-1),
            "entropy": -(sigma * sigma.log()).sum(-1),
        }
        for name, column in expected.items():
            assert_close(values(table, name, 2)[member], column, rtol=1e-9, atol=1e-13)


def test_module_has_the_rows_of_the_stack(monkeypatch):
    monkeypatch.setattr(input_jacobian, "MODULE_SAMPLES", 4)
    networks = random_networks((9, 7, CLASSES), biases=True)
    of_stack = points(networks, *inputs_and_labels())
    of_module = points(PlainNetwork(networks), *inputs_and_labels())
    assert_close(torch.tensor(of_module.to_numpy()), torch.tensor(of_stack.to_numpy()))


def test_labels_stay_with_their_points_in_blocks(monkeypatch):
    networks = random_networks((9, 7, CLASSES), count=3)
    whole = points(networks, *inputs_and_labels(13))
    monkeypatch.setitem(BUDGETS, "input_jacobian", Budget(2 * 8 * CLASSES * 7, 2 * 8 * CLASSES * 7))
    in_blocks = points(networks, *inputs_and_labels(13))
    assert_close(torch.tensor(in_blocks.to_numpy()), torch.tensor(whole.to_numpy()))


def test_squares_of_all_rows_sum_to_the_square_of_the_norm():
    networks = random_networks((9, 7, 8, CLASSES), count=2)
    inputs, _ = inputs_and_labels()
    squares = sum(
        values(points(networks, inputs, torch.full((11,), label)), "true_row_norm", 2).square()
        for label in range(CLASSES)
    )
    assert_close(squares.sqrt(), jacobian_norm(networks, inputs))


def test_common_change_of_all_logits_changes_nothing():
    networks = random_networks((9, 7, CLASSES))
    last = networks.weights[-1] + 10 * torch.randn(7, generator=torch.Generator().manual_seed(3))
    shifted = FullyConnectedNetworks((networks.weights[0], last), "relu")
    table, other = (points(some, *inputs_and_labels()) for some in (networks, shifted))
    assert_close(torch.tensor(other.to_numpy()), torch.tensor(table.to_numpy()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("margin", [1, 15, 40, 120, 300])
def test_saturated_softmax_that_is_right(margin, dtype):
    """Two classes with r = e^-m: 1 − σ_y = r / (1 + r), and J_y has the entries ± σ_y (1 − σ_y)."""
    row = by_logits(margin, 0, label=0, dtype=dtype)
    r = math.exp(-margin)
    rival, true = r / (1 + r), 1 / (1 + r)
    expected = {
        "cross_entropy": math.log1p(r),
        "squared_loss": 2 * rival**2,
        "correct": 1,
        # The third coordinate of the input turns all logits: (m, 0) is its gradient.
        "true_row_norm": true * rival * math.sqrt(2 + margin**2),
        "jacobian_norm": true * rival * math.sqrt(2 * (2 + margin**2)),
        "least_confidence": rival,
        "entropy": math.log1p(r) + rival * margin,
    }
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, rel=tolerance, abs=0), name


@pytest.mark.parametrize("margin", [1, 40, 300, 1000])
def test_saturated_softmax_that_is_wrong(margin):
    row = by_logits(margin, 0, label=1)
    r = math.exp(-margin)
    assert row["cross_entropy"] == pytest.approx(margin + math.log1p(r), rel=1e-14)
    assert row["squared_loss"] == pytest.approx(2 / (1 + r) ** 2)
    assert row["correct"] == 0
    expected = r / (1 + r) ** 2 * math.sqrt(2 + margin**2)
    assert row["true_row_norm"] == pytest.approx(expected, rel=1e-12, abs=0)


def test_float32_stays_within_rounding_of_float64():
    networks = random_networks((64, 50, 50, 10), count=2, dtype=torch.float32)
    inputs, labels = inputs_and_labels(200, 64, classes=10)
    single = points(networks, inputs.float(), labels)
    double = points(networks.to(torch.float64), inputs.float().double(), labels)
    for name in ("true_row_norm", "logit_gram_m", "cross_entropy", "least_confidence"):
        ratio = values(single, name) / values(double, name)
        assert ((ratio - 1).abs() < 1e-4).double().mean() > 0.99


def test_orthogonal_gradients_of_one_length_have_their_square_as_m():
    weight = 5**0.5 * torch.linalg.qr(inputs_and_labels(9, CLASSES)[0]).Q.T
    table = points(FullyConnectedNetworks((weight[None],), "relu"), *inputs_and_labels())
    assert table["logit_gram_m"].to_numpy() == pytest.approx(5)
