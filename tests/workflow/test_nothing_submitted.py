"""What cannot end, or cannot be followed, is refused before the first job is submitted."""

import os

import pytest

CONFIGURED = "AccountingStorageType = accounting_storage/none\\nMinJobAge = 300 sec\\n"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Commands of Slurm that answer what a test tells them, and note what is submitted."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    def command(name, script):
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    for name in ("squeue", "sacct", "sinfo", "scancel"):
        command(name, "exit 0")
    command("sbatch", f"touch {tmp_path / 'submitted'}; echo Invalid account >&2; exit 1")
    command("scontrol", f"printf '{CONFIGURED}'")
    return command


def refused(study, tmp_path, *arguments):
    """What is said where nothing is submitted."""
    done = study.snakemake("--profile", "slurm", "--quiet", *arguments, check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert not (tmp_path / "submitted").exists()
    assert not (study.path / "results/datasets").exists()
    return said


def test_a_study_that_cannot_end_within_its_limits(slurm, new_study, tmp_path):
    said = refused(new_study, tmp_path, "--config", "limits={hours: 24, memory_gb: 1}")
    assert "Nothing was submitted: limits.memory_gb must be at least 2 for " in said, said


def test_a_cluster_that_does_not_answer(slurm, new_study, tmp_path):
    slurm("scontrol", "echo Unable to contact slurm controller >&2; exit 1")
    said = refused(new_study, tmp_path)
    assert (
        "Nothing was submitted: Slurm must answer `scontrol show config`, but it says: "
        "Unable to contact slurm controller" in said
    )


def test_a_cluster_whose_jobs_cannot_be_followed(slurm, new_study, tmp_path):
    slurm("scontrol", f"printf '{CONFIGURED.replace('300', '2')}'")
    said = refused(new_study, tmp_path)
    assert "Nothing was submitted: A cluster without accounting must list jobs" in said
