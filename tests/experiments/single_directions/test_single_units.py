import pytest
import torch
from oracles.ablations import slow_accuracies
from oracles.softmax_jacobian import random_networks

from generalization.experiments.single_directions.single_units import single_units
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import logits_of
from generalization.networks.sequences import sequence_of
from generalization.units.information import class_information
from generalization.units.selectivity import class_selectivities
from generalization.units.unit_orders import each_alone


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=60):
    inputs = torch.randn(count, 1, 3, 3, generator=seeded(1), dtype=torch.float64)
    return inputs, torch.randint(4, (count,), generator=seeded(2))


@pytest.fixture(scope="module")
def networks():
    return random_networks((9, 7, 8, 4), count=2, biases=True)


@pytest.fixture(scope="module")
def table(networks):
    return single_units(networks, *images(), seeded(), bins=4, permutations=3)


def of(table, network, layer):
    return table[(table["network"] == network) & (table["layer"] == layer)]


def test_every_unit_has_a_row(table):
    assert table.groupby(["network", "layer"]).size().tolist() == [7, 8, 7, 8]
    assert of(table, 1, 2)["unit"].tolist() == list(range(1, 9))
    assert (table["note"] == "").all()


def test_columns_are_those_of_each_unit_alone(networks, table):
    inputs, labels = images()
    for layer, z in enumerate(networks.preactivations(inputs)[:-1]):
        for network in range(2):
            rows, activations = of(table, network, layer + 1), z[network].relu()
            expected = {
                "mean_activation": activations.mean(0),
                "class_selectivity": class_selectivities(activations, labels),
                "mutual_information": class_information(activations, labels, bins=4),
            }
            for name, values in expected.items():
                assert rows[name].tolist() == pytest.approx(values.tolist())


def test_importance_is_what_is_lost_without_the_unit(networks, table):
    inputs, labels = images()
    plain = (logits_of(networks, inputs).argmax(-1) == labels).double().mean(-1)
    for layer in range(2):
        alone = slow_accuracies(networks, inputs, labels, each_alone((7, 8), layer), "zero")
        for network in range(2):
            expected = plain[network] - alone[network, :, 0]
            found = of(table, network, layer + 1)["importance"]
            assert found.tolist() == pytest.approx(expected.tolist())


def test_information_by_chance_is_none_on_average():
    eye = torch.eye(10, dtype=torch.float64)[None]
    networks, labels = FullyConnectedNetworks((eye, eye), "relu"), torch.arange(10).repeat(60)
    table = single_units(networks, eye[0][labels], labels, seeded(), permutations=100)
    assert table["null_information"].to_numpy() == pytest.approx(0, abs=2e-3)
    assert (table["mutual_information"] > 0.4).all()
    assert table["importance"].tolist() == pytest.approx([0.0] + [0.1] * 9)


def test_signed_activations_have_no_selectivity_and_say_so():
    table = single_units(random_networks((9, 7, 4), "tanh"), *images(), seeded())
    assert table["class_selectivity"].isna().all()
    assert (table["note"] == "negative activations have no selectivity").all()


def test_module_is_a_stack_of_one(networks, table):
    module = sequence_of(networks[:1])
    found = single_units(module, *images(), seeded(), bins=4, permutations=3)
    for name in ("importance", "class_selectivity", "mutual_information", "null_information"):
        expected = table.loc[table["network"] == 0, name].tolist()
        assert found[name].tolist() == pytest.approx(expected)
