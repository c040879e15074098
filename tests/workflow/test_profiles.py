"""Profiles, pairs and claims through Snakemake: all are made, and an edit makes what follows."""

import re

import pandas as pd
import pytest
from conftest import checkout
from small_study import CONFIG

from generalization.catalog import FIGURES, PAGES, PAPERS, PROFILES, TABLES

FEW = {
    "points": {"samples": 30},
    "ellipses": {"ellipses": 1, "angles": 6},
    "boundaries": {"grid": 8},
    "transitions_per_layer": {"samples": 2},
    "translation_trajectory": {},
    "activation_regions": {"samples": 30},
    "tangent_bounds": {"samples": 5},
    "train_test_sensitivity": {"samples": 20},
    "noise_clouds": {"images_per_class": 1, "copies": 8},
    "projection_accuracy": {"samples": 20, "train_samples": 50, "orders": 1},
    "canonical_spectra": {"samples": 50},
    "prediction_errors": {"samples": 20},
    "output_sensitivities": {"samples": 20},
    "output_distances": {"samples": 20},
    "ablation_curves": {"train_samples": 50, "orders": 2, "increments": 4},
    "single_units": {"train_samples": 50, "bins": 5, "permutations": 2},
    "image_errors": {},
}
LABELS = {"setting": "label_corruption", "better": 0, "worse": 1}
CHANGES = {
    "ensembles": [CONFIG["ensembles"][0] | {"depth": 3, "label_corruption": [0, 1]}],
    "measures": CONFIG["measures"]
    | {
        "number_of_parameters": {},
        "training_loss": {},
        "output_sensitivity": {"samples": 50},
        "ablation_auc": {},
    },
    "profiles": FEW,
    "similarities": {"pwcca": {"pairs": ["over_training", "between_seeds", "between_ensembles"]}},
    "comparisons": [LABELS],
    "papers": list(PAPERS),
    "fitting": {},
    "regularization": {},
    "audit_checks": {"measures": ["path_norm"], "samples": 8, "train_samples": 8},
}
# Of label corruption, which is no nuisance, and of networks all of whose layers learn.
ABSENT = {"fragility", "freezing_courses", "freezing_effects"}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study with everything, finished. Tests only read it."""
    folder = checkout(tmp_path_factory.mktemp("profiles") / "study")
    folder.configure(**CHANGES)
    folder.snakemake()
    return folder


@pytest.fixture
def study(done, tmp_path):
    return done.copied_to(tmp_path / "study")


def test_every_table_figure_and_page_is_made(done):
    results = done.path / "results/studies/study"
    assert set(FEW) == set(PROFILES)
    assert {path.stem for path in results.glob("*.csv")} >= {*PROFILES, *TABLES} - ABSENT
    assert {path.stem for path in (results / "tables").iterdir()} == set(PAGES) - ABSENT
    figures = {path.stem for path in (results / "figures").iterdir()}
    elsewhere = {name for name, figure in FIGURES.items() if figure.course or figure.sweeps}
    assert figures == {*FIGURES} - elsewhere
    assert done.planned() == {}
    for figure in results.glob("figures/**/*.svg"):
        for axis in figure.read_text().split('<g id="matplotlib.axis_')[1:]:
            ticks = re.findall(r'<g id="[xy]tick_[^!]*<!-- ([^>]*%) -->', axis)
            assert len(ticks) == len(set(ticks)), (figure, ticks)


def test_profiles_hold_the_networks_of_all_ensembles(done):
    results = done.path / "results/studies/study"
    training = pd.read_csv(results / "training.csv")
    kept = training[training["final"] | (training["step"] == 0)]
    for profile in PROFILES:
        table = pd.read_csv(results / f"{profile}.csv")
        networks = set(table[["ensemble", "seed", "step"]].itertuples(index=False, name=None))
        # Of one seed, the end of training has neither a later step nor another end beside it.
        some = {
            "canonical_spectra": kept[~kept["final"]],
            "image_errors": kept[kept["final"]],
        }
        assert networks == set(
            some.get(profile, kept)[["ensemble", "seed", "step"]].itertuples(index=False, name=None)
        ), profile


def test_an_edit_of_a_profile_takes_it_alone(study):
    study.edit(
        "generalization/experiments/linear_regions/ellipses.py",
        "import torch\n",
        "import torch\nEDITED = 1\n",
    )
    assert study.planned() == {
        "profile_networks": 2,
        "collect_ellipses": 1,
        "derive_ellipse_contrasts": 1,
        "derive_claims": 1,
        "draw_ellipse_trajectories": 1,
        "lay_out_tables": 1,
        "summarize_study": 1,
    }


def test_noisy_copies_are_not_kept_when_they_were_read(done):
    assert list(done.path.glob("results/ensembles/*/*/profiles/noise_clouds*.csv"))
    assert not list(done.path.glob("results/ensembles/*/*/noisy_copies*.h5"))


def test_an_edit_of_their_record_makes_it_again_for_those_who_read_it(study):
    study.edit("scripts/record_noisy_copies.py", "import json\n", "import json\n\nEDITED = 1\n")
    planned = study.planned()
    assert planned["record_noisy_copies"] == 2
    assert planned["profile_networks"] == 2
    assert planned["collect_noise_clouds"] == 1
    assert not [rule for rule in planned if rule.startswith(("train", "measure", "record_act"))]


def test_another_comparison_trains_and_measures_nothing(study):
    study.configure(**CHANGES | {"comparisons": [LABELS | {"fitted": False}]})
    planned = study.planned()
    assert {
        "derive_pairs",
        "derive_pair_statistics",
        "derive_claims",
        "draw_paired_ensembles",
    } <= set(planned)
    assert not [
        rule for rule in planned if rule.startswith(("train", "measure", "profile", "coll"))
    ]
