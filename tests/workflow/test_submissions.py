"""Which jobs are submitted together, and what they ask for."""

import dataclasses
from collections import defaultdict
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as slurm
import yaml
from estimate import MARGIN, Estimate
from planning import read_study
from rates import CORE
from schema import settings_of
from submissions import (
    JOB_STEP,
    MOST_JOBS,
    NO_JOB_STEP,
    Submissions,
    _command,
    are_submitted,
)

SUBMITTED = SimpleNamespace(non_local_exec=True)
LOCAL = SimpleNamespace(non_local_exec=False)
STEPS = SimpleNamespace(executor_settings=SimpleNamespace(pass_command_as_script=False))


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


def test_a_group_is_run_by_the_snakemake_of_its_submission_and_a_long_job_in_a_step():
    said = f"python -m snakemake {JOB_STEP} --mode remote"

    class Group(list):
        def is_group(self):
            return True

    assert _command(lambda job: said, Group("ab")) == said.replace(JOB_STEP, NO_JOB_STEP)
    assert _command(lambda job: said, Group("a")) == said
    assert slurm.Executor.additional_general_args(SimpleNamespace(workflow=STEPS)) == JOB_STEP


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
