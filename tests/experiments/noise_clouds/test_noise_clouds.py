import pandas as pd
import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import Generator, nn

from generalization.experiments.noise_clouds.noise_clouds import noise_clouds
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import hidden_activations
from generalization.networks.modules import logits_of
from generalization.networks.sequences import sequence_of
from generalization.units.cloud_spectra import cloud_images, noisy_copies

SHARES = ["ev_1", "ev_2", "ev_rest"]


def images(count, seed=1):
    generator = Generator().manual_seed(seed)
    return torch.randn(20, 1, 3, 3, generator=generator, dtype=torch.float64)[:count]


def profile_of(networks, train=6, test=8, **settings):
    chosen = {"images_per_class": 2, "copies": 40, "noise_stds": (0.3, 0.01)} | settings
    data = (
        images(train, seed=2),
        torch.arange(train) % 3,
        images(test, seed=1),
        torch.arange(test) % 2,
    )
    shown, _ = cloud_images(*data, chosen["images_per_class"])
    generator = Generator().manual_seed(3)
    copies = noisy_copies(shown, generator, chosen["noise_stds"], chosen["copies"]).flatten(0, 2)

    def recorded(samples):
        return copies[samples], hidden_activations(networks, copies[samples])

    return noise_clouds(networks, recorded, *data[2:], *data[:2], generator, **chosen)


@pytest.fixture(scope="module")
def networks():
    return random_networks((9, 7, 8, 4), count=2, biases=True)


def test_one_row_per_network_part_class_layer_and_scale(networks):
    table = profile_of(networks)
    keys = ["network", "part", "class", "layer", "sigma"]
    assert not table.duplicated(keys).any()
    assert len(table) == 2 * (3 + 2) * 3 * 2
    assert sorted(table.loc[table["part"] == "train", "class"].unique()) == [0, 1, 2]
    assert sorted(table.loc[table["part"] == "test", "class"].unique()) == [0, 1]
    assert sorted(table["layer"].unique()) == [0, 1, 2]


def test_equals_a_singular_value_decomposition_of_every_image(networks):
    table = profile_of(networks, images_per_class=1)
    generator = Generator().manual_seed(3)
    # Images are taken class by class, those of the train set first.
    drawn = torch.randn(5, 40, 1, 3, 3, generator=generator).double()
    pictures = [*images(6, seed=2)[:3], *images(8, seed=1)[:2]]
    abouts = [("train", 0), ("train", 1), ("train", 2), ("test", 0), ("test", 1)]
    for (part, label), image, noise in zip(abouts, pictures, drawn, strict=True):
        for sigma in (0.3, 0.01):
            copies = (image + sigma * noise).flatten(1)
            first = networks.phi.function(networks.preactivations(copies)[0])
            second = networks.phi.function(networks.preactivations(copies)[1])
            for member in range(2):
                for layer, cloud in enumerate([copies, first[member], second[member]]):
                    s = torch.linalg.svdvals(cloud)
                    ev = s.square() / s.square().sum()
                    rows = table.query(
                        f"network == {member} and part == '{part}' and `class` == {label}"
                        f" and layer == {layer} and sigma == {sigma}"
                    )
                    expected = [ev[0], ev[1], ev[2:].sum(), s[0] / 40**0.5, s[1] / 40**0.5]
                    found = rows[[*SHARES, "s_1", "s_2"]].squeeze().tolist()
                    assert found == pytest.approx([float(value) for value in expected])


def test_rows_are_means_over_the_first_images_of_a_class(networks):
    """All of three images, of which the first was taken alone with the same noise."""
    one, three = (
        profile_of(networks, train=1, test=2 * count, images_per_class=count) for count in (1, 3)
    )
    first = one.query("part == 'test' and `class` == 0")["signal"].to_numpy()
    mean = three.query("part == 'test' and `class` == 0")["signal"].to_numpy()
    hidden = [images(6)[[0, 2, 4]].flatten(1)]
    for z in networks.preactivations(images(6)[[0, 2, 4]])[:-1]:
        hidden.append(z.relu())
    assert first[:2] == pytest.approx([hidden[0][0].norm().item()] * 2)
    assert mean[:2] == pytest.approx([hidden[0].norm(dim=1).mean().item()] * 2)
    assert mean[2] == pytest.approx(hidden[1][0].norm(dim=1).mean().item())


def test_shares_sum_to_one(networks):
    assert profile_of(networks)[SHARES].sum(axis=1).to_numpy() == pytest.approx(1)


def test_without_noise_the_first_component_is_all(networks):
    table = profile_of(networks, noise_stds=(0.0,))
    assert table["ev_1"].to_numpy() == pytest.approx(1)
    assert (table["predicted_noise"] == 0).all()
    assert table["s_1"].to_numpy() == pytest.approx(table["signal"].to_numpy())


def test_prediction_is_the_limit_of_small_noise(networks):
    table = profile_of(networks, noise_stds=(1e-4,), copies=4000)
    noise = (table["ev_2"] + table["ev_rest"]).to_numpy()
    assert noise == pytest.approx(table["predicted_noise"].to_numpy(), rel=0.05)


def test_input_is_known():
    networks = random_networks((9, 7, 4))
    table = profile_of(networks, images_per_class=1).query("layer == 0 and part == 'test'")
    lengths = images(2).flatten(1).norm(dim=1).repeat_interleave(2)
    assert table["signal"].to_numpy() == pytest.approx(lengths.numpy())
    assert table["layer_norm"].to_numpy() == pytest.approx(3)
    predicted = 8 * table["sigma"].to_numpy() ** 2 / lengths.numpy() ** 2
    assert table["predicted_noise"].to_numpy() == pytest.approx(predicted)


def test_noise_in_no_direction_has_the_null_share():
    """Orthonormal rows turn isotropic noise into isotropic noise."""
    matrix = torch.linalg.qr(torch.randn(9, 9, generator=Generator().manual_seed(0)).double()).Q
    matrix = torch.cat([matrix, torch.ones(1, 9).double()])[:9]
    networks = FullyConnectedNetworks(
        (matrix[None], matrix[None, :2]),
        "relu",
        (torch.full((1, 9), 50.0).double(), torch.zeros(1, 2).double()),
    )
    rows = profile_of(networks, copies=50).query("layer == 1 and sigma == 0.01")
    share = rows["ev_2"] / (rows["ev_2"] + rows["ev_rest"])
    # One of nine dimensions is that of the image itself.
    assert share.mean() == pytest.approx(rows["null_share"].mean() * 9 / 8, rel=0.1)


def test_network_does_not_touch_its_neighbor(networks):
    alone = profile_of(networks[1:])
    both = profile_of(networks).query("network == 1").reset_index(drop=True)
    pd.testing.assert_frame_equal(both, alone.assign(network=1))


def test_stack_and_module_have_the_same(networks):
    table = profile_of(networks[:1])
    pd.testing.assert_frame_equal(profile_of(sequence_of(networks[:1])), table)


def test_image_of_which_a_layer_shows_nothing_is_left_out():
    networks = random_networks((9, 7, 4))
    networks.weights[0].zero_()
    networks.weights[0][0, 0] = images(8)[0].flatten()
    alive = (images(8) * images(8)[0]).sum((1, 2, 3)) > 0
    table = profile_of(networks, images_per_class=4).query("layer == 1 and part == 'test'")
    assert not alive[::2].all()
    assert table["predicted_noise"].notna().all()


def test_dead_layer_has_no_shares():
    networks = random_networks((9, 7, 4))
    networks.weights[0].zero_()
    table = profile_of(networks).query("layer == 1")
    assert table[[*SHARES, "predicted_noise"]].isna().all(axis=None)
    assert (table["signal"] == 0).all()


def test_convolutional_module():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 4)
    ).double()
    table = profile_of(module, noise_stds=(1e-4,), copies=4000, images_per_class=1)
    noise = (table["ev_2"] + table["ev_rest"]).to_numpy()
    assert set(table["layer"]) == {0, 1, 2}
    assert noise == pytest.approx(table["predicted_noise"].to_numpy(), rel=0.08)


def test_accuracies_are_of_the_images_with_noise_and_without(networks):
    table = profile_of(networks, noise_stds=(1e-9, 1e3))
    for part, (count, seed, classes) in {"train": (6, 2, 3), "test": (8, 1, 2)}.items():
        right = torch.arange(count) % classes
        expected = (
            (logits_of(networks, images(count, seed)).argmax(-1) == right).double().mean(1).tolist()
        )
        rows = table[table["part"] == part]
        for network, accuracy in enumerate(expected):
            of_network = rows[rows["network"] == network]
            assert set(of_network["accuracy_without_noise"]) == {accuracy}
            assert set(of_network.loc[of_network["sigma"] == 1e-9, "accuracy"]) == {accuracy}
    assert (table["accuracy"] != table["accuracy_without_noise"]).any()
