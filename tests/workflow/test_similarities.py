"""Similarities through Snakemake: new networks are compared alone, and nothing else again."""

import pandas as pd
import pytest
from conftest import checkout
from estimate import Estimate
from planning import read_study
from rates import CORE
from small_study import CONFIG, StudyFolder

from generalization.catalog import SIMILARITIES

BETWEEN_SEEDS = {"svcca": {"pairs": ["between_seeds"]}}
GRID = CONFIG["ensembles"][0] | {"depth": 2, "label_corruption": [0, 1], "max_steps": 40}
ALL = ["over_training", "between_seeds", "between_ensembles"]
CHANGES = {
    "seeds": 2,
    "ensembles": [GRID],
    "measures": {"weight_norm": {}},
    "activations": {"samples": 150},
    "similarities": {
        "mean_cca": {"pairs": ["over_training"]},
        "svcca": {"pairs": ["between_seeds"]},
        "pwcca": {"pairs": ALL},
        "linear_cka": {"pairs": ["between_ensembles"], "debiased": True},
    },
}
TABLE = "results/studies/study/similarities.csv"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with similarities, finished. Tests leave it finished."""
    folder = checkout(tmp_path_factory.mktemp("similarities") / "study")
    folder.configure(**CHANGES)
    folder.snakemake("--", TABLE)
    return StudyFolder(folder.path)


def test_all_pairs_are_in_one_table(study):
    table = pd.read_csv(study.path / TABLE)
    assert set(table["similarity"]) == set(SIMILARITIES)
    found = table.groupby("similarity")["pairs"].unique().map(set).to_dict()
    assert found == {
        name: set(settings["pairs"]) for name, settings in CHANGES["similarities"].items()
    }
    # 2 ensembles × 1 pair of seeds × (2 × 2 layers at the end + 2 layers at step 0) × 2 orders;
    # 2 × 2 networks × 2 layers × 2 steps.
    counts = table.groupby(["similarity", "pairs"]).size()
    assert counts["svcca", "between_seeds"] == 12
    assert counts["pwcca", "between_seeds"] == 24
    assert counts["linear_cka", "between_ensembles"] == 16
    assert table["value"].notna().all()
    assert study.planned("--", TABLE) == {}


@pytest.mark.parametrize(
    ("changes", "recorded"),
    [
        ({"similarities": BETWEEN_SEEDS}, 0),
        ({"similarities": BETWEEN_SEEDS, "seeds": 2}, 2),
        ({"similarities": {"svcca": {"pairs": ["between_ensembles"]}}}, 2),
        ({"similarities": {"svcca": {"pairs": ["over_training"]}}}, 2),
        ({"activations": {}}, 2),
        ({}, 0),
    ],
)
def test_activations_are_recorded_that_are_compared_or_asked_for(new_study, changes, recorded):
    new_study.configure(**changes)
    assert new_study.planned().get("record_activations", 0) == recorded
    estimate = Estimate(read_study(CONFIG | changes), CORE)
    assert [rule for rule, *_ in estimate.jobs()].count("record_activations") == recorded


def test_what_is_new_is_compared_alone(study):
    study.configure(**CHANGES | {"ensembles": [GRID | {"label_corruption": [0, 0.5, 1]}]})
    jobs = {"train_ensemble": 1, "record_activations": 1, "collect_similarities": 1}
    # Itself over training and between seeds, twice each with PWCCA; two others, twice each.
    assert study.planned("--", TABLE) == jobs | {"compare_representations": 4 + 4}
    study.configure(**CHANGES | {"seeds": 3})
    jobs = {"train_ensemble": 2, "record_activations": 2, "collect_similarities": 1}
    # Per ensemble 2 over training and 2 between seeds, of which a block of one has no pair; 2 × 3
    # pairs of blocks between ensembles.
    assert study.planned("--", TABLE) == jobs | {"compare_representations": 4 + 4 + 6}
    more = {"svcca": {"pairs": ["between_seeds", "between_ensembles"]}}
    study.configure(**CHANGES | {"similarities": CHANGES["similarities"] | more})
    assert study.planned("--", TABLE) == {"compare_representations": 1, "collect_similarities": 1}


def test_the_straight_line_is_compared_where_it_is_asked_for(study):
    more = {"mean_cca": {"pairs": ["over_training", "straight_line"]}}
    study.configure(**CHANGES | {"similarities": CHANGES["similarities"] | more})
    assert study.planned("--", TABLE) == {"compare_representations": 2, "collect_similarities": 1}
    study.snakemake("--", TABLE)
    table = pd.read_csv(study.path / TABLE).query("similarity == 'mean_cca'")
    same = table[table["layer_a"] == table["layer_b"]].drop_duplicates()
    keys = ["ensemble_a", "seed_a", "layer_a", "step_a"]
    trained, line = (
        same[same["pairs"] == pairs].set_index(keys)["value"].sort_index()
        for pairs in ("over_training", "straight_line")
    )
    # Kept at two steps, a network is on the line at both.
    assert line.to_dict() == pytest.approx(trained.to_dict())
    study.configure(**CHANGES)
    study.snakemake("--", TABLE)


def test_another_setting_compares_that_similarity_alone(study):
    more = {"svcca": {"pairs": ["between_seeds"], "explained_variance": 0.9}}
    study.configure(**CHANGES | {"similarities": CHANGES["similarities"] | more})
    assert study.planned("--", TABLE) == {"compare_representations": 2, "collect_similarities": 1}


def test_an_edit_of_a_similarity_compares_by_it_alone(study):
    study.configure(**CHANGES)
    path = study.path / "generalization/similarities/svcca.py"
    before = path.read_text()
    path.write_text(before + "\nEDITED = 1\n")
    assert study.planned("--", TABLE) == {"compare_representations": 2, "collect_similarities": 1}
    path.write_text(before)
    assert study.planned("--", TABLE) == {}
