"""Costs of whole studies against facts, and what follows from limits."""

import time
from math import prod
from pathlib import Path

import pytest
import yaml
from costs import FLOAT, kept_of, size_of
from estimate import Estimate, headline, table, totals
from planning import read_study
from rates import CORE, Rates

DAYS = 86400
# A core on which products are slow, and all else takes no time.
EIGHT_GIGAFLOPS = Rates(flops=8.2e9, numbers=1e15, call=0.0)


def estimate_of(name, rates=CORE, **changes):
    config = yaml.safe_load(Path(f"config/{name}.yaml").read_text())
    return Estimate(read_study(config | changes), rates)


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
    study = estimate_of("novak_large").study
    ends = sum(FLOAT * size_of(one).stored * study.seeds for one in study.ensembles.values())
    assert ends == pytest.approx(3.5e12, rel=0.2)
    assert {kept_of(one) for one in study.ensembles.values()} == {2}
    assert totals(estimate_of("novak_large"))["train_ensemble"].disk == pytest.approx(2 * ends)


def test_the_longest_training_of_trajectories_takes_eight_days_at_eight_gigaflops():
    assert training_of("novak_trajectories", EIGHT_GIGAFLOPS).longest == pytest.approx(
        8 * 24, rel=0.2
    )


def test_estimates_during_training_need_forty_core_minutes():
    # At the rates of a core that uses AVX-512.
    total = training_of("daroczy_training", Rates(flops=2e11, numbers=2.5e10, call=3e-6))
    assert total.core_hours * 60 == pytest.approx(40, rel=0.2)


def test_jobs_and_networks_are_those_of_the_study():
    estimate = estimate_of("study")
    found = totals(estimate)
    assert found["train_ensemble"].jobs == found["measure_networks"].jobs == 32
    assert found["total"].jobs == sum(one.jobs for name, one in found.items() if name != "total")
    assert "128 networks" in headline(estimate)
    assert [line.split()[0] for line in table(estimate)] == ["rule", *found]


def test_ten_thousand_networks_are_estimated_in_a_second():
    estimate, begin = estimate_of("novak_small"), time.process_time()
    assert prod([estimate.study.seeds, len(estimate.study.ensembles)]) == 9_216
    headline(estimate)
    assert time.process_time() - begin < 2
