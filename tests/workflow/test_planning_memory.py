"""Ten thousand networks are planned in little memory, by as few jobs as there are ensembles."""

import subprocess
import sys
from pathlib import Path

SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))
ENSEMBLES, SEEDS = 1_250, 8
RATES = [round(0.001 + place / 1e5, 5) for place in range(ENSEMBLES)]
# Prints the most bytes that the command took.
WATCHED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print("took", 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def test_ten_thousand_networks_are_planned_in_300_megabytes(new_study):
    measures = {"weight_norm": {}, "jacobian_norm": {}}
    grid = {"dataset": "digits", "learning_rate": RATES}
    new_study.configure(seeds=SEEDS, ensembles=[grid], measures=measures)
    command = [SNAKEMAKE, "--cores", "2", "--dry-run", "--quiet", "rules"]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *command],
        cwd=new_study.path,
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout + done.stderr
    lines = [line.split() for line in said.splitlines()]
    counts = dict(words for words in lines if len(words) == 2 and words[1].isdigit())
    assert counts["train_ensemble"] == counts["measure_networks"] == str(ENSEMBLES)
    assert int(counts["total"]) < 2 * ENSEMBLES + 30
    assert int(counts["took"]) < 300e6
