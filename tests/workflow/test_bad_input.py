"""Bad input ends in one sentence, before anything is computed, and without a traceback."""

import os
import re
import subprocess

import pytest
from forked_snakemake import COMMAND


def sentence(done):
    """Output of a run that failed without a traceback."""
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    return " ".join(said.split())


def test_configuration(study):
    before = {path: path.stat().st_mtime_ns for path in study.path.rglob("results/**/*")}
    study.configure(ensembles=[{"dataset": "digits", "widht": 20}])
    said = sentence(study.snakemake(check=False))
    assert (
        "keys of ensembles[0] must be among those in workflow/schemas/study.schema.yaml, "
        "not 'widht' (did you mean width?)." in said
    )
    assert before == {path: path.stat().st_mtime_ns for path in study.path.rglob("results/**/*")}


def test_a_study_without_its_name_is_not_the_default_study(study):
    (study.path / "config/other.yaml").write_text("seeds: 1\n")
    done = study.snakemake("--configfile", "config/other.yaml", check=False)
    assert "study must be given" in sentence(done)


def test_a_study_is_in_the_file_of_its_name(study):
    (study.path / "config/study.yaml").rename(study.path / "config/other.yaml")
    done = study.snakemake("--configfile", "config/other.yaml", check=False)
    assert "study must be 'other', the name of its file " in sentence(done)


def test_a_misspelt_measure_is_reported_though_all_results_are_there(study):
    study.configure(measures={"jacobian_nrom": {}})
    said = sentence(study.snakemake(check=False))
    assert (
        "measures must be among those in workflow/schemas/study.schema.yaml, not 'jacobian_nrom' "
        "(did you mean jacobian_norm or "
    ) in said


def test_a_measure_in_the_catalog_and_not_in_the_schema(study):
    study.edit(
        "generalization/catalog.py", '    "random_number"', '    "l2": CHEAP,\n    "random_number"'
    )
    assert (
        "measures must be the same in generalization/catalog.py and in "
        "workflow/schemas/study.schema.yaml, but only the catalog names l2, which the schema lacks."
    ) in sentence(study.snakemake("--dry-run", check=False))


def test_a_measure_in_the_schema_and_not_in_the_catalog(study):
    study.edit("generalization/catalog.py", '    "weight_norm": CHEAP_BASELINE,\n', "")
    assert (
        "measures must be the same in generalization/catalog.py and in "
        "workflow/schemas/study.schema.yaml, but only the schema names weight_norm, which the "
        "catalog lacks."
    ) in sentence(study.snakemake("--dry-run", check=False))


def test_a_figure_without_a_file(study):
    (study.path / "generalization/figures/capacity.py").unlink()
    assert (
        "generalization/catalog.py must name what there is, but capacity has no file "
        "generalization/figures/capacity.py."
    ) in sentence(study.snakemake("--dry-run", check=False))


def test_a_figure_without_a_caption(study):
    (study.path / "generalization/experiments/jacobian/loss_bounds.rst").unlink()
    assert (
        "InputError before anything is computed: generalization/catalog.py must name what there "
        "is, but loss_bounds has no caption generalization/experiments/jacobian/loss_bounds.rst."
    ) in sentence(study.snakemake("--dry-run", check=False))


def test_two_files_that_would_be_merged(study):
    (study.path / "config/other.yaml").write_text("seeds: 2\n")
    files = ("--configfile", "config/study.yaml", "config/other.yaml")
    said = sentence(study.snakemake(*files, check=False))
    folder = study.path / "config"
    assert (
        "InputError before anything is computed: --configfile must be one file, for Snakemake "
        f"merges several into one study, not {folder}/study.yaml and {folder}/other.yaml; single "
        "keys can be changed by --config KEY=VALUE."
    ) in said


def test_keys_within_keys_can_be_changed_on_the_command_line(study):
    planned = study.planned("--config", "statistics={resamples: 101}")
    assert planned["fit_statistics"] == 1
    assert "collect_measures" not in planned


def test_a_key_of_the_command_line_has_the_types_of_a_file(study):
    done = study.snakemake("--config", "statistics={level: 1e-2}", "--dry-run", check=False)
    assert (
        "InputError before anything is computed: statistics.level must be a number, not '1e-2' "
        "(text in YAML: write 1.0e-2)."
    ) in sentence(done)


def test_a_python_without_the_packages(study):
    site = study.path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'torch' else find(name, *a)\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{study.path}:{site}"}
    options = {"cwd": study.path, "env": environment, "capture_output": True, "text": True}
    said = sentence(subprocess.run([COMMAND, "--dry-run"], check=False, **options))
    assert re.search(
        r"InputError before anything is computed: The Python of Snakemake, \S+/python[\d.]*, must "
        "have the packages of requirements.lock, but lacks torch; `make study` sets them up, and "
        r"`source \.venv/bin/activate` makes their Snakemake the one that is found\.",
        said,
    ), said


def test_data_that_are_nowhere(new_study):
    (new_study.path / "data").mkdir()
    new_study.configure(ensembles=[{"dataset": "cifar10"}], data_root=str(new_study.path / "data"))
    said = sentence(new_study.snakemake(check=False))
    assert "InputError: " in said
    assert str(new_study.path / "data") in said
    assert not list(new_study.path.glob("results/ensembles/*/*/networks.safetensors"))


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_networks_that_are_damaged(study, damage):
    (networks, *_) = sorted(study.path.glob("results/ensembles/*/seeds-1-1/networks.safetensors"))
    content = networks.read_bytes()
    networks.write_bytes(content[: len(content) // 2] if damage == "cut" else b"not networks")
    measured = sorted(networks.parent.glob("measures/*.csv"))
    for path in measured:
        path.unlink()
    target = str(measured[0].relative_to(study.path))
    said = sentence(study.snakemake("--rerun-triggers", "mtime", "--", target, check=False))
    assert "networks must be a whole safetensors file of this project, not " in said
    assert not measured[0].exists()


def test_a_dataset_that_is_damaged(study):
    dataset = study.path / "results/datasets/digits.h5"
    content = bytearray(dataset.read_bytes())
    content[len(content) // 2] ^= 255
    dataset.write_bytes(content)
    measured = sorted(study.path.glob("results/ensembles/*/seeds-1-1/measures/weight_norm.csv"))[0]
    measured.unlink()
    target = str(measured.relative_to(study.path))
    said = sentence(study.snakemake("--rerun-triggers", "mtime", "--", target, check=False))
    assert "must have the content that its sha256 was taken of." in said
