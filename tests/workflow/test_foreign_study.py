"""A function of a user builds networks that a study trains, measures and reports."""

import dataclasses
import json
import re
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from oracles.blobs import blobs
from planning import read_study

from generalization.measure_networks import measure_networks
from generalization.measures.jacobian_norm import jacobian_norm
from generalization.measures.path_norm import path_norm
from generalization.training import train_ensemble

TUTORIAL = Path(__file__).parents[2] / "docs/tutorials/foreign_architecture.md"

MODULES = {
    "convolutional.py": """
from torch import nn
from layers.blocks import block

def make(image, classes, channels):
    return nn.Sequential(block(image[0], channels), nn.Flatten(), nn.Linear(16 * channels, classes))
""",
    "layers/__init__.py": "",
    "layers/blocks.py": """
from torch import nn

def block(below, channels):
    layers = nn.Conv2d(below, channels, 3, 2, 1), nn.BatchNorm2d(channels), nn.ReLU()
    return nn.Sequential(*layers)
""",
}
FOREIGN = {
    "dataset": "digits",
    "architecture": "convolutional:make",
    "architecture_arguments": [{"channels": 2}, {"channels": 4}],
    "max_steps": 20,
    "stop_at_accuracy": None,
}
BUILT_IN = {"dataset": "digits", "batch_size": 32, "width": 20, "depth": [2, 3]}
STUDY = {
    "device": "cpu",
    "ensembles": [BUILT_IN, FOREIGN],
    "measures": {"jacobian_norm": {}, "path_norm": {}, "power_law_exponent": {}},
    "statistics": {"resamples": 100, "permutations": 100},
}


@pytest.fixture
def foreign(study):
    """The finished small study, with two ensembles more that a user builds."""
    for name, text in MODULES.items():
        file = study.path / "config" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    study.configure(**STUDY)
    return study


def test_foreign_networks_reach_the_report_and_edits_retrain_only_them(foreign):
    foreign.snakemake("--quiet")
    folder = foreign.path / "results/studies/study"
    measures = pd.read_csv(folder / "measures.csv", keep_default_na=False, na_values=[""])
    theirs = measures[measures["architecture"] == "convolutional:make"]
    assert set(theirs["architecture_arguments"]) == {'{"channels": 2}', '{"channels": 4}'}
    assert theirs[["depth", "width", "activation", "init_scale"]].isna().all(axis=None)
    measured = theirs[theirs["measure"].isin(["jacobian_norm", "path_norm"])]
    assert measured["value"].notna().all()
    refused = theirs[theirs["measure"] == "power_law_exponent"]
    assert refused["value"].isna().all()
    assert refused["reason"].str.contains("needs 50 eigenvalues").all()
    assert (folder / "summary.txt").is_file()
    assert foreign.planned() == {}

    foreign.edit("config/layers/blocks.py", "from torch", "# A comment.\nfrom torch")
    assert foreign.planned() == {}
    foreign.edit("config/layers/blocks.py", "3, 2, 1)", "3, 2, 1, bias=False)")
    planned = foreign.planned()
    assert (planned["train_ensemble"], planned["measure_networks"]) == (2, 2)

    foreign.configure(**STUDY | {"ensembles": [FOREIGN | {"width": 5}]})
    done = foreign.snakemake("--dry-run", check=False)
    assert "ensembles[0].width must be left out where architecture is" in done.stderr + done.stdout
    compared = {"ensembles": [FOREIGN], "similarities": {"svcca": {"pairs": ["between_seeds"]}}}
    foreign.configure(**STUDY | compared)
    done = foreign.snakemake("--dry-run", check=False)
    assert (
        "InputError before anything is computed: similarities must be left out where architecture "
        "is 'convolutional:make', whose layers have no depth in the tables."
        in done.stderr
        + done.stdout
    )
    foreign.configure(
        **STUDY | {"ensembles": [FOREIGN | {"architecture_arguments": [{"depth": 2}]}]}
    )
    done = foreign.snakemake("--dry-run", check=False)
    assert (
        "InputError before anything is computed: architecture must build "
        "convolutional:make((1, 8, 8), 10, depth=2), but: make() got an unexpected keyword "
        "argument 'depth'." in done.stderr + done.stdout
    )
    kept = list((foreign.path / "results/architectures").glob("*.json"))
    about = [json.loads(file.read_text())["about"] for file in kept]
    assert sorted(one["hidden"] for one in about) == [[2], [4]]
    assert all(one["couples"] and not one["draws"] for one in about)


def block_of_tutorial(language):
    """Return the first block of a language in the tutorial."""
    text = TUTORIAL.read_text(encoding="utf-8")
    return re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)[1]


def test_the_study_of_the_tutorial_is_valid_and_trains(tmp_path, monkeypatch):
    """The very files of the tutorial; only images and steps are fewer."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "small_resnet.py").write_text(block_of_tutorial("python"), encoding="utf-8")
    (folder / "mine.yaml").write_text(block_of_tutorial("yaml"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(folder)
    study = read_study(yaml.safe_load(block_of_tutorial("yaml")), ["config/mine.yaml"])
    assert [one.architecture_arguments for one in study.ensembles.values()] == [
        '{"channels": 4}',
        '{"channels": 8}',
    ]
    data = blobs(height=28, width=28, classes=10, train=40, test=20, noise=0.3)
    one = dataclasses.replace(next(iter(study.ensembles.values())), batch_size=20, max_steps=16)
    trained = train_ensemble(data, one, range(2), device=torch.device("cpu"))
    losses = pd.DataFrame(trained.training).pivot(index="seed", columns="step", values="train_loss")
    assert (losses.iloc[:, -1] < losses.iloc[:, 0]).all()
    measures = {"jacobian_norm": jacobian_norm, "path_norm": path_norm}
    settings = {"jacobian_norm": {"samples": 5}, "path_norm": {}}
    found = dict(measure_networks(trained.kept, data, measures, settings))
    assert (found["jacobian_norm"]["value"] > 0).all()
    assert found["path_norm"]["value"].isna().all()
