"""The scheduler looks at its jobs once a timespan, however many of them have ended."""

import threading
import time
from types import SimpleNamespace

from scheduling import one_timer_at_a_time
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
