"""The words `snakemake --profile slurm`, on a real Slurm."""

import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

CLUSTER = Path(__file__).with_name("cluster.sh")
pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if not (shutil.which("slurmctld") and shutil.which("munged")) and "CI" not in os.environ:
        pytest.skip("Slurm is not installed: apt-get install slurm-wlm munge.")
    folder = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "etc/slurm.conf"))
        patch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        subprocess.run([CLUSTER, "up", folder], check=True)
        yield folder
        subprocess.run([CLUSTER, "down", folder], check=True)


def test_a_study_runs_on_slurm(cluster, new_study):
    """Nobody says that this cluster has no accounting: it is found out."""
    done = new_study.snakemake(
        "--profile",
        "slurm",
        *("--slurm-init-seconds-before-status-checks", "2"),
        *("--default-resources", "mem_mb=2000", "runtime=10", "slurm_partition=cpu"),
    )
    assert "this cluster has no accounting, so that squeue tells" in done.stderr
    submitted = (done.stdout + done.stderr).count("has been submitted with SLURM jobid")
    assert submitted == 1 + 2 + 4  # one data set; two ensembles; two jobs of measures for each
    measures = pd.read_csv(new_study.path / "results/studies/study/measures.csv")
    assert measures["value"].notna().all()
    assert new_study.planned() == {}
