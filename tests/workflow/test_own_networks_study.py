"""Networks that were trained elsewhere go through the same league as a study's own."""

import csv
import json
import os
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

FACTORIES = """
import torch
from torch import nn

def mlp(width):
    return nn.Sequential(nn.Flatten(), nn.Linear(16, width), nn.ReLU(), nn.Linear(width, 3))

class Convolutional(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.convolution, self.out = nn.Conv2d(1, channels, 3), nn.Linear(4 * channels, 3)

    def forward(self, images):
        return self.out(torch.relu(self.convolution(images)).flatten(1))

def test_data():
    generator = torch.Generator().manual_seed(2)
    images = torch.randn(40, 1, 4, 4, generator=generator)
    return images, (images.mean((1, 2, 3)) > 0).long()
"""
CONVOLUTIONAL = ("Convolutional", "channels")
STUDY = {
    "study": "study",
    "device": "cpu",
    "networks": {"manifest": "theirs/runs.csv"},
    "data": {"train": "train.npz", "test": "their_networks:test_data"},
    "measures": {"jacobian_norm": {}, "weight_norm": {}, "distance_from_initialization": {}},
    "statistics": {"resamples": 100, "permutations": 100, "fitted_accuracy": 0.1},
}


@pytest.fixture
def own(study, monkeypatch):
    """A study of six networks of three groups, as files of a user."""
    folder = study.path / "theirs"
    folder.mkdir()
    (folder / "their_networks.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(folder)
    sys.modules.pop("their_networks", None)
    import their_networks

    images, labels = their_networks.test_data()
    np.savez(folder / "train.npz", inputs=images.numpy()[:30], labels=labels.numpy()[:30])
    rows = []
    for factory, key, value in [("mlp", "width", 5), ("mlp", "width", 9), (*CONVOLUTIONAL, 3)]:
        for seed in (1, 2):
            torch.manual_seed(10 * value + seed)
            module = getattr(their_networks, factory)(value)
            file = f"{factory}-{value}-{seed}.pt"
            torch.save(module.state_dict(), folder / file)
            arguments = json.dumps({key: value})
            rows.append({
                "group": f"{factory} {value}",
                "seed": seed,
                "factory": f"their_networks:{factory}",
                "arguments": arguments,
                "weights": file,
                "kind": factory,
            })
    write(folder, rows)
    configure(study)
    return study


def configure(study, **changes):
    (study.path / "config/study.yaml").write_text(yaml.safe_dump(STUDY | changes))


def write(folder, rows):
    with (folder / "runs.csv").open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def manifest(study):
    return pd.read_csv(study.path / "theirs/runs.csv").to_dict("records")


def test_own_networks_reach_the_league_and_only_a_new_row_is_measured(own):
    own.snakemake("--quiet")
    folder = own.path / "results/studies/study"
    measures = pd.read_csv(folder / "measures.csv")
    assert len(measures) == 6 * 3
    assert set(measures["kind"]) == {"mlp", "Convolutional"}
    import their_networks

    from generalization import jacobian_norm

    module = their_networks.mlp(5)
    module.load_state_dict(torch.load(own.path / "theirs/mlp-5-1.pt", weights_only=True))
    images, labels = their_networks.test_data()
    row = measures.query("ensemble == 'mlp 5' and seed == 1 and measure == 'jacobian_norm'")
    assert row["value"].item() == pytest.approx(jacobian_norm(module, images).mean().item())
    accuracy = (module(images).argmax(1) == labels).double().mean().item()
    assert row["test_accuracy"].item() == pytest.approx(accuracy)
    assert measures.query("measure == 'distance_from_initialization'")["value"].isna().all()
    reasons = [
        pd.read_csv(file)["reason"].item()
        for file in own.path.glob("results/networks/*/measures/distance_from_initialization.csv")
    ]
    need = "distance_from_initialization needs initial_networks: give initial"
    assert reasons == [need] * 6
    assert (folder / "figures/measure_league.svg").is_file()
    assert "6 networks were trained on train: " in (folder / "summary.txt").read_text()

    rows = manifest(own)
    write(own.path / "theirs", [*rows, rows[0] | {"seed": 3, "weights": rows[1]["weights"]}])
    planned = own.planned()
    assert planned["measure_own_network"] == planned["evaluate_own_network"] == 1

    write(own.path / "theirs", rows)
    assert not own.planned()
    weights = own.path / "theirs" / rows[0]["weights"]
    os.utime(weights)
    weights.write_bytes((own.path / "theirs" / rows[1]["weights"]).read_bytes())
    assert own.planned()["measure_own_network"] == 1


def test_known_accuracies_are_kept(own):
    rows = manifest(own)
    rows[0] |= {"train_accuracy": 0.75, "test_accuracy": 0.5}
    write(own.path / "theirs", [{"train_accuracy": "", "test_accuracy": ""} | row for row in rows])
    own.snakemake("results/studies/study/measures.csv")
    measures = pd.read_csv(own.path / "results/studies/study/measures.csv")
    one = measures.query("ensemble == 'mlp 5' and seed == 1")
    assert set(one["generalization_gap"]) == {0.25}
    assert measures["test_accuracy"].notna().all()


def test_statuses_are_by_the_accuracy_of_the_study(own):
    rows = manifest(own)
    known = [{"train_accuracy": 0.75} | rows[0], {"train_accuracy": 0.356} | rows[1]]
    diverged = torch.load(own.path / "theirs" / rows[2]["weights"], weights_only=True)
    torch.save(
        {key: one * torch.nan for key, one in diverged.items()}, own.path / "theirs/diverged.pt"
    )
    write(
        own.path / "theirs",
        [*known, {"train_accuracy": 1.0} | rows[2] | {"weights": "diverged.pt"}],
    )
    configure(own, statistics=STUDY["statistics"] | {"fitted_accuracy": 0.75})
    own.snakemake("results/studies/study/measures.csv")
    measures = pd.read_csv(own.path / "results/studies/study/measures.csv")
    statuses = measures.groupby(["ensemble", "seed"])["status"].unique().explode()
    assert list(statuses.loc["mlp 5"]) == ["fitted", "stopped"]
    assert list(statuses.loc["mlp 9"]) == ["diverged"]
    assert measures.query("ensemble == 'mlp 9'")["generalization_gap"].isna().all()


class Malicious:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_nothing_in_a_file_of_weights_is_run(own, tmp_path):
    mark = tmp_path / "was_run"
    torch.save({"weight": Malicious(mark)}, own.path / "theirs/mlp-5-1.pt")
    done = own.snakemake("--quiet", check=False)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    row = "InputError: theirs/runs.csv, group mlp 5, seed 1: theirs/mlp-5-1.pt"
    assert f"{row} must hold tensors only, in a .safetensors file" in said
    assert "mkdir, which could run code." in said
    assert not mark.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda rows: [{k: v for k, v in row.items() if k != "weights"} for row in rows],
            "theirs/runs.csv must have the column weights; its columns are group, seed, factory, "
            "arguments, kind.",
        ),
        (
            lambda rows: [*rows, rows[0]],
            "theirs/runs.csv must have one row per network, but group mlp 5, seed 1 occurs twice.",
        ),
        (
            lambda rows: [rows[0] | {"weights": "none.pt"}],
            "weights of group mlp 5, seed 1 must be a file, not 'none.pt': there is none in "
            "theirs.",
        ),
        (
            lambda rows: [rows[0] | {"factory": "mlp"}],
            "factory of theirs/runs.csv must be package.module:function, not 'mlp'.",
        ),
        (
            lambda rows: [rows[0] | {"arguments": "width=5"}],
            "arguments of group mlp 5, seed 1 must be a JSON object, not 'width=5'.",
        ),
        (
            lambda rows: [rows[0], rows[1] | {"kind": "other"}],
            "kind of theirs/runs.csv must be the same for all networks of a group, but has 2 "
            "values in group mlp 5.",
        ),
        (
            lambda rows: [rows[0] | {"train_accuracy": 75}],
            "train_accuracy of theirs/runs.csv must be from 0 to 1, not 75.",
        ),
        (
            lambda rows: [rows[0] | {"test_accuracy": 0.5}, rows[1] | {"test_accuracy": "foo"}],
            "test_accuracy of theirs/runs.csv must be from 0 to 1, not 'foo'.",
        ),
    ],
)
def test_a_manifest_that_cannot_be_is_refused_before_anything_is_computed(own, change, sentence):
    write(own.path / "theirs", change(manifest(own)))
    done = own.snakemake("--quiet", check=False)
    assert f"InputError before anything is computed: {sentence}" in " ".join(done.stderr.split())
    assert not (own.path / "results/networks").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"profiles": {"points": {}}},
            "profiles must be left out of a study of own networks, which are given.",
        ),
        (
            {"measures": {"layerwise_norm": {}}},
            "measures of own networks must take any module, which layerwise_norm cannot.",
        ),
        (
            {"data": {"train": "no.npz", "test": "their_networks:test_data"}},
            "data.train must be a file, not 'no.npz': there is none in theirs.",
        ),
    ],
)
def test_a_study_of_own_networks_that_cannot_be(own, changes, sentence):
    configure(own, **changes)
    done = own.snakemake("--quiet", check=False)
    assert f"InputError before anything is computed: {sentence}" in " ".join(done.stderr.split())
