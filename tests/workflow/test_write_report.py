"""A report that does not fit on its disk, and one that does."""

import os
import subprocess
import sys
from pathlib import Path

import write_report

SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))


def written(study, limit="unlimited"):
    """Write the report of a study where no file may have more than `limit` KiB."""
    report = study.path / "results/studies/study/report.html"
    words = [sys.executable, "workflow/write_report.py", str(report.relative_to(study.path))]
    words += [SNAKEMAKE, "--cores", "1", "--configfile", "config/study.yaml", "--quiet"]
    done = subprocess.run(
        ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *words],
        cwd=study.path,
        env={**os.environ, "PYTHONPATH": str(study.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return report, done


def test_a_report_on_a_full_disk_leaves_nothing(study):
    before = sorted(study.path.glob("results/studies/study/**/*"))
    report, done = written(study, limit=1000)
    need = write_report.needed(report.parent) / 1e6
    assert done.returncode == 1
    assert done.stderr == (
        f"InputError: results/studies/study/report.html must have about {need:,.1f} MB of room on "
        "its disk, which is full; nothing was written, and the same command writes it when there "
        "is room.\n"
    )
    assert sorted(study.path.glob("results/studies/study/**/*")) == before
    report, done = written(study)
    assert done.returncode == 0, done.stderr
    assert report.stat().st_size > 1_000_000
    assert {*report.parent.iterdir()} == {
        *report.parent.glob("[!.]*"),
        *report.parent.glob(".*.sha256"),
    }
