import pytest
import torch
from torch import Generator, nn

from generalization.experiments.linear_regions.transitions_per_layer import transitions_per_layer
from generalization.measures.normalized_transitions import expected_transitions
from generalization.measures.transitions import transitions
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import initialize_fully_connected


def untrained(widths, activation, count, init_scale=1.0):
    generators = [Generator().manual_seed(number) for number in range(count)]
    return initialize_fully_connected(widths, activation, generators, init_scale=init_scale)


def random_images(count):
    return torch.randn(count, 1, 6, 6, generator=Generator().manual_seed(0))


@pytest.mark.parametrize("activation", ["relu", "hardtanh", "tanh"])
def test_layers_add_up_to_the_transitions_of_the_network(activation):
    networks, images = untrained((36, 12, 9, 7, 3), activation, 3), random_images(5)
    table = transitions_per_layer(networks, images)
    assert table["network"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert table["layer"].tolist() == [1, 2, 3] * 3
    sums = table.groupby("network")["transitions"].sum()
    assert sums.to_numpy() == pytest.approx(transitions(networks, images).mean(dim=1).numpy())


@pytest.mark.parametrize("activation", ["relu", "hardtanh"])
def test_expectations_of_layers_add_up_to_that_of_the_network(activation):
    networks, images = untrained((36, 12, 9, 7, 3), activation, 2), random_images(5)
    table = transitions_per_layer(networks, images, init_scale=2.0)
    expected = expected_transitions(networks.widths, activation, images, init_scale=2.0)
    sums = table.groupby("network")["expected"].sum()
    assert sums.to_numpy() == pytest.approx([expected.mean().item()] * 2)


def test_every_relu_layer_is_expected_to_have_as_many_as_it_has_units():
    table = transitions_per_layer(untrained((36, 12, 9, 30, 3), "relu", 1), random_images(5))
    per_unit = table["expected"].to_numpy() / [12, 9, 30]
    assert per_unit == pytest.approx(per_unit[0])


@pytest.mark.parametrize("activation", sorted({*ACTIVATION_FUNCTIONS} - {"tanh"}))
def test_untrained_layers_have_what_is_expected(activation):
    # Means over 6 networks of 100 units scatter by about 3 %.
    networks = untrained((36, 100, 100, 100, 3), activation, 6, init_scale=2.0)
    table = transitions_per_layer(networks, random_images(8), init_scale=2.0)
    means = table.groupby("layer")[["transitions", "expected"]].mean()
    assert means["transitions"].tolist() == pytest.approx(means["expected"].tolist(), rel=0.12)


def test_standard_error_is_of_the_mean_over_images():
    networks, images = untrained((36, 12, 3), "relu", 1), random_images(5)
    counts = transitions(networks, images)[0].numpy()
    error = transitions_per_layer(networks, images)["sem"].item()
    assert error == pytest.approx(counts.std(ddof=1) / 5**0.5)
    assert transitions_per_layer(networks, images[:1])["sem"].isna().all()


def test_network_without_hidden_layers_has_no_rows():
    table = transitions_per_layer(untrained((36, 3), "relu", 2), random_images(2))
    assert table.shape == (0, 5)


def test_module_is_refused():
    with pytest.raises(
        ValueError,
        match=r"^transitions_per_layer needs a stack of networks, which it reads layer by layer, "
        r"not a Linear\.$",
    ):
        transitions_per_layer(nn.Linear(36, 2), random_images(1))
