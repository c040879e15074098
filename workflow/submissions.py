"""Submissions to a cluster that run many short jobs, one after the other.

Snakemake submits the jobs of a group as one. Here short jobs of some ensembles are a group, whose
expected length has a limit. Snakemake's own way with groups is changed in three respects, on which
users of a cluster depend:

* Jobs of a group run one after the other, so that the group asks for the time of all and for the
  memory of the largest. Snakemake would run them at once, and ask for the memory of all.
* If a job fails, those that have ended keep their files, and the others are submitted again, each
  by itself. Snakemake would delete the files of all, and submit the same group again.
* A light program (``run_submission.py``) runs the jobs. Snakemake would start a Snakemake in the
  submission, and by ``srun`` another one, each of which takes as long to start as some jobs do.

Snakemakes that do this elsewhere submit every job by itself; so does one that gives its jobs an
environment of their own, or has no file system in common with them.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cached_property, partial
from io import StringIO
from math import ceil, inf, prod
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import snakemake.api
from estimate import MARGIN, Estimate, Job, computed_file
from snakemake.cli import parse_args
from snakemake.iocontainers import ResourceList
from snakemake.jobs import GroupJob
from snakemake.logging import logger
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.types import SharedFSUsage
from snakemake.shell import shell

DAG = snakemake.dag.DAG  # Its module imports others that import it, unless the first is `api`.
TOGETHER = "together"
MOST_JOBS = 200  # The command of a submission names all of its jobs.
ALL = 10**9
NEEDED = (DAG, "update_groups"), (JobScheduler, "_handle_error"), (shell, "_get_process_prefix")
KNOWN = all(hasattr(place, name) for place, name in NEEDED)
UPDATE_GROUPS = getattr(DAG, "update_groups", None)
START, RUN = JobScheduler.__init__, JobScheduler.run
HANDLE_ERROR = getattr(JobScheduler, "_handle_error", None)
RUNNER = Path(__file__).with_name("run_submission.py")


class Place(NamedTuple):
    """Where the short jobs of an ensemble are.

    Attributes:
        number: Number of their submission.
        parts: (rule, file) → part, of an ensemble that is too long for one submission, which has
            several by itself.
        whole: Whether all jobs of the ensemble may be in this one submission.
    """

    number: int
    parts: dict[tuple[str, str], int]
    whole: bool


@dataclass(frozen=True)
class Submissions:
    """Which short jobs are submitted together.

    Attributes:
        estimate: Costs of the jobs.
        workflow: Snakemake's.
    """

    estimate: Estimate
    workflow: Any

    @cached_property
    def are_possible(self) -> bool:
        """Whether jobs are submitted, and run as this process would run them."""
        workflow = self.workflow
        shared = SharedFSUsage.all() <= set(workflow.storage_settings.shared_fs_usage)
        deployed = workflow.deployment_settings.deployment_method
        return KNOWN and workflow.non_local_exec and shared and not deployed

    @property
    def seconds(self) -> float:
        """Expected length of a submission, with the margin of a job below the limit of time."""
        limits = self.estimate.limits
        return min(60 * limits["together_minutes"], 3600 * (limits["hours"] or inf) / MARGIN)

    def of(self, rule: str, wildcards: Mapping[str, str], *, last: bool) -> str | None:
        """Return the group of a short job, a dataset's being its own; none of a long one.

        Args:
            rule: Name of its rule.
            wildcards: Its wildcards.
            last: Whether it reads what other jobs than trainings have written. Then it is in a
                group of its own kind unless all jobs of the ensemble may be in one: a job that is
                submitted alone may lie between, and a group that needs a job that needs the group
                could not run.
        """
        if not (self.are_possible and self.seconds):
            return None
        if not self.is_short(self.estimate.job_of(rule, wildcards)):
            return None
        if "ensemble" not in wildcards:
            return f"{TOGETHER}-{wildcards['dataset']}"
        place = self.places[wildcards["ensemble"]]
        between = wildcards.get("pairs") == "between_ensembles"
        last = last and (between or not place.whole)
        name = f"{TOGETHER}-{place.number}{'-last' * last}"
        if between:
            name = f"{name}-{self._compared(rule, wildcards)}"
        elif part := place.parts.get((rule, computed_file(wildcards))):
            name = f"{name}-{part}"
        self.workflow.parent_groupids[name] = TOGETHER
        return name

    def _compared(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return which part of the comparisons with ensembles of a submission a job is in."""
        places = [self.places[wildcards[key]].number for key in ("ensemble", "other")]
        expected = self._expected(self.estimate.job_of(rule, wildcards))
        most = min(self.seconds / expected, MOST_JOBS)
        parts = ceil(prod(self._members[place] for place in places) / most)
        return f"{places[1]}-{crc32(' '.join(sorted(wildcards.values())).encode()) % parts}"

    def is_short(self, job: Job) -> bool:
        """Return whether a job shares a submission; where some jobs have a GPU, these do not."""
        if self.estimate.on_gpu(job):
            return self.estimate.study.device == "cuda" and job.gpu_seconds <= self.seconds
        return job.seconds <= self.seconds

    @cached_property
    def places(self) -> dict[str, Place]:
        """Ensemble → where its short jobs are."""
        study, found, number, seconds, jobs = self.estimate.study, {}, 0, 0.0, 0
        for ensemble in study.ensembles:
            each = {
                (rule, file): self.estimate.job(rule, ensemble, study.seeds, file)
                for rule, _, file in self.estimate.of_ensemble(ensemble)
            }
            short = {one: self._expected(job) for one, job in each.items() if self.is_short(job)}
            length = sum(short.values())
            if jobs and (seconds + length > self.seconds or jobs + len(short) > MOST_JOBS):
                number, seconds, jobs = number + 1, 0.0, 0
            seconds, jobs = seconds + length, jobs + len(short)
            parts = self._parts(short)
            # A record that is deleted once it is read must outlive its submission, whose jobs would
            # else seem not to have ended.
            whole = not parts and len(short) == len(each) and "noise_clouds" not in study.profiles
            found[ensemble] = Place(number, parts, whole)
        return found

    def _parts(self, short: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], int]:
        """Divide the jobs of an ensemble, the first of which is its training if that is short."""
        found, part, seconds, jobs = {}, 0, 0.0, 0
        for job, expected in short.items():
            if jobs and (seconds + expected > self.seconds or jobs == MOST_JOBS):
                part, seconds, jobs = part + 1, 0.0, 0
            seconds, jobs = seconds + expected, jobs + 1
            found[job] = part
        return found if part else {}

    @cached_property
    def _members(self) -> Counter[int]:
        """Number of a submission → of its ensembles."""
        return Counter(place.number for place in self.places.values())

    def minutes(self, group: GroupJob) -> int:
        """Return the time that a group asks for."""
        jobs = [self.estimate.job_of(job.rule.name, job.wildcards_dict) for job in group]
        minutes = ceil(10 + MARGIN * sum(map(self._expected, jobs)) / 60) * group.attempt
        hours = self.estimate.limits["hours"]
        return minutes if hours is None else min(minutes, ceil(60 * hours))

    def _expected(self, job: Job) -> float:
        return job.gpu_seconds if self.estimate.on_gpu(job) else job.seconds


def are_submitted(arguments: Sequence[str]) -> bool:
    """Return whether the jobs of a command of Snakemake are submitted.

    Snakemake itself knows its executor only when it has read all rules. A command that is not one
    of Snakemake, such as that of a program that uses it, submits nothing.
    """
    try:
        with redirect_stderr(StringIO()):
            _, given = parse_args(arguments)
    except SystemExit:
        return False
    return given.executor not in {None, "local", "dryrun", "touch"}


def submit_short_jobs_together(workflow: Any, estimate: Estimate) -> Submissions:
    """Let Snakemake submit short jobs of some ensembles as one.

    Args:
        workflow: Snakemake's. Whether it submits jobs at all is known when it has read all rules.
        estimate: Costs of the jobs.

    Returns:
        The groups of jobs.
    """
    submissions = Submissions(estimate, workflow)
    if KNOWN and not workflow.remote_exec:
        JobScheduler.run, JobScheduler._handle_error = _run, _handle_error
    if KNOWN:
        JobScheduler.__init__ = _start
        DAG.update_groups = _update_groups
        GroupJob.resources = property(lambda group: _one_after_the_other(group, submissions))
        GroupJob.log_error = _log_unfinished
        GroupJob.__eq__ = _are_equal
    return submissions


def _start(scheduler: JobScheduler, workflow: Any, *given: Any, **named: Any) -> None:
    """Start a scheduler, which lets submissions be run by a light program."""
    START(scheduler, workflow, *given, **named)
    if workflow.non_local_exec and not workflow.remote_exec:
        executor = scheduler._executor
        executor.format_job_exec = partial(_command, executor)


def _command(executor: Any, job: Any) -> str:
    """Return the command of a submission; of short jobs, write down what there is to run."""
    if not (job.is_group() and job.groupid.startswith(TOGETHER)):
        return type(executor).format_job_exec(executor, job)
    file = Path(executor.tmpdir, f"{job.jobid}.json")
    file.write_text(json.dumps([_written(one) for one in job]))
    words = [sys.executable, "-E", str(RUNNER), str(file)]
    return f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join(words)}"


def _written(job: Any) -> dict[str, Any]:
    """Return a job as ``run_submission.py`` reads it."""
    return {
        "message": job.message or job.name,
        "command": f"{shell._get_process_prefix()}{job.shellcmd}",
        "threads": job.threads,
        **{kind: list(map(str, getattr(job, kind))) for kind in ("input", "output", "log")},
    }


def _update_groups(dag: DAG) -> None:
    """Find groups, which are one even where no job of an ensemble needs another's."""
    dag.workflow.group_settings.group_components = {TOGETHER: ALL}
    UPDATE_GROUPS(dag)


def _one_after_the_other(group: GroupJob, submissions: Submissions) -> ResourceList:
    """Return what a group asks for: the most of every resource, and the time of all jobs."""
    if group._resources is None:
        found: dict[str, set[Any]] = {}
        for job in group:
            for name, value in job.resources.items():
                found.setdefault(name, set()).add(value)
        # Words are kept where all jobs agree that have any, such as options of a partition.
        group._resources = {
            name: max(values) if all(isinstance(one, int) for one in values) else min(values)
            for name, values in found.items()
            if len(values) == 1 or all(isinstance(one, int) for one in values)
        } | {"runtime": submissions.minutes(group)}
    return ResourceList(fromdict=group._resources)


def _unfinished(group: GroupJob) -> list[Any]:
    """List the jobs of a group of which files are missing, in the order in which they run."""
    return [job for job in group if not all(Path(file).exists() for file in job.output)]


def _log_unfinished(
    group: GroupJob, msg: str | None = None, aux_logs: Sequence[str] | None = None, **said: Any
) -> None:
    """Say which jobs of a group have not ended, with their logs, and where that of all is."""
    unfinished = _unfinished(group)
    logs = f" ({', '.join(aux_logs)})" if aux_logs else ""
    jobs = f"{len(unfinished)} of the {len(group)} jobs" if len(group) > 1 else "The job"
    logger.error(
        f"{jobs} of the submission {group.groupid} did not end{logs}: {msg or 'it failed.'}"
    )
    for job in unfinished:
        job.log_error(**said)


def _are_equal(group: GroupJob, other: object) -> bool:
    """Compare groups, of which Snakemake compares one with itself for each pair of its jobs."""
    return group is other or (isinstance(other, GroupJob) and group.jobs == other.jobs)


def _run(scheduler: JobScheduler, jobs: Any, executor: Any = None) -> None:
    """Run jobs, of groups after their former files are gone: a file then means that a job ended."""
    if not scheduler.dryrun:
        for group in (job for job in jobs if job.is_group()):
            scheduler.workflow.async_run(group.remove_existing_output())
    RUN(scheduler, jobs, executor)


def _handle_error(scheduler: JobScheduler, job: Any, postprocess_job: bool = True) -> None:
    """Handle the failure of a job; of a group, keep what has ended and submit the rest singly."""
    if not job.is_group() or len(job) == 1:
        HANDLE_ERROR(scheduler, job, postprocess_job)
        return
    dag, unfinished = scheduler.workflow.dag, _unfinished(job)
    scheduler.get_executor(job).handle_job_error(job)
    scheduler.running.remove(job)
    scheduler._free_resources(job)
    dag._running.remove(job)
    for member in list(job):
        alone = GroupJob(job.groupid, frozenset([member]), job.global_resources)
        alone.finalize()
        alone.attempt = job.attempt
        dag._group[member] = alone
        if member not in unfinished:
            _end(scheduler, alone)
        elif alone.restart_times > alone.attempt - 1:
            alone.attempt += 1
            dag._n_until_ready[member] = sum(
                dag.needrun(needed) and not dag.finished(needed)
                for needed in dag.dependencies[member]
            )
            dag.update_ready([member])
        else:
            HANDLE_ERROR(scheduler, _running(scheduler, alone), postprocess_job)
    scheduler._open_jobs.release()


def _end(scheduler: JobScheduler, job: GroupJob) -> None:
    """Let a scheduler find a job that has ended."""
    scheduler._tofinish.append(_running(scheduler, job))


def _running(scheduler: JobScheduler, job: GroupJob) -> GroupJob:
    """Return a job, which the scheduler now takes for one that runs."""
    scheduler.running.add(job)
    scheduler.workflow.dag._running.add(job)
    for name, value in job.scheduler_resources.items():
        if name in scheduler.resources and name != "_job_count":
            scheduler.resources[name] -= value
    return job
