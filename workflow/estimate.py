"""What a study costs: jobs, work, time, memory and disk by rule. Imports no torch.

    python workflow/estimate.py config/STUDY.yaml

prints it as a table. The workflow takes the resources of its jobs from here, and the blocks of
seeds that are short and small enough for the limits of the configuration.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, inf
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from costs import (
    COPIES_OF_DATA,
    COPIES_OF_NETWORKS,
    FLOAT,
    MIB,
    PROCESS,
    Sized,
    Work,
    compared_shapes,
    data_bytes,
    expected_steps,
    forward_work,
    keeps_start,
    kept_of,
    measuring_work,
    networks_bytes,
    representation_work,
    similarity_work,
    sized,
    stored_bytes,
    training_bytes,
    training_work,
)
from planning import Study, check_config_files, read_study
from rates import ASSUMED_GPU, GpuRates, Rates, read_gpu_rates, read_rates

from generalization.errors import InputError

START = 0.3  # Seconds until a script runs, forked from a process that has imported torch.
MARGIN = 1.5  # Time and memory that are asked for, relative to those that are expected.
# ASSUME: a GPU is worth asking for where it is four times as fast as a core.
WORTHWHILE = 4
MOST_THREADS = 32  # More threads than these make products hardly faster.


class Job(NamedTuple):
    """Cost of a job, on one core and on a GPU.

    Attributes:
        flops: Operations of matrix products.
        seconds: Expected time on one core.
        gpu_seconds: Expected time on a GPU.
        memory: Peak memory, in bytes.
        disk: Size of what it writes, in bytes.
        profits: Whether a GPU is worth asking for.
    """

    flops: float
    seconds: float
    gpu_seconds: float
    memory: float
    disk: float = 0.0
    profits: bool = False


class Resources(NamedTuple):
    """Resources of a job, as the rules ask for them.

    Attributes:
        mem_mb: Memory.
        runtime: Minutes.
        threads: Cores.
        gpu: GPUs.
    """

    mem_mb: int
    runtime: int
    threads: int
    gpu: int


@dataclass(frozen=True)
class Estimate:
    """Costs of the jobs of a study.

    Attributes:
        study: The study.
        rates: Rates of one core.
        gpus: Number of GPUs of this machine, if the jobs run here.
        cluster: Whether the jobs run elsewhere.
        gpu: Rates of one GPU.
    """

    study: Study
    rates: Rates
    gpus: int = 0
    cluster: bool = False
    gpu: GpuRates = ASSUMED_GPU
    _jobs: dict[tuple[Any, ...], Job] = field(default_factory=dict)
    _sized: dict[str, Sized] = field(default_factory=dict)

    # Jobs.

    def job(self, rule: str, ensemble: str, networks: int, name: str = "") -> Job:
        """Return the cost of a job.

        Args:
            rule: Name of the rule.
            ensemble: Name of the ensemble, or of the dataset to prepare.
            networks: Number of seeds.
            name: File of the measure, profile or similarity.
        """
        key = rule, ensemble, networks, name
        if key not in self._jobs:
            found, seeds = self._counted(*key), self.study.seeds
            if networks not in {0, seeds}:
                # All blocks of seeds, so that the networks of an ensemble are of one device.
                found = found._replace(profits=self.job(rule, ensemble, seeds, name).profits)
            self._jobs[key] = found
        return self._jobs[key]

    def _counted(self, rule: str, ensemble: str, networks: int, name: str) -> Job:
        if rule == "prepare_dataset":
            stored = stored_bytes(self.study.shapes[ensemble])
            return Job(0, 10 + stored / 1e7, inf, PROCESS + 4 * stored, stored)
        one = self.sized(ensemble)
        if rule == "train_ensemble":
            work, written = training_work(one, steps=expected_steps(one)), networks_bytes(one, 1)
            memory = training_bytes(one, networks)
            return self._job(work.times(networks), memory, written * networks)
        if rule == "compare_representations":
            return self._compared(one, networks, name)
        steps = kept_of(one)
        kept = steps * networks
        stored = networks_bytes(one, networks)
        memory = PROCESS + data_bytes(one.images) + COPIES_OF_NETWORKS * stored
        if rule.startswith("record"):
            record = self.study.activations or {}
            samples = min(record.get("samples", 1000), one.about.test)
            written = FLOAT * samples * one.size.units * kept
            return self._job(forward_work(one, samples).times(kept), memory, written)
        work = sum(
            (measuring_work(named, one, settings) for named, settings in self._of(rule, name)),
            Work(),
        )
        return self._job(work.times(kept), memory, 65536)

    def sized(self, ensemble: str) -> Sized:
        """Return the hyper-parameters of an ensemble with the sizes that costs follow from."""
        if ensemble not in self._sized:
            one, built = self.study.ensembles[ensemble], self.study.architectures.get(ensemble)
            images = self.study.shapes[one.dataset]
            self._sized[ensemble] = sized(one, images, built.about if built else None)
        return self._sized[ensemble]

    def _of(self, rule: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield what a job measures, with settings."""
        study = self.study
        if rule == "profile_networks":
            profile = name.split("-")[0]
            yield profile, study.profiles[profile]
        elif rule in {"measure_networks", "measure_pairs"}:
            every = study.measures if rule == "measure_networks" else study.ensemble_measures
            for file in (
                study.sharing_measures
                if rule == "measure_networks"
                else study.sharing_ensemble_measures
            ):
                yield every[file]
        else:
            yield (study.measures | study.ensemble_measures)[name]

    def _compared(self, one: Sized, networks: int, name: str) -> Job:
        """Return the cost of comparing a block with another of the same size."""
        similarity, pairs = name.split("/")
        settings = self.study.similarities[similarity.split("-")[0]]
        samples = min((self.study.activations or {}).get("samples", 1000), one.about.test)
        steps = networks * kept_of(one)
        start = int(keeps_start(one.one))
        both, others = networks * (networks - 1) / 2, networks**2
        # Networks that are read, pairs of networks of which like layers are compared, or all.
        read, same, every = {
            "over_training": (steps, steps - networks, networks),
            "straight_line": (steps, steps - networks, 0),
            "between_seeds": (networks * (1 + start), both * start, both),
            "between_ensembles": (2 * networks * (1 + start), others * start, others),
        }[pairs]
        # Which layers are compared is a setting of these pairs alone.
        if settings["layers"] == "all" and pairs == "over_training":
            same, every = 0, steps
        elif settings["layers"] == "same" and pairs == "between_ensembles":
            same, every = others * (1 + start), 0
        kind = similarity.split("-")[0]
        layers = compared_shapes(one, samples, settings["convolution"])
        numbers = samples * sum(one.size.widths[1:])
        work = (
            representation_work(kind, layers, numbers=numbers).times(max(1, read))
            + similarity_work(kind, layers, every=False).times(same)
            + similarity_work(kind, layers, every=True).times(every)
        )
        if pairs == "straight_line":
            work += forward_work(one, samples).times(steps)
        memory = PROCESS + 6 * FLOAT * samples * one.size.units * networks
        return self._job(work, memory, 65536)

    def _job(self, work: Work, memory: float, disk: float) -> Job:
        on_gpu = work._replace(slower=1).seconds(self.gpu.rates)
        on_core = START + work.seconds(self.rates)
        profits = on_core > WORTHWHILE * (on_gpu + 30)
        return Job(work.flops, on_core, on_gpu, memory, disk, profits)

    # Limits.

    @property
    def limits(self) -> dict[str, Any]:
        """Limits of a job, of the configuration."""
        return self.study.limits

    def on_gpu(self, job: Job) -> bool:
        """Return whether a job asks for a GPU: with ``device: auto``, if it is worth it."""
        if self.study.device == "cpu" or job.gpu_seconds == inf:
            return False
        return self.study.device == "cuda" or (self.may_use_gpus and job.profits)

    @property
    def may_use_gpus(self) -> bool:
        """Whether there are GPUs that jobs may ask for."""
        return self.gpus > 0 or self.limits["gpus"] > 0

    def device(self, asked: Resources) -> str:
        """Return the device of a job: the CPU, where it asks for no GPU and one may be there."""
        may_be_there = self.may_use_gpus or self.cluster
        return self.study.device if asked.gpu or not may_be_there else "cpu"

    def resources(self, job: Job, attempt: int = 1, *, alone: Job | None = None) -> Resources:
        """Return the resources that a job asks for.

        Args:
            attempt: Number of the attempt, from 1.
            alone: The same job with a single network, if it has several.
        """
        gpu = int(self.on_gpu(job))
        threads = 1 if gpu else self._threads((alone or job).seconds)
        seconds = job.gpu_seconds if gpu else job.seconds / threads
        minutes = ceil(10 + MARGIN * seconds / 60) * attempt
        if self.limits["hours"] is not None:
            minutes = min(minutes, ceil(60 * self.limits["hours"]))
        memory = ceil(MARGIN * job.memory / MIB / 100) * 100 * attempt
        if self.limits["memory_gb"] is not None:
            memory = min(memory, int(1000 * self.limits["memory_gb"]))
        return Resources(memory, minutes, threads, gpu)

    @property
    def same_for_all(self) -> dict[str, int | str]:
        """Resources for which no job asks differently: without GPUs, and without limits of time."""
        same: dict[str, int | str] = {} if self.limits["hours"] else {"threads": 1}
        device = self.study.device
        if device == "cpu" or (device == "auto" and not self.may_use_gpus):
            same |= {"gpu": 0, "device": self.device(Resources(0, 0, 1, gpu=0))}
        return same

    def asked(self, rule: str, wildcards: Mapping[str, str], attempt: int) -> Resources:
        """Return the resources that a job of the workflow asks for.

        Args:
            rule: Name of its rule.
            wildcards: Its wildcards.
            attempt: Number of the attempt, from 1.
        """
        if "network" in wildcards:
            # How long it takes is unknown: it has a GPU wherever there is one.
            asked = self.resources(self._own(wildcards["network"]), attempt)
            wanted = self.may_use_gpus and self.study.device != "cpu"
            return asked._replace(gpu=int(wanted or asked.gpu))
        # How long a job with one network takes decides on threads, of which there may be several
        # where the time is limited.
        limited = "block" in wildcards and self.limits["hours"] is not None
        alone = self.job_of(rule, wildcards, networks=1) if limited else None
        return self.resources(self.job_of(rule, wildcards), attempt, alone=alone)

    def job_of(
        self, rule: str, wildcards: Mapping[str, str], *, networks: int | None = None
    ) -> Job:
        """Return the cost of a job of the workflow.

        Args:
            rule: Name of its rule.
            wildcards: Its wildcards.
            networks: Number of seeds; by default that of the larger of its blocks.
        """
        ensemble = wildcards.get("ensemble") or wildcards["dataset"]
        blocks = [wildcards[key] for key in ("block", "other_block") if key in wildcards]
        most = max(map(seeds_of_block, blocks), default=0)
        seeds = most if networks is None else networks
        return self.job(rule, ensemble, seeds, computed_file(wildcards))

    def _own(self, network: str) -> Job:
        """Return the cost of measuring a network that was trained elsewhere, from its files.

        Its architecture is unknown: a job is given four hours.
        """
        own = self.study.own
        weights, data = (
            sum(Path(file).stat().st_size for file in files if Path(file).is_file())
            for files in (own.networks[network].weights, own.files)
        )
        memory = PROCESS + COPIES_OF_NETWORKS * weights + COPIES_OF_DATA * data
        return Job(0, 4 * 3600 / MARGIN, 4 * 3600 / MARGIN, memory)

    def _threads(self, seconds: float) -> int:
        """Return as few threads as bring a job within the time limit, if that is possible."""
        hours = self.limits["hours"] or inf
        return max(1, min(self.limits["threads"], ceil(MARGIN * seconds / 3600 / hours)))

    @cached_property
    def most_seeds(self) -> dict[str, int]:
        """Largest blocks of seeds, of ensembles whose jobs would else exceed a limit."""
        if self.limits["hours"] is None and self.limits["memory_gb"] is None:
            return {}
        found = {name: self._fitting(name) for name in self.study.ensembles}
        return {name: most for name, most in found.items() if most < self.study.seeds}

    def _fitting(self, ensemble: str) -> int:
        """Return the number of seeds, at least one, with which all jobs are within the limits."""
        return min([self.study.seeds, *(self._within(*job) for job in self.of_ensemble(ensemble))])

    def _within(self, rule: str, ensemble: str, name: str) -> int:
        seeds = self.study.seeds
        one, all_ = (self.job(rule, ensemble, networks, name) for networks in (1, seeds))
        threads = self._threads(one.seconds)
        on_gpu = self.on_gpu(all_)
        time = [job.gpu_seconds if on_gpu else job.seconds / threads for job in (one, all_)]
        hours, gigabytes = self.limits["hours"] or inf, self.limits["memory_gb"] or inf
        return min(
            _largest(seeds, *(MARGIN * seconds for seconds in time), 3600 * hours),
            _largest(seeds, *(MARGIN * job.memory for job in (one, all_)), 1e9 * gigabytes),
        )

    def of_ensemble(self, ensemble: str) -> Iterator[tuple[str, str, str]]:
        """Yield rule, ensemble and file of every job of an ensemble with one block of seeds."""
        study = self.study
        yield "train_ensemble", ensemble, ""
        compared = {pairs for one in study.similarities.values() for pairs in one["pairs"]}
        if study.seeds == 1:
            compared.discard("between_seeds")
        if study.records_all or compared:
            yield "record_activations", ensemble, ""
        if "noise_clouds" in study.profiles:
            yield "record_noisy_copies", ensemble, ""
        for rule, files, shared in (
            ("measure_networks", study.measures, study.sharing_measures),
            ("measure_pairs", study.ensemble_measures, study.sharing_ensemble_measures),
        ):
            if shared:
                yield rule, ensemble, ""
            for file in files:
                if file not in shared:
                    yield f"{rule}_alone", ensemble, file
        for profile in study.profiles:
            yield "profile_networks", ensemble, study.profile_file(profile)
        compared.discard("between_ensembles")
        for similarity, settings in study.similarities.items():
            for pairs in settings["pairs"]:
                if pairs in compared:
                    yield "compare_representations", ensemble, f"{similarity}/{pairs}"

    def jobs(self) -> Iterator[tuple[str, str, Job, Resources]]:
        """Yield rule, ensemble, cost and resources of every job of the study, from scratch."""
        for dataset in self.study.classes:
            job = self.job("prepare_dataset", dataset, 0)
            yield "prepare_dataset", dataset, job, self.resources(job)
        seeds = self.study.seeds
        for name in self.study.ensembles:
            most = self.most_seeds.get(name, seeds)
            sizes = [most] * (seeds // most) + [seeds % most] * (seeds % most > 0)
            for rule, ensemble, file in self.of_ensemble(name):
                alone = self.job(rule, ensemble, 1, file)
                for size in sizes:
                    job = self.job(rule, ensemble, size, file)
                    yield rule, ensemble, job, self.resources(job, alone=alone)


@dataclass
class Total:
    """Sum over jobs.

    Attributes:
        jobs: Number of jobs.
        flops: Operations of matrix products.
        core_hours: Time of all cores, but for those of jobs on a GPU.
        gpu_hours: Time of all GPUs.
        longest: Hours of the longest job.
        memory: Largest peak memory, in bytes.
        disk: Bytes that are written.
    """

    jobs: int = 0
    flops: float = 0.0
    core_hours: float = 0.0
    gpu_hours: float = 0.0
    longest: float = 0.0
    memory: float = 0.0
    disk: float = 0.0

    def add(self, job: Job, asked: Resources) -> None:
        """Add a job with its resources."""
        hours = (job.gpu_seconds if asked.gpu else job.seconds / asked.threads) / 3600
        self.jobs += 1
        self.flops += job.flops
        self.gpu_hours += hours * asked.gpu
        self.core_hours += hours * asked.threads * (not asked.gpu)
        self.longest = max(self.longest, hours)
        self.memory = max(self.memory, job.memory)
        self.disk += job.disk


def totals(estimate: Estimate) -> dict[str, Total]:
    """Return the sums by rule, and over all of them as ``total``."""
    found = {"total": Total()}
    for rule, _, job, asked in estimate.jobs():
        for name in (rule, "total"):
            found.setdefault(name, Total()).add(job, asked)
    return dict(sorted(found.items(), key=lambda item: item[0] == "total"))


def table(estimate: Estimate) -> list[str]:
    """Return the costs of a study by rule, as lines of a table."""
    head = ["jobs", "FLOPs", "core-hours", "GPU-hours", "longest (h)", "memory (GB)", "disk (GB)"]
    lines = [f"{'rule':24}" + "".join(f"{one:>12}" for one in head)]
    for rule, total in totals(estimate).items():
        cells = [total.flops, total.core_hours, total.gpu_hours, total.longest]
        cells += [total.memory / 1e9, total.disk / 1e9]
        lines.append(f"{rule:24}{total.jobs:12,}" + "".join(f"{one:12.3g}" for one in cells))
    return lines


def headline(estimate: Estimate) -> str:
    """Return the costs of a study from scratch in one line."""
    study, total = estimate.study, totals(estimate)["total"]
    networks = study.seeds * len(study.ensembles)
    gpus = f" and {_hours(total.gpu_hours, 'GPU')} ({estimate.gpu.source})"
    gpus = gpus if total.gpu_hours else ""
    return (
        f"{study.name} from scratch: {total.jobs:,} jobs before tables and figures, "
        f"{networks:,} networks, {total.flops:.2g} FLOPs, about "
        f"{_hours(total.core_hours, 'core')}{gpus}, the longest job "
        f"{_hours(total.longest)}, memory {total.memory / 1e9:.2g} GB, "
        f"disk {total.disk / 1e9:.2g} GB."
    )


def told_gpus(estimate: Estimate) -> str:
    """Return in one line which jobs run on the GPUs of this machine, and why."""
    study, every = estimate.study, [asked.gpu for *_, asked in estimate.jobs()]
    gpus = f"{estimate.gpus} GPU{'s' * (estimate.gpus > 1)}"
    why = (
        f"the {sum(every):,} of {len(every):,} that it makes {WORTHWHILE} times as fast"
        if study.device == "auto"
        else "all"
    )
    return f"device: {study.device} found {gpus}: jobs have one each, {why}."


def told_gpu_rates(estimate: Estimate) -> str:
    """Return in one line how fast a GPU is taken to be, who says so, and what it would do."""
    rates, source = estimate.gpu
    said = f"Rates of a GPU are {source}; {rates.flops / 1e12:.3g} TFLOP/s of matrix products."
    worth = [job for *_, job, asked in estimate.jobs() if job.profits and not asked.gpu]
    if worth and estimate.study.device == "auto":
        hours = _hours(sum(job.gpu_seconds for job in worth) / 3600, "GPU")
        cores = _hours(sum(job.seconds for job in worth) / 3600, "core")
        said += f" With limits.gpus: 1, {hours} would take the place of {cores}."
    return said


def _hours(hours: float, of: str = "") -> str:
    """Return a time in a unit that suits it."""
    unit, size = (
        ("days", 24) if hours >= 48 else ("hours", 1) if hours >= 1 else ("minutes", 1 / 60)
    )
    return f"{hours / size:,.2g} {of}{'-' * bool(of)}{unit}" if hours else f"0 {unit}"


# Training continues from its checkpoint when a job that was stopped is tried again.
RESUMED = {"train_ensemble"}


def impossible(estimate: Estimate, attempts: int = 1) -> str | None:
    """Return one sentence if a study cannot end within its limits, with what would do.

    Args:
        estimate: Its costs.
        attempts: Number of times that a job is tried.
    """
    limits, study = estimate.limits, estimate.study
    needs = {
        "hours": lambda job, rule: _time(estimate, job) / (attempts if rule in RESUMED else 1),
        "memory_gb": lambda job, _: MARGIN * job.memory / 1e9,
    }
    worst = {key: _worst(estimate, needs[key]) for key in needs if limits[key] is not None}
    short = {key: found for key, found in worst.items() if found[0] > limits[key]}
    if short:
        key, *others = short
        need, (rule, name, file), job = short[key]
        one = study.ensembles[name]
        too = "".join(f", and limits.{other}: {ceil(short[other][0])}" for other in others)
        return (
            f"limits.{key} must be at least {ceil(need)} for {f'{rule} {file}'.strip()} of one "
            f"network of {name} (width {one.width}, depth {one.depth}), not {limits[key]}"
            f"{_cure(estimate, key, need, job, attempts if rule in RESUMED else 1)}{too}."
        )
    disk = totals(estimate)["total"].disk / 1e9
    if limits["disk_gb"] is not None and disk > limits["disk_gb"]:
        return (
            f"limits.disk_gb must be at least {ceil(disk)} for {study.name}, "
            f"not {limits['disk_gb']}; fewer seeds, or fewer kept_steps, would do."
        )
    return None


def _worst(
    estimate: Estimate, need: Callable[[Job, str], float]
) -> tuple[float, tuple[str, str, str], Job]:
    """Return the job of one network that needs most, its rule, ensemble and file, and how much."""
    return max(
        (
            (need(job, one[0]), one, job)
            for ensemble in estimate.study.ensembles
            for one in estimate.of_ensemble(ensemble)
            for job in [estimate.job(*one[:2], 1, one[2])]
        ),
        key=lambda found: found[0],
    )


def _time(estimate: Estimate, job: Job) -> float:
    """Return the hours of a job on what it asks for."""
    asked = estimate.resources(job)
    return (job.gpu_seconds if asked.gpu else job.seconds / asked.threads) / 3600


def _cure(estimate: Estimate, key: str, worst: float, job: Job, attempts: int) -> str:
    """Return what would do in place of a larger limit, as the end of a sentence."""
    if key != "hours":
        return "; smaller networks would do"
    limit = estimate.limits["hours"]
    if not estimate.limits["gpus"] and job.gpu_seconds / 3600 / attempts <= limit:
        return f"; limits.gpus: 1 would do, with {_hours(job.gpu_seconds / 3600, 'GPU')}"
    threads = ceil(worst * estimate.limits["threads"] / limit)
    if not estimate.resources(job).gpu and threads <= MOST_THREADS:
        return f"; limits.threads: {threads} would do"
    return "; fewer max_steps or smaller networks would do"


def computed_file(wildcards: Mapping[str, str]) -> str:
    """Return the measure or profile that a job computes, or the similarity and its pairs."""
    if "similarity" in wildcards:
        return "{similarity}/{pairs}".format(**wildcards)
    return wildcards.get("measure") or wildcards.get("profile") or ""


def seeds_of_block(block: str) -> int:
    """Return the number of seeds of ``seeds-<first>-<last>``."""
    _, first, last = block.split("-")
    return int(last) - int(first) + 1


def _largest(seeds: int, one: float, all_: float, limit: float) -> int:
    """Return the most seeds, at least one, whose cost, affine in their number, is in a limit."""
    if all_ <= limit:
        return seeds
    each = (all_ - one) / max(1, seeds - 1)
    return max(1, min(seeds, int(1 + (limit - one) / each))) if each > 0 else 1


def main(files: list[str]) -> None:
    """Print the costs of the study of a configuration file."""
    try:
        check_config_files(files)
        study = read_study(yaml.safe_load(Path(files[0]).read_text(encoding="utf-8")), files)
    except InputError as error:
        sys.exit(f"InputError: {error}")
    estimate = Estimate(study, read_rates(study.rates), gpu=read_gpu_rates())
    print("\n".join([*table(estimate), headline(estimate), told_gpu_rates(estimate)]))
    if problem := impossible(estimate):
        print(problem)


if __name__ == "__main__":
    main(sys.argv[1:])
