"""A private Slurm on this host, a study that runs there, and faults that befall its jobs."""

import math
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import torch

from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.hyperparameters import Hyperparameters
from generalization.networks.networks_file import read_networks
from generalization.training import train_ensemble

SCRIPT = Path(__file__).parent / "slurm/cluster.sh"
POLL = 0.3
# Of each, one training is struck while it runs.
FAULTS = ("node", "limit", "requeue", "preempt", "cancel")
WIDTHS = (30, 31, 32, 33, 34)
TRAINING = {"dataset": "digits", "batch_size": 8, "max_steps": 20_000, "stop_at_accuracy": None}
# Every job is struck by itself.
CONFIG = {"measures": {"weight_norm": {}}, "limits": {"together_minutes": 0}}
LIMITED = TRAINING | {"width": 35}
REFUSED = "sbatch: error: Batch job submission failed: Unable to contact slurm controller"


class Cluster:
    """Slurm in a folder of its own.

    Attributes:
        folder: Its configuration, state and logs.
        environment: Environment in which its commands find it.
        seen: Job → states in which the queue listed it, in order.
        about: Job → rule and wildcards.
    """

    def __init__(self, folder, accounting=False):
        self.folder = folder
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "etc/slurm.conf"),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "ACCOUNTING": "yes" if accounting else "no",
        }
        self.seen, self.about = {}, {}

    def __enter__(self):
        subprocess.run([SCRIPT, "up", self.folder], env=self.environment, check=True)
        # It fails while there is a file of this name.
        refuse = self.folder / "refuse"
        shim = self.folder / "bin/sbatch"
        real = "exec /usr/bin/sbatch"
        shim.write_text(
            f'#!/bin/sh\nif [ -e {refuse} ]; then echo "{REFUSED}" >&2; exit 1; fi\n{real} "$@"\n'
        )
        shim.chmod(0o755)
        return self

    def __exit__(self, *_):
        subprocess.run([SCRIPT, "down", self.folder], env=self.environment, check=True)

    def run(self, *words, check=True):
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=check
        )
        return done.stdout

    def observe(self):
        """Note the states of all jobs; return job → state, node."""
        found = self.run("squeue", "-h", "-t", "all", "-o", "%i|%T|%N|%k", check=False)
        now = {}
        for line in found.splitlines():
            job, state, node, comment = line.split("|", 3)
            now[job], self.about[job] = (state, node), comment
            states = self.seen.setdefault(job, [])
            if states[-1:] != [state]:
                states.append(state)
        return now

    def pid(self, daemon):
        return int((self.folder / f"run/{daemon}.pid").read_text())

    def stop(self, daemon, number=signal.SIGTERM):
        pid = self.pid(daemon)
        os.kill(pid, number)
        wait_for(lambda: not Path(f"/proc/{pid}").exists())

    def kill_node(self, node, job):
        """Kill what a node that loses its power would lose: its daemon and the job that it runs."""
        self.stop(f"slurmd.{node}", signal.SIGKILL)
        for pid in descendants(*daemons_of(job)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start_node(self, node):
        self.run("slurmd", "-N", node)

    def restart_controller(self, seconds):
        self.stop("slurmctld")
        time.sleep(seconds)
        self.run("slurmctld")

    def preempt(self, job, node):
        words = ["-p", "urgent", "-w", node, "-o", "/dev/null", "--wrap", "sleep 1"]
        self.run("/usr/bin/sbatch", *words)


@dataclass
class Struck:
    """A study after all faults.

    Attributes:
        job: Fault → job that it befell.
        ensemble: Fault → ensemble that this job trained.
        states: Job → states in which the queue listed it, in order.
        about: Job → rule and wildcards.
        interrupted: Ensemble → what its training said when it was told to end.
        said: What the head said.
        status: Exit status of the head.
        seconds: Wall time.
    """

    job: dict = field(default_factory=dict)
    ensemble: dict = field(default_factory=dict)
    states: dict = field(default_factory=dict)
    about: dict = field(default_factory=dict)
    interrupted: dict = field(default_factory=dict)
    said: str = ""
    status: int | None = None
    seconds: float = 0.0

    def jobs(self, ensemble, rule="train_ensemble"):
        """The jobs of an ensemble by a rule, in the order of their submission."""
        return [
            job
            for job in sorted(self.about, key=int)
            if self.about[job].startswith(f"rule_{rule}_") and ensemble in self.about[job]
        ]


def ensembles():
    """Hyper-parameters of the trained ensembles."""
    return [Hyperparameters(**TRAINING, width=width) for width in WIDTHS]


def wait_for(condition, seconds=120):
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "this never came"
        time.sleep(0.1)
    return found


def children():
    """Process → its children."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            found.setdefault(parent, []).append(int(stat.parent.name))
    return found


def descendants(*pids):
    below, found, queue = children(), [], list(pids)
    while queue:
        found.append(queue.pop())
        queue += below.get(found[-1], [])
    return found


def daemons_of(job):
    """Processes of Slurm that watch over the steps of a job."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if command.read_text().startswith(f"slurmstepd: [{job}."):
                found.append(int(command.parent.name))
    return found


def trainings(folder):
    """Job → ensemble, process of the trainings in a folder that notice SIGTERM by now."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_text().split("\0")
            if f"{folder}/scripts/train_ensemble.py" not in words[1:2]:
                continue
            caught = re.search(r"^SigCgt:\s*(\w+)", (process / "status").read_text(), re.M)
            if int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
                environment = (process / "environ").read_text().split("\0")
                job = next(one for one in environment if one.startswith("SLURM_JOB_ID="))
                networks = words[words.index("--networks") + 1]
                found[job.partition("=")[2]] = networks.split("/")[2], int(process.name)
    return found


def cpu_seconds(process):
    """What a process has used; endlessly much when it is gone."""
    with suppress(OSError):
        ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return math.inf


def strike(cluster, fault, job, node):
    """Let a fault befall a job, whose training is held."""
    if fault == "cancel":
        cluster.run("scancel", job)
    elif fault in {"limit", "timeout"}:
        # The signal before the limit, if there is one, comes within half a minute.
        minutes = int(cluster.run("squeue", "-h", "-j", job, "-o", "%M").split(":")[-2])
        cluster.run("scontrol", "update", f"JobId={job}", f"TimeLimit={2 + minutes}")
    elif fault == "node":
        cluster.kill_node(node, job)
    elif fault in {"requeue", "preempt"}:
        if fault == "requeue":
            cluster.run("scontrol", "update", f"JobId={job}", "Requeue=1")
        cluster.preempt(job, node)


def different_networks(study, trained):
    """Ensembles whose networks are not bit for bit those of an undisturbed training here."""
    data, differ = read_dataset(study.path / "results/datasets/digits.h5"), []
    torch.set_num_threads(1)
    for one in trained:
        path = study.path / f"results/ensembles/{one.name}/seeds-1-1/networks.safetensors"
        ours = read_networks(path).networks[-1].tensors
        whole = train_ensemble(experiment_data(data, one), one, [1], device="cpu").kept.networks[-1]
        if not all(torch.equal(tensor, ours[name]) for name, tensor in whole.tensors.items()):
            differ.append(one.name)
    return differ


def run_struck(cluster, study):
    """Run a study of which each training is struck by a fault of its own.

    From the first fault on, sbatch fails until the head has said so; then the controller is
    stopped for some seconds. The job of measures has too little memory at first.
    """
    trained, one = ensembles(), "results/ensembles/{}/seeds-1-1/{}"
    study.configure(**CONFIG, ensembles=[TRAINING | {"width": list(WIDTHS)}])
    study.edit(
        "workflow/profiles/slurm/config.yaml",
        "set-resources:\n",
        "set-resources:\n  measure_networks:\n    mem_mb: 150 if attempt == 1 else 2000\n",
    )
    targets = [one.format(each.name, "training.csv") for each in trained]
    targets.append(one.format(trained[0].name, "measures/weight_norm.csv"))
    return _run(cluster, study, targets, FAULTS)


def run_limited(cluster, study):
    """Run a study whose training exceeds its first time limit, of which it is not told before."""
    study.configure(**CONFIG, ensembles=[LIMITED])
    study.edit(
        "workflow/profiles/slurm/config.yaml",
        "slurm_extra: \"'--signal=TERM@120'\"",
        "slurm_extra: \"''\"",
    )
    name = Hyperparameters(**LIMITED).name
    return _run(cluster, study, [f"results/ensembles/{name}/seeds-1-1/training.csv"], ("timeout",))


def _run(cluster, study, targets, faults):
    """Run Snakemake on a cluster until it ends, while faults befall its trainings."""
    begun, struck, log = time.monotonic(), Struck(), study.path / "head.log"
    words = ["--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2"]
    words += ["--default-resources", "mem_mb=2000", "runtime=10", "slurm_partition=cpu"]
    cluster.seen, cluster.about = {}, {}
    with log.open("w") as stream:
        head = subprocess.Popen(
            [Path(sys.executable).with_name("snakemake"), *words, "--", *targets],
            cwd=study.path,
            env=cluster.environment | {"PYTHONPATH": str(study.path)},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    held, ended = {}, Event()
    watch = Thread(target=_watch, args=(study, struck, held, ended))
    watch.start()
    try:
        _strike_all(cluster, struck, held, head, log, faults)
    finally:
        head.kill()
        ended.set()
        watch.join()
    struck.status, struck.said = head.wait(), log.read_text()
    struck.states, struck.about = cluster.seen, cluster.about
    struck.seconds = time.monotonic() - begun
    return struck


def _watch(study, struck, held, ended):
    """Hold trainings that wait for their fault, and note what they say when they are told to end.

    Each takes some steps and is then stopped, so that it does not end before its fault comes:
    Slurm's signals wake it. What it says is gone when the next attempt begins.

    Args:
        held: Job → ensemble of the trainings that are held.
    """
    begun, logs = {}, study.path / "results/logs/train_ensemble"
    while not ended.wait(POLL / 3):
        for job, (ensemble, process) in trainings(study.path).items():
            used = cpu_seconds(process)
            if job in held or ensemble in struck.ensemble.values():
                continue
            if used >= begun.setdefault(process, used) + 0.2:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGSTOP)
                held[job] = ensemble
        for log in logs.glob("*-seeds-1-1.log"):
            if line := re.search(r"^Interrupted: .*", log.read_text(), re.M):
                struck.interrupted[log.name.removesuffix("-seeds-1-1.log")] = line[0]


def _strike_all(cluster, struck, held, head, log, faults):
    """Look again and again until the head has ended."""
    refuse, dead, outage = cluster.folder / "refuse", None, None
    limit = time.monotonic() + 900
    with ThreadPoolExecutor(1) as beside:
        while head.poll() is None:
            assert time.monotonic() < limit, log.read_text()
            found = cluster.observe()
            for job, ensemble in held.copy().items():
                if job in found and ensemble not in struck.ensemble.values():
                    fault = faults[len(struck.job)]
                    if not struck.job and len(faults) > 1:
                        refuse.touch()
                    struck.job[fault], struck.ensemble[fault] = job, ensemble
                    strike(cluster, fault, job, found[job][1])
                    if fault == "node":
                        dead = found[job][1]
            if refuse.exists() and "sbatch fails for now" in log.read_text():
                refuse.unlink()
            all_struck = len(struck.job) == len(faults) > 1
            if all_struck and outage is None and not refuse.exists():
                outage = beside.submit(cluster.restart_controller, 5)
            if dead and found.get(struck.job["node"], ("",))[0] == "NODE_FAIL":
                cluster.start_node(dead)
                dead = None
            time.sleep(POLL)
        cluster.observe()
    if outage is not None:
        outage.result()
