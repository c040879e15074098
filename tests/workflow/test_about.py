import re
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from about import (
    about,
    assumptions,
    commit,
    files_of,
    headline_of,
    is_reported,
    terms,
    told_blas,
    versions,
)
from planning import read_study

PLAIN = {
    "study": "test",
    "seeds": 2,
    "ensembles": [{"dataset": "digits", "width": [50, 100]}],
    "measures": {"jacobian_norm": {}, "train_jacobian_norm": {}, "transitions": {"samples": 7}},
}


def test_assumptions_are_quoted_whole(tmp_path):
    file = tmp_path / "code.py"
    file.write_text("x = 1\n# ASSUME: one\n#  two\n# three.\ny = 2  # ASSUME: four.\n")
    assert assumptions([file]) == ["one  two three.", "four."]
    assert len(assumptions(Path("generalization").rglob("*.py"))) > 5


def test_assumptions_are_those_of_the_study():
    plain = about(read_study(PLAIN), [])["assumptions"]
    assert any("two for each of the 28 translations" in one for one in plain)
    assert not any("far fewer" in one for one in plain)  # Of a claim about similarities.
    config = Path("config/svcca.yaml")
    svcca = about(read_study(yaml.safe_load(config.read_text())), [str(config)])["assumptions"]
    assert any("far fewer" in one for one in svcca)
    choice = "directions are computed from as many points as are recorded, 10 per unit."
    assert f"Of this study: {choice}" in svcca
    assert "Of this study: batch_size (set-up leaves it open): ours." in svcca
    assert not any(one.startswith("Of this study") for one in plain)


def test_modules_of_a_study_are_reached_through_imports():
    names = {file.name for file in files_of(read_study(PLAIN))}
    assert {"jacobian_norm.py", "input_jacobian.py", "measure_league.py", "digits.py"} <= names
    assert not {"svcca.py", "mnist.py", "fitting_times.py"} & names


def test_terms_are_measures_and_tables_of_the_study():
    assert terms(read_study(PLAIN)) == [
        ("measure", "jacobian_norm", "generalization/measures/jacobian_norm.py"),
        ("measure", "train_jacobian_norm", "generalization/measures/jacobian_norm.py"),
        ("measure", "transitions", "generalization/measures/transitions.py"),
        ("table", "model_statistics", "generalization/statistics/model_statistics.py"),
        ("table", "selection_on_fit", "generalization/statistics/selection_on_fit.py"),
        ("table", "fragility", "generalization/statistics/fragility.py"),
        ("table", "audit", "generalization/audit/audit.py"),
        ("table", "design", "generalization/statistics/design.py"),
        ("table", "excluded", "generalization/statistics/selection.py"),
        ("table", "statistics", "generalization/statistics/fit_statistics.py"),
    ]


@pytest.mark.parametrize("name", ["jacobian_norm", "claims", "statistics", "design", "excluded"])
def test_headline_is_one_sentence(name):
    assert headline_of(name).endswith(".")
    assert "\n" not in headline_of(name)


def test_definitions_are_those_of_the_docstrings():
    first = about(read_study(PLAIN), [])["definitions"][0]
    assert (first["kind"], first["name"]) == ("measure, sees no labels", "Jacobian norm")
    assert first["text"].startswith("Norm ‖∂σ(f(x))/∂xᵀ‖_F at every input, σ the softmax (Novak")


def test_settings_are_the_text_of_the_file(tmp_path):
    file = tmp_path / "test.yaml"
    file.write_text("# ASSUME: a choice.\nstudy: test\n")
    told = about(read_study(PLAIN), [str(file)])
    assert told["settings"] == file.read_text()
    assert told["assumptions"][0] == "Of this study: a choice."


def test_commit_says_if_files_differ(tmp_path):
    assert commit(tmp_path) == ""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    (tmp_path / "file").write_text("one")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "Add a file"]):
        subprocess.run([*git, *command], check=True)
    clean = commit(tmp_path)
    assert len(clean) == 12
    (tmp_path / "file").write_text("two")
    assert commit(tmp_path) == f"{clean} with uncommitted changes"


def test_versions_are_of_what_decides_over_numbers():
    assert {"Python", "torch", "numpy", "snakemake", "BLAS of numpy"} <= set(versions())


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        (
            "- Intel(R) Math Kernel Library Version 2024.2-Product\n- BLAS_INFO=mkl, X=1",
            "mkl 2024.2",
        ),
        ("- Intel(R) Math Kernel Library Version 2024.2-Product\n- BLAS_INFO=open, X=1", "open"),
        ("- Build settings: BLAS_INFO=accelerate, X=1", "accelerate"),
        ("- Build settings: X=1", "unknown"),
    ],
)
def test_blas_of_torch_is_told_as_that_of_numpy(configuration, told):
    assert told_blas(configuration) == told


def test_torch_is_asked_for_its_blas_where_a_report_is_written():
    study = read_study(PLAIN)
    name = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())[1]
    assert about(study, [], reported=True)["versions"]["BLAS of torch"].startswith(name)
    assert "BLAS of torch" not in about(study, [])["versions"]
    assert is_reported(["--cores", "2", "--report", "report.html"])
    assert is_reported(["--report=report.html"])
    assert not is_reported(["--report-stylesheet", "own.css"])
