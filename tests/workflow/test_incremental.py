"""What is computed again after a change, as Snakemake itself plans it."""

import os
import re
import time
from pathlib import Path

import pytest
from small_study import CONFIG

CATALOG = "generalization/catalog.py"
SCHEMA = "workflow/schemas/study.schema.yaml"
AFTER_MEASURES = {
    "collect_measures": 1,
    "fit_statistics": 1,
    "draw_gap_against_measure": 1,
    "draw_measure_league": 1,
    "draw_training_curves": 1,
    "lay_out_tables": 1,
    "derive_model_statistics": 1,
    "derive_selection_on_fit": 1,
    "derive_audit": 1,
    "draw_gap_residuals": 1,
    "summarize_study": 1,
}
MEASURE = "generalization/measures"


def grids(**changes):
    return [CONFIG["ensembles"][0] | changes]


def test_a_second_run_does_nothing(study):
    assert study.planned() == {}


def test_a_block_of_seeds_has_as_few_files_as_are_documented(study):
    assert "3 + 2 × measures" in Path("docs/cluster.md").read_text()
    blocks = list((study.path / "results/ensembles").glob("*/seeds-*"))
    assert len(blocks) == 2
    for block in blocks:
        files = [path.name for path in block.rglob("*") if path.is_file()]
        assert len(files) == 3 + 2 * len(CONFIG["measures"]), sorted(files)


def test_comments_touches_and_checkouts_run_nothing(study):
    study.edit(f"{MEASURE}/jacobian_norm.py", "\n\n", "\n\n# A comment.\n")
    study.edit(
        "generalization/hyperparameters.py", '"""Hyper-parameters of', '"""All hyper-parameters of'
    )
    later = time.time() + 60
    for source in ("scripts", "generalization", "workflow", "config"):
        for path in (study.path / source).rglob("*"):
            os.utime(path, (later, later))
    assert study.planned() == {}


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        (f"{MEASURE}/jacobian_norm.py", {"measure_networks": 2}),
        (f"{MEASURE}/weight_norm.py", {"measure_networks": 2}),
        # Taken alone here, it is one of those that may share a job.
        (f"{MEASURE}/transitions.py", {"measure_networks": 2, "measure_networks_alone": 2}),
        (
            "generalization/measure_networks.py",
            {"measure_networks": 2, "measure_networks_alone": 2},
        ),
    ],
)
def test_an_edit_runs_what_imports_it_and_what_follows(study, file, jobs):
    (study.path / file).write_text((study.path / file).read_text() + "\nEDITED = True\n")
    assert study.planned() == jobs | AFTER_MEASURES


def test_an_edit_of_statistics_measures_nothing(study):
    path = study.path / "scripts/fit_statistics.py"
    path.write_text(path.read_text() + "\nEDITED = True\n")
    planned = study.planned()
    assert planned["fit_statistics"] == 1
    assert not {"train_ensemble", "measure_networks", "collect_measures"} & set(planned)


def test_an_edit_of_a_figure_draws_it_alone(study):
    path = study.path / "generalization/figures/measure_league.py"
    path.write_text(path.read_text() + "\nEDITED = True\n")
    assert study.planned() == {"draw_measure_league": 1}


def test_a_missing_page_is_laid_out_again(study):
    (study.path / "results/studies/study/tables/design.html").unlink()
    assert study.planned() == {"lay_out_tables": 1}
    study.snakemake()
    assert study.planned() == {}


def test_an_edit_of_training_trains(study):
    path = study.path / "scripts/train_ensemble.py"
    path.write_text(path.read_text() + "\nEDITED = True\n")
    planned = study.planned()
    assert planned["train_ensemble"] == 2
    assert "prepare_dataset" not in planned


def test_a_new_value_trains_only_the_new_ensembles(study):
    study.configure(ensembles=grids(depth=[2, 3, 4]))
    jobs = {"train_ensemble": 1, "measure_networks": 1, "measure_networks_alone": 1}
    assert study.planned() == jobs | AFTER_MEASURES


def test_a_value_less_trains_nothing(study):
    study.configure(ensembles=grids(depth=[3]))
    assert study.planned() == AFTER_MEASURES


def test_more_seeds_train_only_the_new_seeds(study):
    study.configure(seeds=3)
    jobs = {"train_ensemble": 2, "measure_networks": 2, "measure_networks_alone": 2}
    assert study.planned() == jobs | AFTER_MEASURES
    planned = study.snakemake("--dry-run").stdout
    assert "seeds-2-3" in planned
    assert "seeds-1-3" not in planned


def test_a_new_hyperparameter_with_a_default_trains_nothing(study):
    study.edit(
        "generalization/hyperparameters.py",
        "    biases: bool = False\n",
        "    biases: bool = False\n    warmup: float = 0.0\n",
    )
    study.edit(
        "workflow/schemas/study.schema.yaml",
        "      init_scale:\n",
        "      warmup: {description: Steps., type: number, default: 0.0}\n      init_scale:\n",
    )
    assert study.planned() == {}
    study.configure(ensembles=grids(warmup=0.5))
    assert study.planned()["train_ensemble"] == 2


def test_a_setting_of_a_measure_takes_that_measure_alone(study):
    study.configure(measures=CONFIG["measures"] | {"transitions": {"samples": 4}})
    assert study.planned() == {"measure_networks_alone": 2} | AFTER_MEASURES
    study.configure(measures=CONFIG["measures"] | {"jacobian_norm": {"samples": 4}})
    assert study.planned() == {"measure_networks_alone": 2} | AFTER_MEASURES


def test_where_things_are_done_and_found_runs_nothing(study):
    study.configure(device="cpu", data_root=str(study.path), title="Another")
    assert study.planned() == {}


def test_settings_of_statistics_measure_nothing(study):
    study.configure(statistics={"resamples": 101})
    planned = study.planned()
    assert planned["fit_statistics"] == 1
    assert "collect_measures" not in planned


ENTRIES = {
    "measure": (
        "generalization/measures/l1_gradient.py",
        ('    "random_number": Measure(', '    "l1_gradient": Measure(),\n'),
        ("      random_number:\n", "      l1_gradient: {$ref: '#/$defs/without_settings'}\n"),
    ),
    "similarity": (
        "generalization/similarities/procrustes.py",
        ('    "svcca": Similarity(', '    "procrustes": Similarity(ANY_AXES),\n'),
        ("      svcca:\n", "      procrustes: {type: object}\n"),
    ),
    "dataset": (
        "generalization/datasets/kmnist.py",
        ('    "mnist_subset": Shape(', '    "kmnist": Shape(60_000, 10_000, 1, 28, 28, 10),\n'),
        ("mnist_subset, mnist, fashion_mnist, cifar10, cifar100]", "kmnist, "),
    ),
    "profile": (
        "generalization/experiments/jacobian/paths.py",
        ('"points": Profile()', '"paths": Profile(), '),
        ("      ellipses:\n", "      paths: {type: object}\n"),
    ),
    "table": (
        "generalization/statistics/triples.py",
        ('            "pair_statistics": Table(', '            "triples": Table(("pairs",)),\n'),
    ),
    "figure": (
        "generalization/figures/second_league.py",
        (
            '            "capacity": Figure(',
            '            "second_league": Figure("A", ("pairs",)),\n',
        ),
    ),
    "table of this study": (
        "generalization/statistics/triples.py",
        (
            '            "pair_statistics": Table(',
            '            "triples": Table(("statistics",)),\n',
        ),
    ),
    "figure of this study": (
        "generalization/figures/second_league.py",
        (
            '            "capacity": Figure(',
            '            "second_league": Figure("A", ("training",)),\n',
        ),
    ),
}
NEW_JOBS = {
    "table of this study": {"derive_triples": 1, "lay_out_tables": 1},
    "figure of this study": {"draw_second_league": 1},
}


def add_entry(study, kind):
    """Add an entry with its file: its line in the catalog and, if it has settings, its schema."""
    file, *insertions = ENTRIES[kind]
    path = study.path / file
    path.write_text(f"def {path.stem}():\n    pass\n")
    for place, (before, line) in zip((CATALOG, SCHEMA), insertions, strict=False):
        study.edit(place, before, line + before)


@pytest.mark.parametrize("kind", ENTRIES)
def test_a_line_in_the_catalog_runs_at_most_what_it_names(study, kind):
    for name in ("triples", "second_league"):
        (study.path / f"workflow/report/{name}.rst").write_text("A caption.\n")
    add_entry(study, kind)
    assert study.planned() == NEW_JOBS.get(kind, {})


def test_a_new_measure_is_computed_alone(study):
    add_entry(study, "measure")
    study.configure(measures=CONFIG["measures"] | {"l1_gradient": {}})
    assert study.planned() == {"measure_networks_alone": 2} | AFTER_MEASURES


def test_a_new_profile_is_computed_alone(study):
    add_entry(study, "profile")
    study.configure(profiles={"paths": {}})
    assert study.planned() == {"profile_networks": 2, "collect_paths": 1, "summarize_study": 1}


def test_a_new_claim_is_judged_alone(study):
    study.configure(papers=["novak_2018"])
    study.snakemake()
    study.edit(
        "generalization/experiments/jacobian/claims.py",
        "CLAIMS = {",
        "EDITED = 1\nCLAIMS = {",
    )
    assert study.planned() == {"derive_claims": 1, "lay_out_tables": 1, "summarize_study": 1}


def test_a_docstring_makes_nothing_anew_but_the_cards_that_quote_it(study):
    for path in (study.path / "generalization").rglob("*.py"):
        text = path.read_text()
        path.write_text(text.replace('    """', '    """In other words, ', 1))
    assert study.planned() == {"derive_audit": 1, "lay_out_tables": 1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("generalization/networks/tensor_file.py", "generalization/tensor_file.py"),
        ("generalization/training/losses.py", "generalization/training/objectives.py"),
        ("generalization/randomness.py", "generalization/datasets/sources_of_randomness.py"),
    ],
)
def test_a_file_that_is_moved_or_renamed_runs_nothing(study, old, new):
    (study.path / old).rename(study.path / new)
    modules = [name.removesuffix(".py").replace("/", ".") for name in (old, new)]
    for folder in ("generalization", "scripts", "workflow"):
        for path in (study.path / folder).rglob("*.py"):
            path.write_text(re.sub(rf"{re.escape(modules[0])}\b", modules[1], path.read_text()))
    assert study.planned() == {}


DATASET = "results/datasets/digits.h5"
CHANGED = (
    "The contents of digits have changed: run the same command once more to recompute whatever was "
    "trained or measured on the former contents.\n"
)


PREPARED = (
    "digits was prepared again with the same contents: run the same command once more for whatever "
    "else has changed.\n"
)


def change_contents(study):
    """Edit the preparation so that it shuffles the rows in another order."""
    study.edit("generalization/datasets/preparation.py", "{name} {part}", "{part} of {name}")


def test_a_dataset_prepared_again_with_the_same_contents_trains_nothing(study):
    study.edit("generalization/datasets/digits.py", "\n\n\ndef ", "\n\nEDITED = 1\n\n\ndef ")
    assert study.planned() == {"prepare_dataset": 1}
    said = study.snakemake().stderr
    assert PREPARED in said
    assert CHANGED not in said
    assert study.planned() == {}
    assert study.planned("--forcerun", "prepare_dataset") == {"prepare_dataset": 1}


def test_datasets_prepared_first_leave_one_complete_run(study):
    change_contents(study)
    said = study.snakemake("datasets").stderr
    assert CHANGED not in said
    assert study.planned()["train_ensemble"] == 2


def test_a_deleted_dataset_trains_nothing(study):
    (study.path / DATASET).unlink()
    assert study.planned() == {}


def test_a_deleted_dataset_is_restored_before_anything_is_planned(study):
    before = (study.path / DATASET).read_bytes()
    (study.path / DATASET).unlink()
    study.configure(measures=CONFIG["measures"] | {"curvature": {"samples": 3}})
    assert study.planned() == {"measure_networks_alone": 2} | AFTER_MEASURES
    assert (study.path / DATASET).read_bytes() == before
    said = study.snakemake().stderr
    assert CHANGED not in said
    assert PREPARED not in said
    assert study.planned() == {}


def test_an_edit_of_training_trains_once_on_a_deleted_dataset(study):
    (study.path / DATASET).unlink()
    with (study.path / "scripts/train_ensemble.py").open("a") as script:
        script.write("\nEDITED = True\n")
    study.snakemake()
    assert study.planned() == {}


@pytest.mark.parametrize("deleted", [False, True])
def test_changed_contents_are_reported_and_trained_on_by_the_next_run(study, deleted):
    change_contents(study)
    study.configure(measures=CONFIG["measures"] | {"curvature": {"samples": 3}})
    if deleted:
        (study.path / DATASET).unlink()
    done = study.snakemake()
    assert CHANGED in done.stderr
    # No measure is computed of networks that were trained on other contents.
    assert "rule measure_networks" not in done.stderr
    planned = study.planned()
    jobs = {"train_ensemble": 2, "measure_networks": 2, "measure_networks_alone": 4}
    assert planned == jobs | AFTER_MEASURES
    said = study.snakemake().stderr
    assert CHANGED not in said
    assert PREPARED not in said
    assert study.planned() == {}
