"""Rates of a machine, by which work becomes time.

    python workflow/rates.py results/rates.json

measures those of this machine on one core, in about 3 seconds, and adds them to the file; it does
nothing if they are there. Planning reads the file, and imports no torch.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from generalization.errors import exit_on_input_error
from generalization.files import written_whole

FILE = Path("results/rates.json")


class Rates(NamedTuple):
    """Rates of one core or one GPU.

    Attributes:
        flops: Operations of products of matrices in single precision, per second.
        numbers: Numbers that elementwise operations read or write, per second.
        call: Seconds to start one operation.
    """

    flops: float
    numbers: float
    call: float


# ASSUME: a core of a machine that was not measured: half of what recent ones do.
CORE = Rates(flops=5e10, numbers=5e9, call=5e-6)
# ASSUME: a GPU does 20 TF/s on products of these sizes, and starts an operation in 8 µs.
GPU = Rates(flops=2e13, numbers=4e12, call=8e-6)


def read_rates(given: Mapping[str, float], file: Path = FILE) -> Rates:
    """Return the rates of a core of this machine: those given, else as measured, else assumed.

    Args:
        given: Rates of the configuration.
        file: Of ``main``.
    """
    try:
        measured = json.loads(file.read_text()).get(_machine(), {})
        found = CORE._replace(**{name: float(measured[name]) for name in measured})
    except (OSError, ValueError, TypeError, AttributeError):
        found = CORE
    return found._replace(**given)


def measured_rates() -> Rates:
    """Measure the rates of one core of this machine."""
    import torch

    torch.set_num_threads(1)
    left, right = torch.randn(2, 4, 256, 256)
    few, many = torch.randn(8), torch.randn(2**18)
    return Rates(
        flops=_per_second(lambda: torch.bmm(left, right), 2 * 4 * 256**3),
        # An operation in place reads and writes.
        numbers=_per_second(lambda: many.mul_(1.0), 2 * len(many)),
        call=1 / _per_second(lambda: few.mul_(1.0), 1),
    )


def _per_second(operation: Callable[[], object], amount: float, seconds: float = 0.3) -> float:
    """Return the largest amount per second of CPU time, of ten repetitions."""
    fastest = 0.0
    for _ in range(10):
        begin, done = time.process_time(), 0
        while (passed := time.process_time() - begin) < seconds / 10 or not done:
            operation()
            done += 1
        fastest = max(fastest, done * amount / passed)
    return fastest


def _machine() -> str:
    return f"{platform.node()} {platform.machine()}"


def main(file: Path) -> None:
    """Measure the rates of this machine, unless the file has them."""
    try:
        known = dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        known = {}  # None were measured, or the file is damaged.
    if _machine() not in known:
        known[_machine()] = measured_rates()._asdict()
        with written_whole(file) as beside:
            beside.write_text(json.dumps(known, indent=1))


if __name__ == "__main__":
    with exit_on_input_error():
        main(Path(sys.argv[1]))
