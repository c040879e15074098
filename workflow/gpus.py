"""GPUs of this machine, one for every job that asks for one. Imports little: each job does."""

from __future__ import annotations

import fcntl
import os
import sys
import time

VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus(environment: dict[str, str] | None = None, devices: str = "/dev") -> list[str]:
    """Return the GPUs of NVIDIA that a process may use, as CUDA_VISIBLE_DEVICES names them.

    Args:
        environment: Environment of the process, this one's by default; if it names GPUs, these are
            the ones.
        devices: Folder with one ``nvidia<number>`` per GPU.
    """
    environment = os.environ if environment is None else environment
    if VISIBLE in environment:
        named = [name.strip() for name in environment[VISIBLE].split(",")]
        # Names after one that does not exist do not count.
        return named[: named.index("-1")] if "-1" in named else [name for name in named if name]
    names = [entry.name for entry in os.scandir(devices)]
    found = [name for name in names if name.startswith("nvidia") and name[6:].isdigit()]
    return [str(number) for number in range(len(found))]


def wanted_gpus(arguments: list[str]) -> bool:
    """Return whether the arguments of a script ask for whichever GPU there is."""
    for place, argument in enumerate(arguments[:-1]):
        if argument == "--device":
            return arguments[place + 1] in {"auto", "cuda"}
    return False


def own_gpu(gpus: list[str], folder: str, every: float = 1.0) -> tuple[str, int]:
    """Wait for a GPU that no other job of this user has, and keep it until this process ends.

    Args:
        gpus: GPUs that may be used.
        folder: Folder of the locks, which only this user can write to.
        every: Seconds between two attempts.

    Returns:
        The GPU, and the open file whose lock keeps it, to be inherited by whoever computes.
    """
    locks = {gpu: os.open(f"{folder}/gpu-{gpu.replace('/', '-')}.lock", _FLAGS) for gpu in gpus}
    told = False
    while True:
        for gpu, lock in locks.items():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            for other in locks.values():
                if other != lock:
                    os.close(other)
            os.set_inheritable(lock, True)
            return gpu, lock
        if not told:
            sys.stderr.write(f"Waiting for a GPU: other jobs have {', '.join(gpus)}.\n")
            sys.stderr.flush()
            told = True
        time.sleep(every)


_FLAGS = os.O_RDWR | os.O_CREAT
