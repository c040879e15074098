import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.measures.predictions import (
    confidence_error,
    prediction_nuclear_norm,
    thresholded_confidence_error,
    training_brier_score,
    training_calibration_error,
)
from generalization.networks.fully_connected import FullyConnectedNetworks


def data(count=40, seed=1):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 5, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (count,), generator=generator)


def two_classes(slope=1.0):
    """A network whose logits at x are (slope x, 0)."""
    return FullyConnectedNetworks((torch.tensor([[[slope], [0.0]]]).double(),), "relu")


def column(*values):
    return torch.tensor(values).double().unsqueeze(1)


def test_confidence_error_is_what_is_missing_to_certainty():
    networks, (inputs, _) = random_networks((5, 6, 3), count=2), data()
    expected = 1 - networks.logits(inputs).softmax(-1).amax(-1)
    assert_close(confidence_error(networks, inputs), expected)
    undecided = confidence_error(two_classes(0.0), column(1, 2))
    assert undecided.tolist() == [[0.5, 0.5]]


def test_certain_network_keeps_its_digits():
    value = confidence_error(two_classes(), column(50)).item()
    assert value == pytest.approx(torch.tensor(-50).double().exp().item(), rel=1e-12)


@pytest.mark.parametrize(("wrong", "expected"), [(0, 1), (1, 2), (2, 3), (4, 4)])
def test_threshold_lets_as_many_training_points_through_as_are_wrong(wrong, expected):
    train_inputs, labels = column(1, 2, 3, 4), torch.tensor([1] * wrong + [0] * (4 - wrong))
    inputs = column(0.5, 1.5, 2.5, 3.5, 5.0)
    values = thresholded_confidence_error(two_classes(), inputs, train_inputs, labels)
    # With all wrong no training point is confident enough, and the most confident one sets it.
    assert values.sum().item() == expected
    known = thresholded_confidence_error(two_classes(), train_inputs, train_inputs, labels)
    assert known.sum().item() == min(wrong, 3)
    doubts = confidence_error(two_classes(), inputs)
    again = thresholded_confidence_error(
        two_classes(), inputs, train_inputs, labels, confidence_error=doubts
    )
    assert torch.equal(again, values)


def test_nuclear_norm_is_one_if_and_only_if_predictions_are_certain_and_balanced():
    inputs = column(-1e3, 1e3, -1e3, 1e3)
    assert prediction_nuclear_norm(two_classes(), inputs).item() == pytest.approx(1)
    one_class = prediction_nuclear_norm(two_classes(), inputs.abs()).item()
    assert one_class == pytest.approx(2**-0.5)
    undecided = prediction_nuclear_norm(two_classes(0.0), inputs).item()
    assert undecided == pytest.approx(1 / 2)


def test_nuclear_norm_of_fewer_points_than_classes():
    networks, (inputs, _) = random_networks((5, 6, 3), count=2), data(2)
    probabilities = networks.logits(inputs).softmax(-1)
    expected = torch.stack([torch.linalg.matrix_norm(p, "nuc") for p in probabilities]) / 2
    assert_close(prediction_nuclear_norm(networks, inputs), expected)


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_calibration_error_by_its_definition(bins):
    networks, (inputs, labels) = random_networks((5, 6, 3), count=2), data()
    values = training_calibration_error(networks, inputs, labels, confidence_bins=bins)
    for member in (0, 1):
        probabilities = networks.logits(inputs)[member].softmax(-1)
        confidence, predicted = probabilities.max(-1)
        expected = 0.0
        for i in range(bins):
            inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
            if inside.any():
                accuracy = (predicted == labels)[inside].double().mean()
                share = inside.double().mean()
                expected += (share * (accuracy - confidence[inside].mean()).abs()).item()
        assert values[member].item() == pytest.approx(expected, rel=1e-12)


def test_certain_and_right_network_is_calibrated():
    labels = torch.tensor([0, 1])
    value = training_calibration_error(two_classes(), column(100, -100), labels).item()
    assert 0 < value < 1e-40
    wrong = training_calibration_error(two_classes(), column(-100, 100), labels).item()
    assert wrong == pytest.approx(1)


def test_no_bin_is_refused():
    inputs, labels = data()
    networks = random_networks((5, 6, 3))
    with pytest.raises(ValueError, match=r"^confidence_bins must be at least 1, not 0\.$"):
        training_calibration_error(networks, inputs, labels, confidence_bins=0)


def test_brier_score_by_its_definition():
    networks, (inputs, labels) = random_networks((5, 6, 3), count=2), data()
    truth = torch.nn.functional.one_hot(labels, 3)
    expected = (networks.logits(inputs).softmax(-1) - truth).square().sum(-1)
    assert_close(training_brier_score(networks, inputs, labels), expected)
