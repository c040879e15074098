"""What the plugin for Slurm is told of its jobs, and what users are told."""

import asyncio
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest
import watchdog
from watchdog import PATIENCE, Watchdog


class Queue:
    """Commands of Slurm, with the answers that a test gives them."""

    def __init__(self):
        self.time, self.told, self.answers = 0.0, [], {}
        self.watchdog = Watchdog(self.told.append, lambda: self.time)

    def run(self, *words):
        code, said, problem = self.answers[words[0]]
        return CompletedProcess(words, code, said, problem)

    def sleep(self, seconds):
        self.time += seconds

    def see(self, states, after=0.0):
        self.time += after
        self.watchdog.expect(["7"])
        return self.watchdog.put_right(states)


@pytest.fixture
def queue(monkeypatch):
    found = Queue()
    monkeypatch.setattr(watchdog, "_run", found.run)
    monkeypatch.setattr(watchdog.time, "sleep", found.sleep)
    return found


def executor_of(status_command="sacct", seconds=40):
    settings = SimpleNamespace(
        status_command=status_command, init_seconds_before_status_checks=seconds, no_requeue=True
    )
    return SimpleNamespace(
        workflow=SimpleNamespace(executor_settings=settings), _fallback_account_arg=None
    )


def configured(storage, age=300):
    return 0, f"AccountingStorageType   = {storage}\nMinJobAge               = {age} sec\n", ""


@pytest.mark.parametrize("storage", ["accounting_storage/none", "(null)"])
def test_a_cluster_without_accounting_is_asked_by_squeue(queue, storage):
    queue.answers["scontrol"] = configured(storage, age=60)
    executor = executor_of()
    assert queue.watchdog.choose_status_command(executor) is None
    settings = executor.workflow.executor_settings
    assert settings.status_command == "squeue"
    assert settings.init_seconds_before_status_checks == 20  # Else the plugin asks sacct.
    assert executor._fallback_account_arg == ""
    assert queue.told == [
        "this cluster has no accounting, so that squeue tells the states of jobs."
    ]


def test_a_cluster_with_accounting_is_asked_as_it_was(queue):
    queue.answers["scontrol"] = configured("accounting_storage/slurmdbd")
    executor = executor_of()
    assert queue.watchdog.choose_status_command(executor) is None
    assert executor.workflow.executor_settings.status_command == "sacct"
    assert queue.told == []


def test_clusters_whose_jobs_cannot_be_followed_are_refused(queue):
    queue.answers["scontrol"] = configured("accounting_storage/none", age=2)
    assert queue.watchdog.choose_status_command(executor_of()) == (
        "A cluster without accounting must list jobs that have ended for some minutes, but its "
        "MinJobAge is 2 s; ask its administrators for 300 s."
    )
    queue.answers["scontrol"] = 1, "", "Unable to contact slurm controller\n"
    assert queue.watchdog.choose_status_command(executor_of()) == (
        "Slurm must answer `scontrol show config`, but it says: Unable to contact slurm controller"
    )


def test_states_are_one_word(queue):
    assert queue.see({"7": "CANCELLED by 1000"}) == {"7": "CANCELLED"}


def test_a_preempted_job_that_does_not_come_back_has_failed(queue):
    assert queue.see({"7": "PREEMPTED"}) == {"7": "PREEMPTED"}
    assert queue.see({"7": "PREEMPTED"}, after=PATIENCE) == {"7": "CANCELLED"}
    assert queue.told == ["job 7 was preempted and does not come back: it failed."]
    queue.watchdog.requeues = False
    assert queue.see({"7": "PREEMPTED"}) == {"7": "CANCELLED"}


def test_a_job_that_is_no_longer_listed_has_failed(queue):
    assert queue.see({}) == {}
    assert queue.see({}, after=PATIENCE) == {"7": "CANCELLED"}
    assert queue.told == [
        "job 7 has not been listed for 10 minutes, so that nobody knows how it ended: it counts as "
        "failed."
    ]


def test_a_job_that_neither_runs_nor_ends_is_told_once(queue):
    queue.answers["squeue"] = 0, "JobHeldUser\n", ""
    for after in (0, PATIENCE, PATIENCE):
        assert queue.see({"7": "PENDING"}, after) == {"7": "PENDING"}
    assert queue.told == [
        "job 7 neither runs nor ends: PENDING (JobHeldUser) for 10 minutes; `scontrol show job 7` "
        "says more, and after `scancel 7` Snakemake tries again."
    ]


@pytest.mark.parametrize("reason", ["Priority", "Resources", "QOSMaxJobsPerUserLimit"])
def test_a_busy_queue_is_not_worth_a_word(queue, reason):
    queue.answers["squeue"] = 0, f"{reason}\n", ""
    queue.see({"7": "PENDING"})
    queue.see({"7": "PENDING"}, after=100 * PATIENCE)
    queue.see({"7": "RUNNING"}, after=100 * PATIENCE)
    queue.see({"7": "RUNNING"}, after=100 * PATIENCE)
    assert queue.told == []


def test_a_queue_without_answer_loses_no_job(queue):
    """As long as the controller restarts, the plugin is told that nothing has changed."""

    async def no_answer(words, logger):
        return None, None

    async def check(jobs):
        states, _ = await plugin.query_job_status("squeue", None)
        assert states == {}
        for job in jobs:
            yield job

    async def left():
        return [job async for job in executor.check_active_jobs(jobs)]

    plugin = SimpleNamespace(query_job_status=no_answer, get_submit_command=None)
    executor = executor_of()
    executor.check_active_jobs = check
    jobs = [SimpleNamespace(external_jobid="7")]
    queue.watchdog.wrap(plugin, executor)
    for _ in range(3):
        assert asyncio.run(left()) == jobs
        queue.time += PATIENCE
    assert queue.told == [
        "the queue has not answered for 10 minutes; jobs that run go on, and Snakemake waits."
    ]
    queue.see({"7": "RUNNING"})
    assert queue.told[1:] == ["the queue answers again."]


def test_submission_waits_for_a_controller_that_does_not_answer(queue, monkeypatch):
    away = 1, "", "sbatch: error: Unable to contact slurm controller\n"
    answers = iter([away, away, away, (0, "", "")])
    monkeypatch.setattr(watchdog, "_run", lambda *words: CompletedProcess(words, *next(answers)))
    queue.watchdog.wait_until_accepted("sbatch --parsable")
    assert queue.time == 3 * watchdog.PAUSE
    assert queue.told == [
        "sbatch fails for now and is tried again: sbatch: error: Unable to contact slurm controller"
    ]


def test_submission_that_is_refused_for_good_is_not_repeated(queue):
    queue.answers["sh"] = 1, "", "sbatch: error: invalid partition specified: nowhere"
    queue.watchdog.wait_until_accepted("sbatch --parsable")
    assert queue.time == 0
    assert queue.told == []
