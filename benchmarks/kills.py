"""Kill Snakemake ten times at random moments, and count what that changes in the end.

A study is computed twice, in two folders. In one of them the process of Snakemake gets SIGKILL at
random moments while jobs run, each time followed by what the README says of it: `orphans.py --end`
or not, by the toss of a coin, `snakemake --unlock`, and the same command. When a study ends before
ten kills it is begun anew. All files of both folders are compared at the end, byte by byte; logs,
and the rates of the machine, are not results.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "workflow", "scripts", "generalization", "config")
NO_RESULTS = ("logs", "rates.json")


def main(kills: int, study: str, seed: int) -> None:
    """Print what happened at every kill, and the files that differ."""
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        for place in (whole, killed):
            place.mkdir()
            for part in PARTS:
                (place / part).symlink_to(ROOT / part)
        run(whole, study).wait()
        chance, counted, begun = random.Random(seed), 0, 1
        while counted < kills:
            head = run(killed, study)
            time.sleep(chance.uniform(3, 30))
            jobs = running(killed)
            if head.poll() is not None:
                if head.returncode:
                    sys.exit(f"Snakemake failed by itself: {killed}")
                shutil.rmtree(killed / "results")
                shutil.rmtree(killed / ".snakemake")
                begun += 1
                continue
            head.send_signal(signal.SIGKILL)
            head.wait()
            if jobs:
                counted += 1
            print(f"kill {counted:>2}: {len(jobs)} jobs ran ({', '.join(jobs)})", flush=True)
            if chance.random() < 0.5:
                words = [sys.executable, "workflow/orphans.py", "--end"]
                subprocess.run(words, cwd=killed, check=True, capture_output=True)
            run(killed, study, "--unlock").wait()
        if run(killed, study).wait():
            sys.exit("the last Snakemake failed")
        one, other = files(whole), files(killed)
        differ = sorted(name for name in one | other if one.get(name) != other.get(name))
        print(f"{counted} kills in {begun} runs of {study}; {len(one)} files, {len(differ)} differ")
        print("\n".join(differ))


def run(folder: Path, study: str, *words: str) -> subprocess.Popen[bytes]:
    """Start a Snakemake for a study, as the README has it."""
    return subprocess.Popen(
        [
            *(str(Path(sys.executable).with_name("snakemake")), "--cores", "2", "--quiet"),
            *("--configfile", f"config/{study}.yaml"),
            *("--workflow-profile", "workflow/profiles/local", *words),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def running(folder: Path) -> list[str]:
    """Names of the scripts that run in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if Path(process / "cwd").readlink() != folder:
                continue
        except OSError:
            continue
        scripts = (one for one in words if b"scripts/" in one and one.endswith(b".py"))
        found += [Path(os.fsdecode(one)).stem for one in scripts]
    return sorted(set(found))


def files(folder: Path) -> dict[str, str]:
    """Path of every result → checksum of its bytes."""
    results = folder / "results"
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.relative_to(results).parts[0] not in NO_RESULTS
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--study", default="smoke")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
