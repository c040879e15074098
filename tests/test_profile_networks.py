import dataclasses

import pandas as pd
import pytest
import torch
from oracles.blobs import blobs
from oracles.convolutions import IMAGE, hyperparameters_of, kept_convolutions
from oracles.made_up import data, kept

from generalization.activations import Activations, layer_activations, write_activations
from generalization.experiments.jacobian.points import points
from generalization.experiments.noise_clouds.noise_clouds import noise_clouds
from generalization.profile_networks import profile_networks
from generalization.units.cloud_spectra import noisy_images


def images():
    return blobs(channels=IMAGE[0], height=IMAGE[1], width=IMAGE[2])


def test_profile_names_its_networks():
    def brightness(networks, inputs, labels, generator, *, power):
        drawn = torch.rand(1, generator=generator).item()
        rows = [
            {"network": network, "point": point, "label": label.item(), "drawn": drawn}
            for network in range(len(networks))
            for point, label in enumerate(labels)
        ]
        return pd.DataFrame(rows).assign(value=inputs.sum().item() ** power)

    networks = kept()
    networks.networks[2].weights[1][0, 0, 0] = torch.nan
    table = profile_networks(networks, data(), brightness, {"samples": 2, "power": 2})
    assert list(table) == ["ensemble", "seed", "step", "point", "label", "drawn", "value"]
    shown = table.drop_duplicates(["seed", "step"])[["seed", "step"]].to_numpy().tolist()
    assert shown == [[1, 0], [2, 0], [1, 8], [2, 8]]
    assert (table["label"].to_numpy().reshape(4, 2) == data().test_labels[:2].numpy()).all()
    assert table["value"].iloc[0] == pytest.approx(data().test_inputs[:2].sum().item() ** 2)
    other = dataclasses.replace(
        kept(), hyperparameters=dataclasses.replace(kept().hyperparameters, width=6)
    )
    again = profile_networks(other, data(), brightness, {"samples": 2, "power": 2})
    assert again["drawn"].iloc[0] == table["drawn"].iloc[0]
    assert again["ensemble"].iloc[0] != table["ensemble"].iloc[0]


def test_networks_of_which_none_is_finite_have_an_empty_profile():
    networks = kept()
    for stack in networks.networks:
        stack.weights[0].fill_(torch.inf)
    table = profile_networks(networks, data(), lambda networks: pd.DataFrame(), {})
    assert list(table) == ["ensemble", "seed", "step"]
    assert table.empty


def test_a_profile_of_convolutional_networks_names_each_of_them():
    networks = kept_convolutions(hyperparameters_of("convolutional"))
    table = profile_networks(networks, images(), points, {"samples": 3})
    assert table[["seed", "step"]].drop_duplicates().to_numpy().tolist() == [
        [1, 0],
        [2, 0],
        [1, 8],
        [2, 8],
        [1, 30],
    ]
    logits = networks.networks[2].logits(images().test_inputs[:3])[0]
    expected = torch.nn.functional.cross_entropy(
        logits.double(), images().test_labels[:3], reduction="none"
    )
    assert table["cross_entropy"].tail(3).tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_networks_whose_logits_are_not_finite_have_no_profile():
    networks = kept_convolutions(hyperparameters_of("convolutional"))
    networks.networks[2].tensors["layers.1.weight"][0].fill_(3e38)
    table = profile_networks(networks, images(), points, {"samples": 3})
    assert table[["seed", "step"]].drop_duplicates().to_numpy().tolist() == [
        [1, 0],
        [2, 0],
        [1, 8],
        [2, 8],
    ]
    for stack in networks.networks:
        stack.tensors["layers.1.weight"].fill_(3e38)
    assert profile_networks(networks, images(), points, {"samples": 3}).empty


def test_profiles_know_which_networks_they_are_given():
    seen = {}

    def look(members, hyperparameters):
        seen.update(members=members, hyperparameters=hyperparameters)
        return pd.DataFrame({"network": []})

    profile_networks(kept(), data(), look, {})
    assert seen["hyperparameters"] == kept().hyperparameters
    assert seen["members"].to_dict("list") == {
        "seed": [1, 2, 1, 2, 1],
        "step": [0, 0, 8, 8, 30],
        "final": [False, False, False, True, True],
    }


@pytest.mark.parametrize(
    "networks",
    [kept(), kept_convolutions(hyperparameters_of("convolutional, pooled", biases=True))],
    ids=["fully connected", "convolutional"],
)
def test_clouds_that_were_recorded_are_those_of_the_networks(tmp_path, networks):
    of_data = data() if networks.hyperparameters.architecture == "fully_connected" else images()
    chosen = {"images_per_class": 1, "noise_stds": [0.2, 0.05], "copies": 6}
    copies = noisy_images(of_data, torch.Generator().manual_seed(0), torch.device("cpu"), **chosen)
    write_activations(
        tmp_path / "noisy_copies.h5",
        networks,
        copies,
        layers=range(networks.hyperparameters.depth - 1),
        samples_per_chunk=12,
    )
    with Activations(tmp_path / "noisy_copies.h5") as activations:
        table = profile_networks(networks, of_data, noise_clouds, chosen, activations.stacked)
    assert table[["seed", "step"]].drop_duplicates().to_numpy().tolist() == [
        [1, 0],
        [2, 0],
        [1, 8],
        [2, 8],
        [1, 30],
    ]
    cloud = layer_activations(networks.networks[1], copies[:6])[1][1].double()
    s = torch.linalg.svdvals(cloud.flatten(1))
    label = int(of_data.train_labels.min())
    row = table.query(
        f"seed == 2 and step == 8 and part == 'train' and `class` == {label} and layer == 2"
        " and sigma == 0.2"
    )
    assert row["s_1"].item() == pytest.approx(s[0].item() / 6**0.5, rel=1e-5)
    share = s[0].square() / s.square().sum()
    assert row["ev_1"].item() == pytest.approx(share.item(), rel=1e-5)
