"""Find, and end, jobs of a Snakemake that was killed and could not take them along.

    python workflow/orphans.py          lists them
    python workflow/orphans.py --end    ends them, and removes half-written files

A job is an orphan if it runs a script of this checkout, in this folder, and none of the processes
that started it is a Snakemake; jobs of a cluster are orphans if no Snakemake of this folder lives
on this machine. Where the last one that submitted jobs ran on another machine, nothing is listed,
since it may live there. An orphan does no harm but to take time: it writes what the job that
replaces it writes, and files appear whole.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LAUNCH, SCRIPTS = ROOT / "workflow/launch.py", ROOT / "scripts"
HOST = Path(".snakemake/submitted_from")  # the machine of the last Snakemake that submitted jobs
PATIENCE = 10.0


class Process(NamedTuple):
    """A process of this user: its parent, words and folder."""

    parent: int
    words: list[str]
    folder: str


def main() -> None:
    """List orphans of the current folder, or end them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--end", action="store_true", help="end them")
    arguments = parser.parse_args()
    if elsewhere := other_machine():
        sys.exit(
            f"The last Snakemake of this folder that submitted jobs ran on {elsewhere}: look for "
            f"orphans there, or remove {HOST} if none can live there."
        )
    folder, found = str(Path.cwd()), processes()
    local, queued = list(orphans(found, folder)), list(queued_orphans(found, folder))
    for pid in local:
        words = job(found[pid], LAUNCH)[1:] or job(found[pid], SCRIPTS)
        print(f"process {pid}: {' '.join(words)[:150]}")
    for number in queued:
        print(f"cluster job {number}")
    if not local and not queued:
        print(f"No orphans in {folder}.")
    if arguments.end:
        end(local, queued)
        if not any(is_head(process, folder) for process in found.values()):
            removed = remove_partial_files(Path(folder, "results"))
            print(f"{len(local) + len(queued)} ended, {removed} half-written files removed.")
    elif local or queued:
        print("`python workflow/orphans.py --end` ends them.")


def other_machine() -> str:
    """Return the machine from which the last Snakemake here submitted jobs, if it is another."""
    with suppress(FileNotFoundError):
        host = HOST.read_text()
        return "" if host == socket.gethostname() else host
    return ""


def processes() -> dict[int, Process]:
    """Return the processes of this user by their id."""
    found = {}
    for entry in Path("/proc").iterdir():
        # Processes come and go, and those of others are not to be read.
        with suppress(OSError, ValueError, IndexError):
            if entry.name.isdigit() and entry.stat().st_uid == os.getuid():
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found[int(entry.name)] = Process(
                    parent, words[:-1], str((entry / "cwd").readlink())
                )
    return found


def is_head(process: Process, folder: str | None = None) -> bool:
    """Return whether a process is a Snakemake that a user started, maybe in a given folder."""
    program = any(Path(word).name == "snakemake" for word in process.words[:3])
    return program and "--mode" not in process.words and folder in {None, process.folder}


def orphans(found: dict[int, Process], folder: str) -> Iterator[int]:
    """Yield the processes in a folder that run a job and have no Snakemake above them."""
    for pid, process in found.items():
        above = list(ancestors(found, process))
        if process.folder == folder and not any(map(is_head, above)):
            # A server of launch.py ends the scripts that it runs for whom is gone. Where there can
            # be none, a script is run as it is, as a user may run it, but by the shell of a job.
            by_shell = any("run_script()" in word for one in above[:1] for word in one.words)
            if job(process, LAUNCH) or (job(process, SCRIPTS) and by_shell):
                yield pid


def ancestors(found: dict[int, Process], process: Process) -> Iterator[Process]:
    """Yield the parent of a process, and its parents, of those that there are."""
    while process.parent in found:
        process = found[process.parent]
        yield process


def job(process: Process, place: Path) -> list[str]:
    """Return the words from a place of this checkout on, a file or a folder, that a Python runs."""
    for number, word in enumerate(process.words[1:3], start=1):  # The first may be an option.
        # Folders of a checkout may be links, and paths relative.
        file = Path(process.folder, word).resolve()
        if place in {file, file.parent}:
            return process.words[number:]
    return []


def queued_orphans(found: dict[int, Process], folder: str) -> Iterator[str]:
    """Yield the Slurm jobs that were submitted in a folder in which no Snakemake lives."""
    if not any(is_head(one, folder) for one in found.values()):
        yield from queued_jobs(folder)


def queued_jobs(folder: str) -> Iterator[str]:
    """Yield the Slurm jobs of this user that were submitted in a folder and have not ended."""
    if shutil.which("squeue") is None:
        return
    command = ["squeue", "--me", "--noheader", "--format=%i %Z"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())
        print(f"Jobs of a cluster are not looked for, since squeue says: {said}", file=sys.stderr)
    for line in done.stdout.splitlines():
        job, _, place = line.partition(" ")
        if place == folder:
            yield job


def end(local: list[int], queued: list[str]) -> None:
    """End processes, gently at first, and cancel jobs."""
    if queued:
        subprocess.run(["scancel", *queued], check=True)
    limit = time.monotonic() + PATIENCE
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in local:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while any(is_running(pid) for pid in local) and time.monotonic() < limit:
            time.sleep(0.1)


def is_running(pid: int) -> bool:
    """Return whether a process is there and not only waits for its parent to notice its end."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def remove_partial_files(results: Path) -> int:
    """Remove files that were being written when their writer was killed; return how many."""
    partial = list(results.rglob(".*.partial"))
    for path in partial:
        path.unlink(missing_ok=True)
    return len(partial)


if __name__ == "__main__":
    main()
