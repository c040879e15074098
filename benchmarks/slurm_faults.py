"""Strike studies on a real Slurm by faults, and count how they ended.

A private Slurm is started on this host (tests/slurm/cluster.sh). Each study trains five ensembles,
of which one is cancelled, one preempted by cancelling, one preempted by requeue, one told of its
time limit, and one loses its node; meanwhile sbatch fails, the controller is restarted, and a job
asks for too little memory. Then a study is run whose first training exceeds its time limit without
notice. Both are done without accounting and, with slurmdbd and MariaDB, with accounting. All
networks are compared with those of undisturbed trainings, bit by bit.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from live_cluster import (  # noqa: E402
    FAULTS,
    LIMITED,
    Cluster,
    Struck,
    different_networks,
    ensembles,
    run_limited,
    run_struck,
)
from small_study import checkout  # noqa: E402

from generalization.hyperparameters import Hyperparameters  # noqa: E402


def main(rounds: int, accounting: list[str]) -> None:
    """Print a line for every fault of every study, and the sums."""
    needed = {"no": ["slurmctld", "munged"], "yes": ["slurmdbd", "mariadbd"]}
    for way in accounting:
        print(f"accounting: {way}", flush=True)
        missing = [program for program in needed[way] if shutil.which(program) is None]
        if missing:
            print(f"  left out, since {' and '.join(missing)} must be installed")
            continue
        with tempfile.TemporaryDirectory(dir="/tmp") as place:
            count(Path(place), rounds, way == "yes")


def count(place: Path, rounds: int, accounting: bool) -> None:
    """Run the studies on one Slurm."""
    counts: Counter[str] = Counter()
    (place / "slurm").mkdir()
    place.chmod(0o755)
    with Cluster(place / "slurm", accounting) as cluster:
        for number in range(rounds):
            study = checkout(place / f"study{number}")
            struck = run_struck(cluster, study)
            for fault in FAULTS:
                tell(struck, fault, counts)
            note(struck, different_networks(study, ensembles()), counts)
        study = checkout(place / "limited")
        limited = run_limited(cluster, study)
        tell(limited, "timeout", counts)
        note(limited, different_networks(study, [Hyperparameters(**LIMITED)]), counts)
    print(" ", ", ".join(f"{many} {what}" for what, many in counts.items()))


def tell(struck: Struck, fault: str, counts: Counter[str]) -> None:
    """Print what became of the training that a fault befell."""
    if fault not in struck.job:
        print(f"  {fault:<8} befell no job")
        return
    ensemble = struck.ensemble[fault]
    jobs = struck.jobs(ensemble)
    ends = " ".join(f"{job}:{struck.states[job][-1]}" for job in jobs)
    said = struck.interrupted.get(ensemble, "was not told").rpartition(" was ")[2]
    print(f"  {fault:<8} {ends}; {said}")
    counts["faults"] += 1
    counts["trainings that ended well"] += struck.states[jobs[-1]][-1] == "COMPLETED"


def note(struck: Struck, differ: list[str], counts: Counter[str]) -> None:
    """Print how a study ended."""
    sentences = [line for line in struck.said.splitlines() if line.startswith("Slurm: ")]
    print(f"  the head ended with {struck.status} after {struck.seconds:.0f} s")
    print("\n".join(f"    {line}" for line in sentences))
    counts["studies"] += 1
    counts["studies that ended well"] += struck.status == 0
    counts["networks that differ"] += len(differ)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--accounting", nargs="+", default=["no", "yes"], choices=["no", "yes"])
    chosen = parser.parse_args()
    main(chosen.rounds, chosen.accounting)
