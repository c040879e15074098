"""Which jobs are submitted together, and what they ask for."""

import dataclasses
import subprocess
import time
from collections import defaultdict
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from estimate import MARGIN, Estimate
from planning import read_study
from rates import CORE
from schema import settings_of
from snakemake.settings.types import SharedFSUsage
from submissions import (
    MOST_JOBS,
    Submissions,
    _command,
    are_submitted,
)

ALL_SHARED = SharedFSUsage.all()


def submitted(*, deployment_method=(), shared_fs_usage=ALL_SHARED, to_cluster=True):
    """Snakemake's workflow whose jobs are submitted."""
    return SimpleNamespace(
        non_local_exec=to_cluster,
        storage_settings=SimpleNamespace(shared_fs_usage=shared_fs_usage),
        deployment_settings=SimpleNamespace(deployment_method=deployment_method),
    )


SUBMITTED, LOCAL = submitted(), submitted(to_cluster=False)


@cache
def study_of(name):
    return read_study(yaml.safe_load(Path(f"config/{name}.yaml").read_text()))


def submissions_of(name, workflow=SUBMITTED, device="cpu", **limits):
    study = dataclasses.replace(
        study_of(name), limits=settings_of("limits") | limits, device=device
    )
    workflow.parent_groupids = {}
    return Submissions(Estimate(study, CORE), workflow)


def jobs_of(submissions):
    """Group → expected seconds of its jobs; those that are submitted alone are of none."""
    estimate, found = submissions.estimate, defaultdict(list)
    seeds = estimate.study.seeds
    for ensemble in estimate.study.ensembles:
        for rule, _, file in estimate.of_ensemble(ensemble):
            wildcards = {"ensemble": ensemble, "block": f"seeds-1-{seeds}"}
            similarity, _, pairs = file.partition("/")
            wildcards |= {"similarity": similarity, "pairs": pairs} if pairs else {"measure": file}
            group = submissions.of(rule, wildcards, last=rule == "compare_representations")
            found[group].append(estimate.job(rule, ensemble, seeds, file).seconds)
    return found


@pytest.mark.parametrize("study", ["study", "league_reduced", "league", "novak_large"])
def test_submissions_are_of_bounded_length(study):
    submissions = submissions_of(study)
    jobs = jobs_of(submissions)
    assert all(seconds > submissions.seconds for seconds in jobs.pop(None, []))
    assert all(len(seconds) <= MOST_JOBS for seconds in jobs.values())
    lengths = [sum(seconds) / submissions.seconds for seconds in jobs.values()]
    assert max(lengths) <= 1
    assert sum(lengths) / len(lengths) > 0.25


def test_the_default_study_is_a_handful_of_submissions():
    jobs = jobs_of(submissions_of("study"))
    assert None not in jobs
    assert sum(map(len, jobs.values())) > 60
    assert len(jobs) <= 3


def test_comparisons_are_with_the_other_jobs_of_their_ensemble_only_if_none_of_these_is_alone():
    whole, torn = submissions_of("study"), submissions_of("study")
    ensemble = next(iter(whole.places))
    torn.places[ensemble] = torn.places[ensemble]._replace(whole=False)
    wildcards = {"ensemble": ensemble, "block": "seeds-1-2", "pairs": "between_seeds"}
    wildcards["similarity"] = next(iter(whole.estimate.study.similarities))
    groups = [one.of("compare_representations", wildcards, last=True) for one in (whole, torn)]
    assert groups == ["together-0", "together-0-last"]
    assert whole.of("train_ensemble", wildcards, last=False) == "together-0"


class Executor:
    """An executor of which the command of a job is that it is Snakemake's."""

    def __init__(self, folder):
        self.tmpdir = folder

    def format_job_exec(self, job):
        return "snakemake"


class Job(SimpleNamespace):
    """A job that writes words to a file."""

    input, log, message, threads = (), (), "Write.", 2

    def is_group(self):
        return False


class Group(list):
    groupid = "together-3"

    @property
    def jobid(self):
        return "-".join(job.output[0].replace("/", "_") for job in self)

    def is_group(self):
        return True


def run(folder, *jobs):
    """Run jobs as their submission does."""
    command = _command(Executor(folder), Group(jobs))
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False)


def test_a_long_job_is_run_by_snakemake():
    other = Group()
    other.groupid = "of_the_user"
    assert {_command(Executor(""), job) for job in (Job(), other)} == {"snakemake"}


def test_jobs_of_a_submission_are_run_in_order_in_the_folder_of_the_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = Job(shellcmd="echo $OMP_NUM_THREADS > a_one", output=["a_one"], log=["b/log"])
    second = Job(shellcmd="cat a_one a_one > a/two; test -d b", output=["a/two"], input=["a_one"])
    done = run(tmp_path, first, second)
    assert done.returncode == 0
    assert Path("a/two").read_text() == "2\n2\n"
    assert "1 of 2: Write." in done.stderr


@pytest.mark.parametrize(("jobs", "shared"), [(1, "alone\n"), (2, "1\n")])
def test_jobs_share_a_server_if_there_are_several(jobs, shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GENERALIZATION_TOGETHER", raising=False)
    command = "echo ${GENERALIZATION_TOGETHER:-alone} > "
    files = [f"file{number}" for number in range(jobs)]
    run(tmp_path, *(Job(shellcmd=command + file, output=[file]) for file in files))
    assert [Path(file).read_text() for file in files] == [shared] * jobs


def test_what_needs_a_job_that_failed_is_not_run_and_all_else_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failing = Job(shellcmd="touch one; false; true", output=["one"])
    needing = Job(shellcmd="touch two", output=["two"], input=["one"])
    silent = Job(shellcmd="true", output=["three"])
    other = Job(shellcmd="touch four", output=["four"])
    begun = time.monotonic()
    done = run(tmp_path, failing, needing, silent, other)
    assert done.returncode == 1
    assert {one.name for one in tmp_path.iterdir()} == {"four", "one-two-three-four.json"}
    assert "it ended with status 1, and wrote 1 of 1 files" in done.stderr
    assert "its input one is missing" in done.stderr
    assert "it ended with status 0, and wrote 0 of 1 files" in done.stderr
    assert time.monotonic() - begun < 10  # Nobody waits for what will not be there.


def test_submissions_of_one_group_do_not_run_each_others_jobs(tmp_path, monkeypatch):
    """As after a failure, when what has not ended is submitted again, each job by itself."""
    monkeypatch.chdir(tmp_path)
    jobs = [Job(shellcmd=f"touch {name}", output=[name]) for name in ("one", "two")]
    commands = [_command(Executor(tmp_path), Group([job])) for job in jobs]
    subprocess.run(commands[0], shell=True, check=True)
    assert Path("one").exists()
    assert not Path("two").exists()


def test_every_job_is_alone_where_snakemake_runs_them_elsewhere():
    for apart in ({"deployment_method": {"conda"}}, {"shared_fs_usage": {SharedFSUsage.SOURCES}}):
        assert set(jobs_of(submissions_of("study", submitted(**apart)))) == {None}


def test_more_minutes_make_fewer_submissions():
    counts = [
        len(jobs_of(submissions_of("league_reduced", together_minutes=m))) for m in (2, 5, 20)
    ]
    assert counts[0] > counts[1] > counts[2] > 1


@pytest.mark.parametrize(
    "submissions",
    [submissions_of("study", together_minutes=0), submissions_of("study", LOCAL)],
    ids=["0 minutes", "nothing is submitted"],
)
def test_every_job_is_alone_where_none_is_to_travel_together(submissions):
    assert set(jobs_of(submissions)) == {None}


def test_jobs_on_a_gpu_share_submissions_only_where_all_have_one():
    mixed, same = (submissions_of("novak_small", device=d, gpus=1) for d in ("auto", "cuda"))
    ensemble = next(iter(mixed.estimate.study.ensembles))
    job = mixed.estimate.job("train_ensemble", ensemble, 8)
    assert mixed.estimate.on_gpu(job)
    assert not mixed.is_short(job._replace(gpu_seconds=1))
    assert same.is_short(job._replace(gpu_seconds=1))
    assert not same.is_short(job._replace(gpu_seconds=1000))


def test_a_submission_asks_for_the_time_of_all_its_jobs_and_for_ten_minutes_once():
    submissions = submissions_of("study")
    one, *_ = submissions.estimate.study.ensembles
    wildcards = {"ensemble": one, "block": "seeds-1-4"}
    train = SimpleNamespace(rule=SimpleNamespace(name="train_ensemble"), wildcards_dict=wildcards)
    seconds = submissions.estimate.job("train_ensemble", one, 4).seconds

    class Group(list):
        attempt = 2

    jobs = Group([train] * 30)
    assert submissions.minutes(jobs) == pytest.approx(2 * (10 + MARGIN * 30 * seconds / 60), abs=2)
    limited = submissions_of("study", hours=0.25)
    assert limited.minutes(jobs) == 15


def test_comparisons_of_ensembles_are_divided_into_as_many_parts_as_they_need():
    submissions = submissions_of("svcca_reduced")
    ensembles = list(submissions.estimate.study.ensembles)
    file = submissions.estimate.study.similarity_file("svcca")
    seeds = submissions.estimate.study.seeds
    found = defaultdict(float)
    for ensemble in ensembles:
        for other in ensembles:
            wildcards = {"ensemble": ensemble, "block": f"seeds-1-{seeds}", "other": other}
            wildcards |= {"other_block": f"seeds-1-{seeds}", "similarity": file}
            wildcards["pairs"] = "between_ensembles"
            group = submissions.of("compare_representations", wildcards, last=True)
            found[group] += submissions.estimate.job_of(
                "compare_representations", wildcards
            ).seconds
    assert max(found.values()) < 2.5 * submissions.seconds


def test_submissions_end_within_the_limit_of_a_job():
    submissions = submissions_of("study", hours=0.05)
    jobs = jobs_of(submissions)
    assert submissions.seconds == pytest.approx(3600 * 0.05 / MARGIN)
    jobs.pop(None, None)
    assert max(sum(seconds) for seconds in jobs.values()) <= submissions.seconds
    # What needs several cores to end in time is submitted alone.
    needs = submissions.estimate.job("train_ensemble", next(iter(submissions.places)), 4)
    needs = needs._replace(seconds=1.01 * submissions.seconds)
    assert not submissions.is_short(needs)


def test_whether_jobs_are_submitted_is_known_from_the_command(capsys):
    assert are_submitted(["--profile", "slurm", "-n"])
    assert are_submitted(["--executor", "slurm", "--jobs", "3", "all"])
    assert not are_submitted(["--cores", "2", "--workflow-profile", "workflow/profiles/local"])
    assert not are_submitted(["what", "another", "--program", "is given"])
    assert capsys.readouterr().err == ""
