"""Run benchmarks, each several times, and keep their ratios in ``docs/benchmarks/``.

``make ratios`` records all that print tables of ratios; ``make ratios ARGS=jacobian_norm`` one. The
page of benchmarks is made of the records. A benchmark that takes more processor time than the limit
is ended, and its record says so.
"""

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from timing import RECORDED

HERE = Path(__file__).parent
RECORDS = HERE.parent / "docs/benchmarks"
PRINTS_RATIOS = re.compile(r"^ +print_table\(", re.MULTILINE)


def benchmarks() -> list[str]:
    """Return the names of the benchmarks that print tables of ratios."""
    files = sorted(HERE.glob("*.py"))
    return [one.stem for one in files if PRINTS_RATIOS.search(one.read_text(encoding="utf-8"))]


def machine() -> dict[str, str | int]:
    """Return what is known of the processor, and the versions."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").split("\n") if cpu.exists() else []
    models = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    vectors = next((one for one in ("avx512f", "avx2", "avx") if one in flags), "")
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count() or 1,
        "vectors": vectors,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 1),
    }


def run(name: str, limit: int) -> list[dict] | None:
    """Run a benchmark and return its tables, or nothing if it takes longer than the limit.

    Args:
        name: The benchmark.
        limit: Seconds of processor time.
    """
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        ended = subprocess.run(
            [sys.executable, HERE / f"{name}.py"],
            env=os.environ | {RECORDED: file.name},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1)),
        )
        if ended.returncode < 0:
            return None
        ended.check_returncode()
        return [json.loads(line) for line in Path(file.name).read_text("utf-8").splitlines()]


def main() -> None:
    """Record the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="benchmarks; all by default")
    parser.add_argument("--runs", type=int, default=2, help="runs of each")
    parser.add_argument("--limit", type=int, default=180, help="seconds of processor time of a run")
    given = parser.parse_args()
    RECORDS.mkdir(exist_ok=True)
    for name in given.names or benchmarks():
        about, runs = machine(), []
        for _ in range(given.runs):
            tables = run(name, given.limit)
            if tables is None:
                break
            runs.append(tables)
        complete = len(runs) == given.runs
        record = {"machine": about, "limit": given.limit, "runs": runs if complete else []}
        text = json.dumps(record, indent=1, ensure_ascii=False)
        (RECORDS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{name}: {len(runs)} runs" if complete else f"{name}: more than {given.limit} s")


if __name__ == "__main__":
    main()
