"""Snakemake in forks of a process that has imported what it imports, which takes seconds.

A fork does what ``snakemake ARGUMENTS`` does: it has the folder, the environment, the streams and
the places of modules that this would have, and nothing of the project is imported before. Another
fork becomes the server of scripts of its folder, as the first script would start it.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

COMMAND = Path(sys.executable).with_name("snakemake")
BY_SNAKEMAKE = [
    "docutils.core",
    "jinja2",
    "jsonschema",
    "requests",
    "smart_open",
    "snakemake.cli",
    "snakemake.persistence.file",
    "snakemake_executor_plugin_slurm",
    "snakemake_executor_plugin_slurm_jobstep",
    "snakemake_logger_plugin_rich",
    "yaml",
]
BY_SCRIPTS = ["h5py", "jaxtyping", "matplotlib.figure", "pandas", "scipy.stats", "torch"]
# Snakemake tells libraries of linear algebra how many threads a job has.
THREADS = ("OMP_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def snakemake(arguments, folder, environment):
    """Run it to its end.

    Args:
        environment: Its PYTHONPATH is the checkout.

    Returns:
        As ``subprocess.run`` does: what it wrote to both streams, and its exit status.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(BY_SNAKEMAKE + BY_SCRIPTS)
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        streams = [multiprocessing.reduction.DupFd(one.fileno()) for one in (output, errors)]
        command = [str(COMMAND), *arguments]
        fork = context.Process(target=_run, args=(command, str(folder), environment, streams))
        fork.start()
        fork.join()
        for one in (output, errors):
            one.seek(0)
        done = subprocess.CompletedProcess(command, fork.exitcode, output.read(), errors.read())
    fork.close()
    return done


def _run(command, folder, environment, streams):
    """Be ``snakemake``."""
    for number, one in enumerate(streams, 1):
        os.dup2(one.detach(), number)
    if "--dry-run" not in command and os.fork() == 0:
        _serve(environment)
    os.chdir(folder)
    _become(command, environment, COMMAND.parent)
    from snakemake.cli import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()  # A fork of this kind would leave them out.


def _serve(environment):
    """Be the server of ``launch.py``, in a session of its own, unless there is one."""
    os.setsid()
    if os.fork() == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        os.chdir("/")
        place = Path(environment["PYTHONPATH"], "workflow")
        _become(["launch_server.py"], environment | dict.fromkeys(THREADS, "1"), place)
        import launch
        import launch_server

        address = launch._address()
        if launch._connected(address) is None:
            launch_server.serve(address)
    os._exit(0)


def _become(command, environment, first):
    """Have the arguments, the environment and the places of modules of a program."""
    os.environ.clear()
    os.environ.update(environment)
    installed = [one for one in sys.path if one.startswith((sys.prefix, sys.base_prefix))]
    sys.path[:] = [str(first), environment["PYTHONPATH"], *installed]
    sys.argv = command
