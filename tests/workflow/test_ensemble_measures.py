"""Measures of pairs of seeds through Snakemake: added seeds compute new pairs alone."""

import pandas as pd
import pytest
from conftest import checkout
from small_study import CONFIG, StudyFolder

from generalization.catalog import ENSEMBLE_MEASURES

GRID = CONFIG["ensembles"][0] | {"depth": 2, "label_corruption": [0, 1], "max_steps": 40}
CHANGES = {
    "seeds": 2,
    "ensembles": [GRID],
    "measures": {"weight_norm": {}},
    "ensemble_measures": {name: {} for name in ENSEMBLE_MEASURES}
    | {"agreement_gap": {"samples": 9}},
    # Networks of so few steps count as fitted here.
    "statistics": {"fitted_accuracy": 0.01, "resamples": 100, "permutations": 100},
}
TABLES = [f"results/studies/study/{name}.csv" for name in ("ensemble_measures", "statistics")]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with ensemble measures, finished."""
    folder = checkout(tmp_path_factory.mktemp("ensemble_measures") / "study")
    folder.configure(**CHANGES)
    folder.snakemake("--", *TABLES)
    return StudyFolder(folder.path)


def test_pairs_are_in_one_table_and_their_means_in_the_league(study):
    table, league = (pd.read_csv(study.path / file) for file in TABLES)
    assert table.groupby("measure").size().to_dict() == dict.fromkeys(ENSEMBLE_MEASURES, 2)
    assert table["value"].notna().all()
    of_pairs = league[league["pairs"].notna()]
    assert set(of_pairs["measure"]) == set(ENSEMBLE_MEASURES)
    assert of_pairs["note"].str.contains("of the ensemble").all()
    assert study.planned("--", *TABLES) == {}


def test_added_seeds_compute_new_pairs_alone(study):
    study.configure(**CHANGES | {"seeds": 3})
    # Of each ensemble, the new seed with the block of the two others; alone it has no pair.
    assert study.planned("--", TABLES[0]) == {
        "train_ensemble": 2,
        "measure_pairs": 2,
        "measure_pairs_alone": 2,
        "collect_ensemble_measures": 1,
    }
    study.snakemake("--", TABLES[0])
    table = pd.read_csv(study.path / TABLES[0])
    assert table.groupby("measure").size().to_dict() == dict.fromkeys(ENSEMBLE_MEASURES, 6)


def test_another_setting_computes_that_measure_alone(study):
    measures = CHANGES["ensemble_measures"] | {"agreement_gap": {"samples": 8}}
    study.configure(**CHANGES | {"ensemble_measures": measures})
    planned = study.planned("--", TABLES[0])
    assert set(planned) == {"measure_pairs_alone", "collect_ensemble_measures"}


def test_one_seed_has_no_pairs(study):
    study.configure(**CHANGES | {"seeds": 1})
    done = study.snakemake("--dry-run", check=False)
    assert done.returncode != 0
    assert (
        "InputError before anything is computed: "
        "seeds must be at least 2 where ensemble_measures are taken, not 1."
    ) in done.stdout + done.stderr
