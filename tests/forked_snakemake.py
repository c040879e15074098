"""Snakemake in forks of a process that has imported it, since to import it takes 2 seconds.

A fork does what ``snakemake ARGUMENTS`` does: it has the folder, the environment, the streams and
the places of modules that this would have, and nothing of the project is imported before.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

COMMAND = Path(sys.executable).with_name("snakemake")
IMPORTED = [
    "docutils.core",
    "h5py",
    "jinja2",
    "jsonschema",
    "pandas",
    "requests",
    "scipy.stats",
    "smart_open",
    "snakemake.cli",
    "snakemake.persistence.file",
    "snakemake_executor_plugin_slurm",
    "snakemake_executor_plugin_slurm_jobstep",
    "snakemake_logger_plugin_rich",
    "yaml",
]


def snakemake(arguments, folder, environment):
    """Run it to its end.

    Returns:
        As ``subprocess.run`` does: what it wrote to both streams, and its exit status.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
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
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, one in enumerate(streams, 1):
        os.dup2(one.detach(), number)
    installed = [one for one in sys.path if one.startswith((sys.prefix, sys.base_prefix))]
    sys.path[:] = [str(COMMAND.parent), *environment["PYTHONPATH"].split(":"), *installed]
    sys.argv = command
    from snakemake.cli import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()  # A fork of this kind would leave them out.
