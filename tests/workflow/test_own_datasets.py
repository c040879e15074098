"""Datasets of a user are trained on; what has changed in them is prepared and trained again."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from own_datasets import DeclaredDataset, impossible_with
from planning import read_study

from generalization.catalog import Shape
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters

DATASETS = {"mine": {"train": "mine/train.npz", "test": "mine/test.csv"}}
ENSEMBLE = {
    "dataset": "mine",
    "width": 4,
    "batch_size": 8,
    "max_steps": 20,
    "label_corruption": 0.2,
}
MEASURES = "results/studies/study/measures.csv"


@pytest.fixture
def own(new_study):
    """A study of a table of three classes and five features."""
    new_study.configure(
        own_datasets=DATASETS, ensembles=[ENSEMBLE], measures={"weight_norm": {}}, device="cpu"
    )
    (new_study.path / "mine").mkdir()
    write(new_study, 0)
    return new_study


def write(study, seed):
    generator = np.random.default_rng(seed)
    labels = np.arange(24) % 3
    features = generator.normal(labels[:, None], 1, (24, 5))
    np.savez(study.path / "mine/train.npz", inputs=features, labels=labels)
    table = pd.DataFrame(features[:12] + 0.1).assign(label=labels[:12])
    table.to_csv(study.path / "mine/test.csv", index=False)


def test_changed_sources_are_prepared_and_trained_on_again_and_unchanged_ones_are_not(own):
    own.snakemake(MEASURES)
    measures = pd.read_csv(own.path / MEASURES)
    assert set(measures["dataset"]) == {"mine"} and measures["value"].notna().all()
    os.utime(own.path / "mine/train.npz")
    assert own.planned(MEASURES) == {}
    write(own, 1)
    assert {"train_ensemble", "measure_networks", "collect_measures"} <= set(own.planned(MEASURES))


@pytest.mark.parametrize(
    ("datasets", "ensemble", "said"),
    [
        (
            {"mine": {"train": "mine/no.npz", "test": "mine/test.csv"}},
            {},
            "own_datasets.mine.train must be a file, not 'mine/no.npz': there is none in config.",
        ),
        (
            {"mine": {**DATASETS["mine"], "train": "mine"}},
            {},
            "own_datasets.mine.train (mine) must have one folder of images per class, not none.",
        ),
        (
            {"mine": {**DATASETS["mine"], "train": "Snakefile"}},
            {},
            "own_datasets.mine.train must be a .npz file, a .csv file, a folder with one folder of "
            "images per class, or package.module:function, not 'Snakefile'.",
        ),
        (DATASETS, {"train_size": 25}, "train_size must be at most 24, the training images of"),
        (
            {"digits": DATASETS["mine"]},
            {},
            "names of own_datasets must be new, not 'digits'.",
        ),
        (
            {"../mine": DATASETS["mine"]},
            {},
            "names of own_datasets must match [a-z][a-z0-9_]* and have at most 40 characters, not "
            "'../mine'.",
        ),
        (
            {"mine": {**DATASETS["mine"], "train": "none:read"}},
            {},
            "own_datasets.mine.train must be importable, but 'none:read' is not: No module named",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_said_before_anything_is_computed(
    own, monkeypatch, datasets, ensemble, said
):
    own.configure(own_datasets=datasets, ensembles=[ENSEMBLE | ensemble])
    monkeypatch.chdir(own.path)
    config = yaml.safe_load(Path("config/study.yaml").read_text())
    with pytest.raises(InputError) as error:
        read_study(config, ["config/study.yaml"])
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"input_normalization": "none"}, []),
        (
            {},
            [
                "input_normalization must be 'none' where train input 4 of mine is constant, not "
                "'each_image'."
            ],
        ),
        (
            {"input_normalization": "none", "augmentation": "translate_flip"},
            ["augmentation must be 'none' where mine is a table, not 'translate_flip'."],
        ),
    ],
)
def test_what_a_table_with_a_constant_row_does_not_allow(changes, said):
    table = DeclaredDataset({}, [], Shape(24, 12, 1, 1, 5, 3), "", "train input 4")
    assert list(impossible_with(Hyperparameters(dataset="mine", **changes), table)) == said
