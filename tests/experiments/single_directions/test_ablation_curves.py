import pytest
import torch
from oracles.softmax_jacobian import random_networks

from generalization.experiments.single_directions.ablation_curves import ablation_curves
from generalization.networks.modules import logits_of
from generalization.networks.sequences import sequence_of
from generalization.units.ablation_curve import ablation_curve
from generalization.units.activation_noise import noisy_accuracies


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=30):
    inputs = torch.randn(count, 1, 3, 3, generator=seeded(1), dtype=torch.float64)
    return inputs, torch.randint(4, (count,), generator=seeded(2))


@pytest.fixture(scope="module")
def networks():
    return random_networks((9, 7, 8, 4), count=2, biases=True)


@pytest.fixture(scope="module")
def table(networks):
    settings = {"orders": 3, "increments": 5, "class_means": True, "layer_by_layer": True}
    return ablation_curves(networks, *images(), seeded(), **settings)


def of(table, network, layer, mode):
    rows = table[(table["network"] == network) & (table["layer"] == layer)]
    return rows[rows["mode"] == mode]


def test_every_network_layer_and_mode_has_a_curve(table):
    curves = table.groupby(["network", "layer", "mode"])["amount"]
    assert len(curves) == 2 * 3 * 4
    assert set(table["layer"]) == {"all", "1", "2"}
    assert set(table["mode"]) == {"zero", "mean", "class_mean", "noise"}
    assert (curves.min() == 0).all()
    assert set(curves.max().xs("noise", level="mode")) == {4.0}
    assert set(curves.max().drop("noise", level="mode")) == {1.0}


def test_curves_begin_where_nothing_is_changed(networks, table):
    inputs, labels = images()
    plain = (logits_of(networks, inputs).argmax(-1) == labels).double().mean(-1)
    begins = table[table["amount"] == 0]
    assert begins["accuracy"].tolist() == pytest.approx(plain[begins["network"].tolist()].tolist())
    assert begins["deviation"].to_numpy() == pytest.approx(0, abs=1e-12)


def test_accuracy_and_deviation_are_of_orders(networks):
    table = ablation_curves(networks, *images(), seeded(), orders=3, increments=5)
    generator = seeded()
    for mode in ("zero", "mean"):
        amounts, curves = ablation_curve(
            networks, *images(), generator, orders=3, increments=5, mode=mode
        )
        for network in range(2):
            rows = of(table, network, "all", mode)
            assert rows["amount"].tolist() == pytest.approx(amounts.tolist())
            assert rows["accuracy"].tolist() == pytest.approx(curves[network].mean(0).tolist())
            assert rows["deviation"].tolist() == pytest.approx(curves[network].std(0).tolist())
    noisy = noisy_accuracies(
        networks,
        *images(),
        generator,
        scales=torch.linspace(0, 4, 6, dtype=torch.float64),
        draws=3,
        layers=(0, 1),
    )
    rows = of(table, 1, "all", "noise")
    assert rows["accuracy"].tolist() == pytest.approx(noisy[1].mean(0).tolist())


def test_one_order_has_no_deviation(networks):
    table = ablation_curves(networks, *images(), seeded(), orders=1, increments=2)
    assert table["deviation"].isna().all()


def test_module_is_a_stack_of_one(networks):
    module = ablation_curves(sequence_of(networks[:1]), *images(), seeded(), orders=2)
    stack = ablation_curves(networks[:1], *images(), seeded(), orders=2)
    assert module["accuracy"].tolist() == pytest.approx(stack["accuracy"].tolist())
