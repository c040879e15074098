import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.measures.ablation_auc import ablation_auc, normalized_ablation_auc
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import logits_of


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=30):
    inputs = torch.randn(count, 1, 3, 3, generator=seeded(1), dtype=torch.float64)
    return inputs, torch.randint(4, (count,), generator=seeded(2))


def detectors(classes=10):
    eye = torch.eye(classes, dtype=torch.float64)[None]
    return FullyConnectedNetworks((eye, eye), "relu"), eye[0], torch.arange(classes)


@pytest.mark.parametrize("mode", ["zero", "mean"])
def test_area_over_the_accuracy_without_ablation(mode):
    networks, (inputs, labels) = random_networks((9, 7, 4), count=3), images()
    accuracy = (logits_of(networks, inputs[:20]).argmax(-1) == labels[:20]).double().mean(-1)
    settings = {"train_samples": 20, "orders": 3, "increments": 4, "mode": mode}
    area = ablation_auc(networks, inputs, labels, seeded(), **settings)
    found = normalized_ablation_auc(networks, inputs, labels, seeded(), **settings)
    assert_close(found, area / accuracy)


def test_of_a_fitted_network_it_is_the_area():
    assert_close(
        normalized_ablation_auc(*detectors(), seeded()), ablation_auc(*detectors(), seeded())
    )


def test_detectors_are_half_way_between_chance_and_perfect():
    found = normalized_ablation_auc(*detectors(), seeded(), orders=5000, above_chance=True)
    assert found.item() == pytest.approx(0.5, abs=2e-3)


def test_network_without_any_right_answer_has_none():
    networks, inputs, labels = detectors()
    wrong = (labels + 1) % 10
    assert normalized_ablation_auc(networks, inputs, wrong, seeded()).isnan().all()


def test_network_at_chance_has_none_above_it():
    networks, inputs, labels = detectors()
    mute = networks.map(torch.zeros_like)
    assert normalized_ablation_auc(mute, inputs, labels, seeded()).item() == pytest.approx(1)
    assert normalized_ablation_auc(mute, inputs, labels, seeded(), above_chance=True).isnan().all()
