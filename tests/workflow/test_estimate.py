"""Costs of whole studies against facts, and what follows from limits."""

import dataclasses
import re
import time
from collections import Counter
from functools import cache
from math import prod
from pathlib import Path

import pytest
import yaml
from costs import FLOAT, kept_of, sized
from estimate import (
    Estimate,
    Resources,
    headline,
    impossible,
    table,
    told_gpu_rates,
    totals,
)
from planning import read_study
from rates import CORE, GPU, GpuRates, Rates
from schema import settings_of

from generalization.regions.crossing_costs import are_layers_followed, is_curvature_followed

DAYS = 86400
# A core on which products are slow, and all else takes no time.
EIGHT_GIGAFLOPS = Rates(flops=8.2e9, numbers=1e15, call=0.0)


def estimate_of(name, rates=CORE, **limits):
    return Estimate(dataclasses.replace(study_of(name), limits=limits_of(**limits)), rates)


@cache
def study_of(name):
    return read_study(yaml.safe_load(Path(f"config/{name}.yaml").read_text()))


def limits_of(**limits):
    return settings_of("limits") | limits


@cache
def training_of(name, rates=CORE):
    return totals(estimate_of(name, rates))["train_ensemble"]


@pytest.mark.parametrize(
    ("study", "flops"), [("novak_large", 8.4e20), ("novak_small", 7.2e19)], ids=str
)
def test_flops_of_training_are_those_that_were_counted_by_hand(study, flops):
    assert training_of(study).flops == pytest.approx(flops, rel=0.2)


def test_forty_one_days_of_a_gpu_train_the_small_experiment():
    days = training_of("novak_small").flops / 20e12 / DAYS
    assert days == pytest.approx(41, rel=0.2)


def test_networks_of_the_large_experiment_take_3_5_terabytes_per_kept_step():
    study = study_of("novak_large")
    ensembles = [sized(one) for one in study.ensembles.values()]
    ends = sum(FLOAT * one.size.stored * study.seeds for one in ensembles)
    assert ends == pytest.approx(3.5e12, rel=0.2)
    assert {kept_of(one) for one in ensembles} == {2}
    assert training_of("novak_large").disk == pytest.approx(2 * ends)


def test_the_longest_training_of_trajectories_takes_eight_days_at_eight_gigaflops():
    assert training_of("novak_trajectories", EIGHT_GIGAFLOPS).longest == pytest.approx(
        8 * 24, rel=0.2
    )


def test_estimates_during_training_need_forty_core_minutes():
    # At the rates of a core that uses AVX-512.
    # Without the augmentation of the study, which the fact knows nothing of.
    rates, study = Rates(flops=2e11, numbers=2.5e10, call=3e-6), study_of("daroczy_training")
    plain = {
        name: dataclasses.replace(one, augmentation="none") for name, one in study.ensembles.items()
    }
    estimate = Estimate(dataclasses.replace(study, ensembles=plain, limits=limits_of()), rates)
    total = totals(estimate)["train_ensemble"]
    assert total.core_hours * 60 == pytest.approx(40, rel=0.2)


def test_reduced_layers_during_training_take_less_than_an_hour_on_two_cores():
    found = totals(estimate_of("svcca_reduced"))
    assert found["total"].core_hours < 2
    # Channels averaged over positions are compared, not units of feature maps.
    assert found["compare_representations"].core_hours < 0.2


def test_only_first_and_last_of_the_kept_steps_are_compared_between_seeds():
    study = study_of("svcca_reduced")
    name = next(iter(study.ensembles))
    fewer = dataclasses.replace(study.ensembles[name], kept_steps=(0, 64))
    job = "compare_representations", name, 2, "svcca/between_seeds"
    assert (
        Estimate(study, CORE).job(*job).seconds
        == Estimate(dataclasses.replace(study, ensembles={name: fewer}), CORE).job(*job).seconds
    )


def test_jobs_and_networks_are_those_of_the_study():
    estimate = estimate_of("study")
    found = totals(estimate)
    assert found["train_ensemble"].jobs == found["measure_networks"].jobs == 32
    assert found["total"].jobs == sum(one.jobs for name, one in found.items() if name != "total")
    assert "128 networks" in headline(estimate)
    assert [line.split()[0] for line in table(estimate)] == ["rule", *found]


def test_a_network_alone_is_compared_with_none():
    study = study_of("study")
    jobs = [totals(Estimate(one, CORE)) for one in (study, dataclasses.replace(study, seeds=1))]
    assert jobs[0]["compare_representations"].jobs == 32
    assert "compare_representations" not in jobs[1]


def test_ten_thousand_networks_are_estimated_in_a_second():
    estimate, begin = estimate_of("novak_small"), time.process_time()
    assert prod([estimate.study.seeds, len(estimate.study.ensembles)]) == 9_216
    headline(estimate)
    assert time.process_time() - begin < 2


def test_every_job_of_a_dry_run_asks_for_numbers(new_study):
    changes = {"profiles": {"points": {}}, "similarities": {"svcca": {}}, "seeds": 2}
    new_study.configure(**changes, ensemble_measures={"disagreement": {}})
    for file in new_study.path.glob("workflow/rules/*.smk"):
        # Snakemake prints a message in place of resources.
        text = re.sub(r"\n +message:\n(?: +f?\".*\n)+", "\n", file.read_text())
        file.write_text(text)
    # A core on which the two deeper networks train for longer than an hour, and so in two jobs.
    limits = ["limits={hours: 1, memory_gb: 2}", "rates={flops: 1000000}"]
    done = new_study.snakemake("--dry-run", "--config", *limits)
    text = done.stdout + done.stderr
    asked = re.findall(r"^rule (\w+):(?:\n .*)*?\n    resources: (.*)", text, re.MULTILINE)
    assert Counter(rule for rule, _ in asked)["train_ensemble"] == 3
    cluster = {rule: about for rule, about in asked if "mem_mb" in about}
    assert set(cluster) == {
        "prepare_dataset",
        "train_ensemble",
        "record_activations",
        "measure_networks",
        "measure_networks_alone",
        "measure_pairs",
        "profile_networks",
        "compare_representations",
    }
    for rule, about in cluster.items():
        found = {key: int(re.search(rf"\b{key}=(\d+)", about)[1]) for key in Resources._fields[:2]}
        assert 700 < found["mem_mb"] <= 2000, rule
        assert 10 < found["runtime"] <= 60, rule
        assert "gpu=0" in about, rule


def test_loops_of_all_convolutional_networks_of_the_league_are_followed_exactly():
    for one in study_of("league_convolutional").ensembles.values():
        layers, about = sized(one).size.followed, sized(one).about
        most_work = settings_of("transitions")["most_work"]
        assert are_layers_followed(layers, about.width, most_work)
        most_work = settings_of("curvature")["most_work"]
        loops = layers, about.width, about.classes, most_work
        assert is_curvature_followed(*loops, convolves=True)


def test_another_attempt_asks_for_more_within_the_limits():
    estimate = estimate_of("novak_small", hours=24, memory_gb=20, gpus=1)
    ensemble = next(iter(estimate.study.ensembles))
    job = {"ensemble": ensemble, "block": "seeds-1-8"}
    first, second, third = (estimate.asked("train_ensemble", job, n) for n in (1, 2, 3))
    assert (second.mem_mb, second.runtime) == (2 * first.mem_mb, 2 * first.runtime)
    assert (third.mem_mb, third.runtime, third.gpu) == (3 * first.mem_mb, 3 * first.runtime, 1)
    most = estimate.asked("train_ensemble", job, 100)
    assert (most.mem_mb, most.runtime) == (20_000, 24 * 60)


def test_one_key_asks_for_gpus_where_they_are_faster():
    plain, asking = (estimate_of("novak_small", gpus=gpus) for gpus in (0, 1))
    assert totals(plain)["total"].gpu_hours == 0
    assert totals(asking)["train_ensemble"].core_hours == 0
    small = estimate_of("smoke", gpus=1)
    assert totals(small)["total"].gpu_hours == 0


def test_hours_of_a_gpu_are_those_of_its_rates_and_the_estimate_says_whose():
    limits = {"gpus": 1}
    assumed = estimate_of("novak_small", **limits)
    twice = GPU._replace(flops=2 * GPU.flops, numbers=2 * GPU.numbers, call=GPU.call / 2)
    measured = dataclasses.replace(assumed, gpu=GpuRates(twice, "measured on a GPU"), _jobs={})
    hours = [totals(one)["train_ensemble"].gpu_hours for one in (assumed, measured)]
    assert hours[1] == pytest.approx(hours[0] / 2)
    assert " GPU-days (assumed: no GPU was measured), " in headline(assumed)
    assert " GPU-days (measured on a GPU), " in headline(measured)
    assert told_gpu_rates(assumed) == (
        "Rates of a GPU are assumed: no GPU was measured; 20 TFLOP/s of matrix products."
    )
    plain = estimate_of("novak_small")
    assert "GPU" not in headline(plain)
    gpu_days = sum(job.gpu_seconds for *_, job, _ in plain.jobs() if job.profits) / 86400
    assert f" With limits.gpus: 1, {gpu_days:.2g} GPU-days would take" in told_gpu_rates(plain)


def test_blocks_are_as_large_as_the_limits_allow():
    assert estimate_of("novak_trajectories").most_seeds == {}
    hours, memory = (
        estimate_of("novak_trajectories", EIGHT_GIGAFLOPS, hours=24),
        estimate_of("novak_small", memory_gb=20),
    )
    assert set(hours.most_seeds.values()) == {1, 2, 4, 8}
    assert 1 in memory.most_seeds.values()
    for estimate in (hours, memory):
        for rule, ensemble, job, asked in estimate.jobs():
            seeds = estimate.most_seeds.get(ensemble, estimate.study.seeds)
            if rule == "train_ensemble" and seeds > 1:
                assert asked.runtime <= 60 * (estimate.limits["hours"] or asked.runtime)
                assert 1.5 * job.memory <= 1e9 * (estimate.limits["memory_gb"] or job.memory)


@pytest.mark.parametrize(
    ("study", "limits", "problem"),
    [
        ("study", {}, None),
        ("study", {"hours": 1, "memory_gb": 4, "disk_gb": 1}, None),
        ("novak_small", {"hours": 24, "memory_gb": 64, "gpus": 1}, None),
        (
            "novak_small",
            {"hours": 24},
            "limits.hours must be at least 435 for train_ensemble of one network of "
            "cifar100-77d41af7 (width 3000, depth 20), not 24; limits.gpus: 1 would do, with "
            "1.1 GPU-hours.",
        ),
        (
            "novak_boundaries",
            {"hours": 2, "threads": 1},
            "limits.hours must be at least 5 for train_ensemble of one network of "
            "mnist-35e5934f (width 300, depth 15), not 2; limits.gpus: 1 would do, with 6.3 "
            "GPU-minutes.",
        ),
        (
            "novak_small",
            {"memory_gb": 2},
            "limits.memory_gb must be at least 16 for measure_networks of one network of "
            "cifar100-ab3db606 (width 3000, depth 20), not 2; smaller networks would do.",
        ),
        (
            "novak_small",
            {"hours": 24, "memory_gb": 2},
            "limits.hours must be at least 435 for train_ensemble of one network of "
            "cifar100-77d41af7 (width 3000, depth 20), not 24; limits.gpus: 1 would do, with "
            "1.1 GPU-hours, and limits.memory_gb: 16.",
        ),
        ("novak_small", {"hours": 24, "memory_gb": 16, "gpus": 1}, None),
        (
            "study",
            {"disk_gb": 0.1},
            "limits.disk_gb must be at least 1 for study, not 0.1; fewer seeds, or fewer "
            "kept_steps, would do.",
        ),
    ],
)
def test_a_study_that_cannot_end_is_told_with_what_would_do(study, limits, problem):
    assert impossible(estimate_of(study, **limits)) == problem


def test_training_that_resumes_has_the_time_of_all_attempts():
    estimate = estimate_of("novak_boundaries", hours=2)
    assert impossible(estimate) is not None
    assert impossible(estimate, attempts=3) is None


def test_the_documented_split_by_one_key_is_what_is_planned():
    page = Path("docs/cluster.md").read_text()
    rows = re.findall(
        r"^\| (null|[\d.]+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \|$", page, re.MULTILINE
    )
    assert len(rows) == 2
    for hours, *documented in rows:
        estimate = estimate_of("league", hours=yaml.safe_load(hours))
        total = totals(estimate)
        trained = total["train_ensemble"]
        numbers = [f"{trained.jobs:,}", f"{total['total'].jobs:,}", f"{trained.longest:.1f}"]
        assert numbers == documented, hours
        assert impossible(estimate) is None
    blocks = [yaml.safe_load(block.split("```")[0]) for block in page.split("```yaml\n")[1:]]
    assert {"limits": {"hours": 1}} in blocks
