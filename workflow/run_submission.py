"""Run the jobs of a submission to a cluster, one after the other.

    python workflow/run_submission.py FILE

FILE lists jobs in JSON, as ``submissions.py`` writes it: what a job does in words, its shell
command, its threads, and its input, output and log files. It does what Snakemake would do, which
takes 2 seconds to start: make folders, run the command, remove the output of a job that has failed.
A job of which an input is missing is not run. Its status is 1 unless all jobs have ended well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

# Libraries of linear algebra read how many threads they may have from these, as Snakemake has it.
THREADS = ("OMP_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LATENCY = 30.0  # seconds after which a file that another node has written is visible here


def main() -> None:
    """Run the jobs of the file of the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python workflow/run_submission.py FILE")
    jobs = json.loads(Path(sys.argv[1]).read_text())
    if len(jobs) > 1:
        os.environ["GENERALIZATION_TOGETHER"] = "1"  # They share a server of launch.py.
    failed: set[str] = set()  # Files that will not be there.
    for number, job in enumerate(jobs, start=1):
        _tell(f"{number} of {len(jobs)}: {job['message']}")
        begun = time.monotonic()
        if problem := _run(job, failed):
            failed.update(job["output"])
            _tell(f"This failed: {problem}.")
        else:
            _tell(f"This took {time.monotonic() - begun:.1f} s.")
    sys.exit(1 if failed else 0)


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _run(job: dict, failed: set[str]) -> str:
    """Run a job, and return why it failed, or nothing.

    Args:
        job: The job, as it stands in the file.
        failed: Files that will not be there.
    """
    if missing := _missing_input(job["input"], failed):
        return f"its input {missing} is missing"
    for file in [*job["output"], *job["log"]]:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | dict.fromkeys(THREADS, str(job["threads"]))
    try:
        status = subprocess.run(["bash", "-c", job["command"]], env=environment).returncode
    except OSError as error:
        return str(error)
    written = [file for file in job["output"] if Path(file).exists()]
    if status == 0 and len(written) == len(job["output"]):
        return ""
    for file in written:
        Path(file).unlink()
    return f"it ended with status {status}, and wrote {len(written)} of {len(job['output'])} files"


def _missing_input(files: list[str], failed: set[str]) -> str:
    """Return an input file that is missing, for which the file system was waited, or nothing."""
    limit = time.monotonic() + LATENCY
    for file in files:
        while not Path(file).exists():
            if file in failed or time.monotonic() > limit:
                return file
            time.sleep(0.2)
    return ""


if __name__ == "__main__":
    main()
