"""Snakemake does the same no more often than it must."""

import inspect
import threading
import time
from types import SimpleNamespace

from scheduling import inspect_functions_once, one_timer_at_a_time
from snakemake import common
from snakemake.scheduling.job_scheduler import JobScheduler


def test_many_looks_lead_to_one_more_and_that_to_the_next():
    one_timer_at_a_time()
    scheduler = SimpleNamespace(_open_jobs=threading.Semaphore(0))
    for _ in range(2):
        for _ in range(20):
            JobScheduler._schedule_reevalutation(scheduler, 0.05)
        assert scheduler._open_jobs.acquire(timeout=5)
        time.sleep(0.2)
        assert not scheduler._open_jobs.acquire(blocking=False)


def test_a_function_is_inspected_once_and_the_rest_of_the_module_is_kept(monkeypatch):
    monkeypatch.setattr(common, "inspect", inspect)
    counted = []
    signature = inspect.signature
    monkeypatch.setattr(inspect, "signature", lambda one: counted.append(one) or signature(one))
    inspect_functions_once()
    inspect_functions_once()
    for _ in range(3):
        found = common.get_input_function_aux_params(asked_for, {"attempt": 1, "input": 2})
        assert found == {"attempt": 1}
    assert counted == [asked_for]
    assert common.inspect.stack is inspect.stack


def asked_for(wildcards, attempt):
    """Return what a rule asks for."""
    return attempt
