"""Rates of a machine, by which work becomes time.

    python workflow/rates.py results/rates.json

measures those of this machine on one core, in about 3 seconds, and on each kind of GPU that it has,
and adds them to the file; it does nothing if they are there. Planning reads the file, and imports
no torch. Where jobs are submitted to machines whose GPUs are not those of this one, the same
command in a job there measures them.

Args:
    file: File of all rates that were measured.
"""

from __future__ import annotations

import math
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gpus import visible_gpus

from generalization.errors import exit_on_input_error
from generalization.files import read_kept, write_kept

if TYPE_CHECKING:
    import torch

FILE = Path("results/rates.json")
# Between the name of a machine and that of a GPU of it, whose rates stand beside those of a core.
GPU_OF = ", "


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


class GpuRates(NamedTuple):
    """Rates of a GPU.

    Attributes:
        rates: The rates.
        source: Words that say on which GPU of which machine they were measured, if they were.
    """

    rates: Rates
    source: str


ASSUMED_GPU = GpuRates(GPU, "assumed: no GPU was measured")


def read_rates(given: Mapping[str, float], file: Path = FILE) -> Rates:
    """Return the rates of a core of this machine: those given, else as measured, else assumed.

    Args:
        given: Rates of the configuration.
    """
    return CORE._replace(**_read(file).get(_machine(), {}))._replace(**given)


def read_gpu_rates(file: Path = FILE) -> GpuRates:
    """Return the rates of the slowest GPU of this machine, else of any machine, else assumed."""
    measured = {}
    for key, rates in _read(file).items():
        machine, _, device = key.partition(GPU_OF)
        if device and len(rates) == len(Rates._fields):
            measured[machine, device] = Rates(**rates)
    own = {key: rates for key, rates in measured.items() if key[0] == _machine()}
    if not measured:
        return ASSUMED_GPU
    (machine, device), rates = min((own or measured).items(), key=lambda item: item[1].flops)
    return GpuRates(rates, f"measured on {device} of {machine.partition(' ')[0]}")


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


def measured_gpu_rates() -> dict[str, Rates]:
    """Measure the rates of every kind of GPU of this machine, by its name."""
    import torch

    devices = [torch.device("cuda", place) for place in range(torch.cuda.device_count())]
    return {torch.cuda.get_device_name(device): _rates_of_gpu(device) for device in devices}


def _rates_of_gpu(device: torch.device) -> Rates:
    """Measure the rates of one GPU, on products like those of a stack of networks."""
    import torch

    left, right = torch.ones(2, 64, 256, 256, device=device)
    few, many = torch.ones(8, device=device), torch.ones(2**25, device=device)

    def per_second(operation: Callable[[], object], amount: float) -> float:
        return _per_second_of_gpu(operation, amount, lambda: torch.cuda.synchronize(device))

    return Rates(
        flops=per_second(lambda: torch.bmm(left, right), 2 * 64 * 256**3),
        numbers=per_second(lambda: many.mul_(1.0), 2 * len(many)),
        call=1 / per_second(lambda: few.mul_(1.0), 1),
    )


def _per_second_of_gpu(
    operation: Callable[[], object],
    amount: float,
    wait: Callable[[], object],
    seconds: float = 0.03,
) -> float:
    """Return the largest amount per second of wall time, of as many operations as take a while.

    Args:
        operation: Operation that is only started.
        amount: Amount of work of one operation.
        wait: Function that waits until all operations have ended.
        seconds: Least time of the repetitions that count.
    """
    operation()  # The first one sets up what the others find.
    wait()
    times, fastest, measured = 1, 0.0, 0
    while measured < 3:
        begin = time.perf_counter()
        for _ in range(times):
            operation()
        wait()
        passed = time.perf_counter() - begin
        if passed < seconds:
            times *= 2
        else:
            fastest, measured = max(fastest, times * amount / passed), measured + 1
    return fastest


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


def _read(file: Path) -> dict[str, dict[str, float]]:
    """Return what was measured, as far as it can be rates: machine, maybe with a GPU → rates."""
    return {key: rates for key, rates in read_kept(file).items() if _are_rates(rates)}


def _are_rates(rates: object) -> bool:
    return isinstance(rates, Mapping) and all(
        name in Rates._fields and isinstance(rate, float | int) and 0 < rate < math.inf
        for name, rate in rates.items()
    )


def main(file: Path) -> None:
    """Measure the rates of this machine and of its GPUs, unless the file has them."""
    known, machine = _read(file), _machine()
    found = {} if machine in known else {machine: measured_rates()}
    if visible_gpus() and not any(key.startswith(f"{machine}{GPU_OF}") for key in known):
        found |= {f"{machine}{GPU_OF}{name}": one for name, one in measured_gpu_rates().items()}
    if found:
        # Read again: other machines may have added theirs in the meantime.
        write_kept(file, _read(file) | {key: rates._asdict() for key, rates in found.items()})


if __name__ == "__main__":
    with exit_on_input_error():
        main(Path(sys.argv[1]))
