"""Keep the scheduler of Snakemake from looking at its jobs more and more often."""

import threading

from snakemake.scheduling.job_scheduler import JobScheduler


def one_timer_at_a_time() -> None:
    """Let a scheduler start the timer of its next look only if none is running.

    Under ``--max-jobs-per-timespan``, which is 100 a second unless given, the scheduler of
    Snakemake 9 looks at all ready jobs again a second after every look. Each look starts a timer,
    and each finished job adds a look: after 250 jobs it looks up to 250 times a second, which took
    40 % of a core. One timer does as well, since the look that it leads to starts the next.

    Snakemakes that have no such timer are left as they are.
    """
    if hasattr(JobScheduler, "_schedule_reevalutation"):
        JobScheduler._schedule_reevalutation = _look_again


def _look_again(scheduler: JobScheduler, delay: float) -> None:
    """Release the scheduler after a delay in seconds, unless that is already to come."""

    def release():
        scheduler._look_to_come = False  # before the look, which asks for the next one
        scheduler._open_jobs.release()

    if not getattr(scheduler, "_look_to_come", False):
        scheduler._look_to_come = True
        threading.Timer(delay, release).start()
