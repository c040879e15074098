"""What is computed again after a change, as Snakemake itself plans it."""

import os
import time

import pytest
from small_study import CONFIG

AFTER_MEASURES = {
    "collect_measures": 1,
    "fit_statistics": 1,
    "draw_gap_against_measure": 1,
    "draw_measure_league": 1,
    "draw_training_curves": 1,
    "lay_out_statistics": 1,
    "lay_out_excluded": 1,
}
MEASURE = "generalization/measures"


def grids(**changes):
    return [CONFIG["ensembles"][0] | changes]


def test_a_second_run_does_nothing(study):
    assert study.planned() == {}


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
        ("generalization/measuring.py", {"measure_networks": 2, "measure_networks_alone": 2}),
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
