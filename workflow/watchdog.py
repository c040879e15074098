"""Watch over the queue of Slurm while a study runs there.

Snakemake's plugin for Slurm asks ``sacct`` or ``squeue`` for the states of its jobs. A cluster
without accounting is found out, and asked by ``squeue``. Answers that would make the plugin wait
for ever are put right: a question without an answer, after which it forgets its jobs; a job that
was preempted and does not come back; a job that the queue no longer lists; ``CANCELLED by 1000``.
A submission that fails because Slurm does not answer is tried again. What cannot be put right is
told in one sentence: a job that neither runs nor ends, a queue that does not answer, and jobs that
a Snakemake which was killed has left in the queue.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from types import ModuleType
from typing import Any

from orphans import HOST, queued_jobs

PLUGIN = "snakemake_executor_plugin_slurm"
PATIENCE = 600.0  # Seconds until something is told, or given up.
PAUSE = 10.0  # Seconds between two attempts to submit a job.
ENDED = {
    *("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"),
    *("BOOT_FAIL", "DEADLINE"),
}
# Reasons for which any job of a busy cluster may wait for days.
ORDINARY = re.compile(r"None|Priority|Resources|BeginTime|.*(Limit|Max|Grp).*")
PASSING = re.compile(
    r"contact slurm controller|timed out|temporarily|[Cc]onnection|not respond|Zero Bytes|"
    r"Unexpected message|SubmitLimit|try again|Unspecified error",
)


def watch(workflow: Any, tell: Callable[[str], object] | None = None) -> str | None:
    """Watch over the queue if this Snakemake submits its jobs to Slurm.

    Args:
        workflow: Snakemake's, whose scheduler has an executor.
        tell: Where sentences go; by default the standard error stream.

    Returns:
        Why nothing may be submitted, as one sentence; else None.
    """
    executor = workflow.scheduler._executor
    plugin = sys.modules.get(type(executor).__module__)
    if plugin is None or plugin.__name__ != PLUGIN:
        return None
    watchdog = Watchdog(tell or (lambda said: sys.stderr.write(f"Slurm: {said}\n")))
    problem = watchdog.choose_status_command(executor)
    if problem is None:
        watchdog.wrap(plugin, executor)
        watchdog.tell_of_orphans(str(Path.cwd()))
        HOST.write_text(socket.gethostname())
    return problem


class Watchdog:
    """What is known of the jobs of this Snakemake, and of the queue.

    Attributes:
        states: Job → state in which it was last seen, and since when.
        forgotten_after: Seconds for which the queue lists a job that has ended, if it is asked by
            ``squeue``.
        requeues: Whether Slurm may bring a preempted job back.
    """

    def __init__(
        self, tell: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.tell, self.clock = tell, clock
        self.states: dict[str, tuple[str, float]] = {}
        self.forgotten_after: int | None = None
        self.requeues = True
        self._told: set[object] = set()
        self._silent_since: float | None = None
        self._answered = 0

    def choose_status_command(self, executor: Any) -> str | None:
        """Let the plugin ask ``squeue`` on a cluster without accounting.

        Returns:
            Why jobs could not be followed there, as one sentence; else None.
        """
        settings = executor.workflow.executor_settings
        said = _run("scontrol", "show", "config")
        if said.returncode:
            return f"Slurm must answer `scontrol show config`, but it says: {_in_line(said.stderr)}"
        accounting = re.search(r"^AccountingStorageType\s*=\s*(\S+)", said.stdout, re.MULTILINE)
        kept = re.search(r"^MinJobAge\s*=\s*(\d+)", said.stdout, re.MULTILINE)
        age = int(kept[1]) if kept else 300
        if accounting and not accounting[1].endswith(("/none", "(null)")):
            if settings.status_command == "squeue":
                self.forgotten_after = age
            return None
        if age < 3:
            return (
                "A cluster without accounting must list jobs that have ended for some minutes, but "
                f"its MinJobAge is {age} s; ask its administrators for 300 s."
            )
        if settings.status_command != "squeue":
            self.tell("this cluster has no accounting, so that squeue tells the states of jobs.")
        settings.status_command = "squeue"
        # With fewer seconds the plugin would ask sacct again.
        first = settings.init_seconds_before_status_checks or 40
        settings.init_seconds_before_status_checks = max(1, min(first, age // 3))
        self.forgotten_after = age
        if executor._fallback_account_arg is None:
            executor._fallback_account_arg = ""  # There is none to be guessed.
        return None

    def tell_of_orphans(self, folder: str) -> None:
        """Tell of jobs in the queue before this Snakemake has submitted any.

        Args:
            folder: Folder of this Snakemake, which locks it against others.
        """
        if jobs := " ".join(queued_jobs(folder)):
            self.tell(
                f"jobs of a Snakemake that was killed here are still in the queue: {jobs}. They "
                "take time and write the same bits as those that replace them; "
                f"`scancel {jobs}` ends them."
            )

    def wrap(self, plugin: ModuleType, executor: Any) -> None:
        """Stand between the plugin and Slurm: where it asks for states, and where it submits."""
        self.requeues = not executor.workflow.executor_settings.no_requeue
        ask, command, check = (
            plugin.query_job_status,
            plugin.get_submit_command,
            executor.check_active_jobs,
        )

        async def ask_patiently(words: str, logger: Any) -> tuple[dict[str, str], float]:
            states, seconds = await ask(words, logger)
            # Without an answer, all jobs are as they were.
            return ({}, 0.0) if states is None else (self.put_right(states), seconds)

        async def check_all(jobs: list[Any]) -> AsyncIterator[Any]:
            self.expect([job.external_jobid for job in jobs])
            answered = self._answered
            async for job in check(jobs):
                yield job
            if jobs and self._answered == answered:
                self.miss_answer()
            if self.forgotten_after is not None:
                most = max(1, self.forgotten_after // 3)
                waits = executor.next_seconds_between_status_checks
                executor.next_seconds_between_status_checks = min(waits, most)

        def command_when_accepted(*arguments: Any, **settings: Any) -> str:
            call = command(*arguments, **settings)
            self.wait_until_accepted(call)
            return call

        plugin.query_job_status = ask_patiently
        plugin.get_submit_command = command_when_accepted
        executor.check_active_jobs = check_all

    def expect(self, jobs: Collection[str]) -> None:
        """Note which jobs have been submitted and have not ended."""
        now = self.clock()
        self.states = {job: self.states.get(job, ("UNSEEN", now)) for job in jobs}

    def put_right(self, found: dict[str, str]) -> dict[str, str]:
        """Return job → state in a word that the plugin knows, and tell what it cannot know.

        Args:
            found: Job → state, as the queue lists it.
        """
        self._answered += 1
        if self._silent_since is not None and "silent" in self._told:
            self.tell("the queue answers again.")
        self._silent_since = None
        self._told.discard("silent")
        states = {job: state.split()[0] for job, state in found.items() if state.split()}
        stuck: dict[str, list[str]] = {}
        for job in self.states:
            state, since = self._seen(job, states.get(job, "UNLISTED"))
            long = self.clock() - since >= PATIENCE
            if state == "PREEMPTED" and (long or not self.requeues):
                self._tell_once(job, f"job {job} was preempted and does not come back: it failed.")
                states[job] = "CANCELLED"
            elif state == "UNLISTED" and long:
                self._tell_once(
                    job,
                    f"job {job} has not been listed for {_minutes(PATIENCE)}, so that nobody knows "
                    "how it ended: it counts as failed.",
                )
                states[job] = "CANCELLED"
            elif long and state not in {"RUNNING", "UNLISTED", *ENDED}:
                stuck.setdefault(state, []).append(job)
        for state, jobs in stuck.items():
            self._tell_stuck(state, [job for job in jobs if (job, state) not in self._told])
        return states

    def _seen(self, job: str, state: str) -> tuple[str, float]:
        """Return the state of a job, and since when it has been in it."""
        if self.states[job][0] != state:
            self.states[job] = (state, self.clock())
        return self.states[job]

    def _tell_stuck(self, state: str, jobs: list[str]) -> None:
        """Tell once of jobs that neither run nor end, unless they wait as any job does."""
        reasons: dict[str, list[str]] = {}
        for job in jobs:
            reason = _run("squeue", "--noheader", "--format=%r", "--jobs", job).stdout.strip()
            if state != "PENDING" or not ORDINARY.fullmatch(reason or "None"):
                reasons.setdefault(reason, []).append(job)
                self._told.add((job, state))
        for reason, alike in reasons.items():
            one = len(alike) == 1
            who = (
                f"job {alike[0]} neither runs nor ends"
                if one
                else (f"jobs {' '.join(alike)} neither run nor end")
            )
            because = f" ({reason})" if reason not in {"", "None"} else ""
            self.tell(
                f"{who}: {state}{because} for "
                f"{_minutes(PATIENCE)}; `scontrol show job {alike[0]}` says more, and after "
                f"`scancel {' '.join(alike)}` Snakemake tries again."
            )

    def miss_answer(self) -> None:
        """Note that the queue has not answered, and tell once that it does not for long."""
        if self._silent_since is None:
            self._silent_since = self.clock()
        if self.clock() - self._silent_since >= PATIENCE:
            self._tell_once(
                "silent",
                f"the queue has not answered for {_minutes(PATIENCE)}; jobs that run go on, and "
                "Snakemake waits.",
            )

    def wait_until_accepted(self, call: str) -> None:
        """Return once Slurm would accept a job, or refuses it for good, or patience has ended.

        Args:
            call: Shell words that begin with ``sbatch``, without what is to be run.
        """
        begun, test = self.clock(), call.replace("sbatch", "sbatch --test-only", 1)
        while True:
            done = _run("sh", "-c", f"{test} --wrap true")
            problem = _in_line(done.stderr)
            if not done.returncode or not PASSING.search(problem):
                break
            if self.clock() - begun >= PATIENCE:
                break
            self._tell_once("refused", f"sbatch fails for now and is tried again: {problem}")
            time.sleep(min(PAUSE, PATIENCE))
        if not done.returncode:
            self._told.discard("refused")

    def _tell_once(self, what: object, sentence: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.tell(sentence)


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command, which fails if it is missing or takes more than a minute."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))


def _in_line(text: str) -> str:
    return " ".join(text.split()) or "nothing."


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.3g} minutes"
