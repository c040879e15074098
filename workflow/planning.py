"""From a study's configuration to the ensembles and measures that it needs. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import prod
from pathlib import Path
from typing import Any

from own_architectures import DeclaredArchitecture, read_architectures
from own_datasets import DeclaredDataset, impossible_with, read_own_datasets
from own_study import OwnNetworks, known_measures, read_own_networks
from schema import MEASURED_PARTS, SCHEMA, among, check, check_keys, listed, settings_of, shown

from generalization.blocks import paired_blocks, seed_blocks
from generalization.catalog import (
    ALWAYS,
    CHECKABLE,
    COLLECTED,
    DATASETS,
    ENSEMBLE_MEASURES,
    FIGURES,
    MEASURES,
    PAGES,
    PAPERS,
    PROFILES,
    SETTINGS,
    TABLES,
    Shape,
)
from generalization.errors import InputError
from generalization.hyperparameters import (
    FIXED_SIZE,
    Hyperparameters,
    canonical_arguments,
    choices_of,
    contradictions,
    expand_grid,
    is_swept,
    label_noise_faults,
    short_hash,
)
from generalization.networks.architectures import unsuitable
from generalization.networks.foreign_architecture import FORM, PLACE

# Jobs that check measures, which can run side by side.
CHECKING_JOBS = 4
SHARE_A_JOB = [name for name, measure in MEASURES.items() if measure.shares_a_job]


@dataclass(frozen=True)
class Study:
    """A checked configuration.

    Attributes:
        name: Name of the study and of the folder of its results.
        title: Head line of the report.
        seeds: Networks per ensemble.
        device: ``auto``, ``cpu`` or ``cuda``.
        data_root: Folder that is searched first for the source files of datasets.
        ensembles: Name → hyper-parameters.
        measures: Name of the measure's file → the measure and its settings.
        profiles: Profile → its settings.
        comparisons: Pairs of values of a hyper-parameter, one expected to generalize better.
        papers: Papers whose claims are judged.
        untested_claims: Whether claims are listed that the study does not answer.
        fitting: Criterion for having fitted random data, or None.
        regularization: That for networks with and without regularizers, or None.
        activations: Settings of the record of activations, or None.
        records_all: Whether activations of all networks are recorded, also if none are compared.
        ensemble_measures: Name of the ensemble measure's file → the measure and its settings.
        audit_checks: Settings of the checks of measures, or None.
        similarities: Similarity → its settings.
        statistics: Settings of statistics.
        figures: Settings of figures.
        limits: Limits of a job, and what it may ask for.
        rates: Rates of a core, in place of those that were measured.
        own: Networks that were trained elsewhere, in place of ensembles.
        own_datasets: Datasets of the user, by name.
        architectures: Ensemble → its architecture, of those whose networks the user builds.
        folders: Folders in which modules of the user are looked for.
    """

    name: str
    title: str
    seeds: int
    device: str
    data_root: str | None
    ensembles: dict[str, Hyperparameters]
    measures: dict[str, tuple[str, dict[str, Any]]]
    profiles: dict[str, dict[str, Any]]
    comparisons: list[dict[str, Any]]
    papers: list[str]
    untested_claims: bool
    fitting: dict[str, Any] | None
    regularization: dict[str, Any] | None
    activations: dict[str, Any] | None
    ensemble_measures: dict[str, tuple[str, dict[str, Any]]]
    audit_checks: dict[str, Any] | None
    similarities: dict[str, dict[str, Any]]
    statistics: dict[str, Any]
    figures: dict[str, Any]
    limits: dict[str, Any]
    rates: dict[str, float]
    records_all: bool = False
    own: OwnNetworks | None = None
    own_datasets: Mapping[str, DeclaredDataset] = field(default_factory=dict)
    architectures: Mapping[str, DeclaredArchitecture] = field(default_factory=dict)
    folders: Sequence[str] = ()

    @property
    def sharing_measures(self) -> list[str]:
        """Cheap measures with default settings, which share a job."""
        return [file for file in self.measures if file in SHARE_A_JOB]

    @property
    def lone_measures(self) -> list[str]:
        """Files of measures that have a job of their own."""
        return [file for file in self.measures if file not in self.sharing_measures]

    @property
    def sharing_ensemble_measures(self) -> list[str]:
        """Ensemble measures with default settings, which share a job."""
        return [file for file in self.ensemble_measures if file in ENSEMBLE_MEASURES]

    @property
    def lone_ensemble_measures(self) -> list[str]:
        """Files of ensemble measures that have a job of their own."""
        return [
            file for file in self.ensemble_measures if file not in self.sharing_ensemble_measures
        ]

    @cached_property
    def tables(self) -> set[str]:
        """Tables and settings from which figures and other tables can be derived."""
        tables = {*ALWAYS, *self.profiles}
        tables |= {name for name in (*COLLECTED, *SETTINGS) if getattr(self, name)}
        waiting = {
            name: one
            for name, one in TABLES.items()
            if (self.papers or not one.for_papers)
            and (not one.sweeps or {*one.sweeps}.intersection(self.factors))
        }
        while found := {name for name, one in waiting.items() if tables.issuperset(one.made_from)}:
            tables |= found
            waiting = {name: one for name, one in waiting.items() if name not in found}
        return tables

    @cached_property
    def figures_and_pages(self) -> tuple[list[str], list[str]]:
        """Figures and pages of the report for which the study has all that they show."""
        measures = {measure for measure, _ in self.measures.values()}
        kept = [one.kept_steps for one in self.ensembles.values()]
        on_the_way = any(isinstance(steps, str) or len(steps) > 1 for steps in kept)
        pairs = {pair for settings in self.similarities.values() for pair in settings["pairs"]}
        figures = [
            name
            for name, figure in FIGURES.items()
            if self.tables.issuperset(figure.made_from)
            and measures.issuperset(figure.measures)
            and (on_the_way or not figure.course)
            and not (self.own and figure.training)
            and (figure.pairs in pairs or not figure.pairs)
            and (figure.sweeps in self.factors or not figure.sweeps)
        ]
        return figures, [page for page in PAGES if page in self.tables | {"excluded"}]

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Numbers of images and their size, by dataset."""
        return DATASETS | {name: one.shape for name, one in self.own_datasets.items()}

    @property
    def classes(self) -> dict[str, int]:
        """Number of classes by dataset."""
        return {one.dataset: self.shapes[one.dataset].classes for one in self.ensembles.values()}

    @property
    def images(self) -> dict[str, tuple[int, int, int]]:
        """Dataset → channels, height and width of its images, before they are cropped."""
        shapes = {one.dataset: self.shapes[one.dataset] for one in self.ensembles.values()}
        return {name: (one.channels, one.height, one.width) for name, one in shapes.items()}

    def channels_of(self, dataset: str) -> int:
        """Return the number of channels of the images of a dataset."""
        return self.shapes[dataset].channels

    @property
    def test_sizes(self) -> dict[str, int]:
        """Dataset → number of its test points."""
        return {one.dataset: self.shapes[one.dataset].test for one in self.ensembles.values()}

    @property
    def rooms(self) -> dict[str, tuple[str, ...]]:
        """Experiments that hold the claims, by paper."""
        return {paper: PAPERS[paper] for paper in self.papers}

    @property
    def baselines(self) -> list[str]:
        """Measures that serve as baselines for the others."""
        return [name for name, _ in self.measures.values() if MEASURES[name].baseline]

    @cached_property
    def factors(self) -> list[str]:
        """Hyper-parameters in which some pair of ensembles differs in isolation.

        Depth and width also count together, at a fixed number of parameters.
        """
        about = [one.as_dict() for one in self.ensembles.values()]
        if not about:
            return []
        swept = [
            key
            for key in about[0]
            if key not in {"dataset", "kept_steps"}
            and len({tuple((one | {key: None}).values()) for one in about}) < len(about)
        ]
        return swept + [FIXED_SIZE] * ({"depth", "width"} <= set(swept))

    def names_of_figures(self, figure: str) -> list[str]:
        """List the measures or factors with a figure each; none if there is a single figure."""
        each = {
            "measure": [measure for measure, _ in self.measures.values()],
            "factor": self.factors,
        }
        return each.get(FIGURES[figure].one_per, [])

    def profile_file(self, profile: str) -> str:
        """Return the name of the file of a profile."""
        return _file_name(profile, self.profiles[profile])

    @property
    def activations_file(self) -> str:
        """File name of the record of activations."""
        return f"{_file_name('activations', self.activations or {})}.h5"

    @property
    def checked_measures(self) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        """Job → measures that it checks, with their settings; a hash decides which job."""
        given = dict([*self.measures.values(), *self.ensemble_measures.values()])
        given |= self.similarities
        jobs: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for name in (self.audit_checks or {"measures": ()})["measures"]:
            job = f"job{int(short_hash({'measure': name}), 16) % CHECKING_JOBS + 1}"
            jobs.setdefault(job, []).append((name, given.get(name, settings_of(name))))
        return jobs

    @property
    def noisy_copies_file(self) -> str:
        """File name of the record of noisy copies, with the settings of its profile."""
        return f"{self.profile_file('noise_clouds').replace('noise_clouds', 'noisy_copies')}.h5"

    def similarity_file(self, similarity: str) -> str:
        """Return the name of the files of a similarity; their folders tell what is compared."""
        settings = dict(self.similarities[similarity], pairs=settings_of(similarity)["pairs"])
        return _file_name(similarity, settings, of_activations=self.activations)

    def compared_blocks(
        self, results: Path, most: Mapping[str, int] | None = None
    ) -> dict[str, list[tuple[str, str, str, str]]]:
        """List the pairs of blocks of seeds whose networks are compared.

        Args:
            results: Folder of all ensembles.
            most: Largest new block of seeds, by ensemble.

        Returns:
            ``over_training``, ``straight_line``, ``between_seeds`` and ``between_ensembles`` →
            ensemble and block, and the ensemble and block compared with them.
        """
        blocks = {
            name: seed_blocks(results / name, self.seeds, (most or {}).get(name))
            for name in sorted(self.ensembles)
        }
        alone = [(name, block, name, block) for name in blocks for block in blocks[name]]
        paired = [
            (name, one, name, other)
            for name in blocks
            for one, other in paired_blocks(blocks[name])
        ]
        different = [
            (one, block, other, another)
            for one, other in combinations(blocks, 2)
            if _inputs_of(self.ensembles[one]) == _inputs_of(self.ensembles[other])
            for block in blocks[one]
            for another in blocks[other]
        ]
        return {
            "over_training": alone,
            "straight_line": alone,
            "between_seeds": paired,
            "between_ensembles": different,
        }


def read_study(config: Mapping[str, Any], files: Sequence[str] = ()) -> Study:
    """Check the whole configuration before anything is computed.

    Args:
        config: Content of the YAML file of the study.
        files: The file itself. Its name must be that of the study, so that no copy overwrites the
            results of another.

    Returns:
        The study, with defaults filled in.

    Raises:
        InputError: If any key or value is unknown or impossible.
    """
    check(config, SCHEMA)
    for file in files:
        if Path(file).stem != config["study"]:
            raise InputError(
                f"study must be {Path(file).stem!r}, the name of its file {file}, "
                f"not {shown(config['study'])}."
            )
    measures = config["measures"]
    for part in MEASURED_PARTS:
        known = SCHEMA["$defs"][part]["properties"]
        for name, settings in config.get(part, {}).items():
            if name not in known:
                raise InputError(f"{part} must be among {among(known, name)}.")
            check(settings, known[name], f"{part}.{name}")
    _check_size(config)
    own_datasets = {} if "networks" in config else read_own_datasets(config, files)
    ensembles = {
        one.name: one
        for position, grid in enumerate(config.get("ensembles", ()))
        for one in _ensembles_of(grid, f"ensembles[{position}]", own_datasets)
    }
    folders = [str(Path(file).parent) for file in files[:1]] + ["."]
    shapes = DATASETS | {name: dataset.shape for name, dataset in own_datasets.items()}
    architectures = read_architectures(ensembles, shapes, folders)
    own = read_own_networks(config) if "networks" in config else None
    for key in () if own else ("ensembles", "seeds"):
        if key not in config:
            raise InputError(f"{key} must be given; the keys there are {listed(config)}.")
    defaults = {key: about.get("default") for key, about in SCHEMA["properties"].items()}
    given = defaults | config
    study = Study(
        name=given["study"],
        title=given["title"],
        seeds=given["seeds"] or 0,
        device=given["device"],
        data_root=given["data_root"],
        ensembles=ensembles,
        measures={
            _file_name(measure, settings): (measure, settings_of(measure) | settings)
            for measure, settings in measures.items()
        },
        profiles={
            profile: settings_of(profile) | settings
            for profile, settings in given["profiles"].items()
        },
        comparisons=[_comparison(one) for one in given["comparisons"]],
        papers=given["papers"],
        untested_claims=given["untested_claims"],
        **{
            key: None if given[key] is None else settings_of(key) | given[key]
            for key in ("fitting", "regularization")
        },
        activations=_activations(config, ensembles),
        records_all="activations" in config,
        ensemble_measures={
            _file_name(measure, settings): (measure, settings_of(measure) | settings)
            for measure, settings in given["ensemble_measures"].items()
        },
        audit_checks=_audit_checks(given["audit_checks"]),
        similarities={
            similarity: settings_of(similarity) | settings
            for similarity, settings in given["similarities"].items()
        },
        statistics=settings_of("statistics") | given["statistics"],
        figures=settings_of("figures") | given["figures"],
        limits=settings_of("limits") | given["limits"],
        rates={key: float(rate) for key, rate in given["rates"].items()},
        own=own,
        own_datasets=own_datasets,
        architectures=architectures,
        folders=folders,
    )
    for sentence in _impossible_in_study(study):
        raise InputError(sentence)
    return study


def is_folder(path: str) -> bool:
    """Whether there is such a folder; a name that the system refuses is none."""
    try:
        return Path(path).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):
        return False


def check_config_files(files: Sequence[str]) -> None:
    """Refuse several configuration files, which Snakemake would merge key by key into one study.

    Raises:
        InputError: If there are several, or a key stands twice in the one.
    """
    if len(files) > 1:
        raise InputError(
            "--configfile must be one file, for Snakemake merges several into one study, not "
            f"{' and '.join(map(str, files))}; single keys can be changed by --config KEY=VALUE."
        )
    for file in files:
        check_keys(file)


def _file_name(
    definition: str,
    settings: Mapping[str, Any],
    *,
    of_activations: Mapping[str, Any] | None = None,
) -> str:
    """Return a file name that contains a hash of the settings that differ from their defaults."""
    chosen = _chosen(definition, settings) | _chosen("activations", of_activations or {})
    return f"{definition}-{short_hash(chosen)}" if chosen else definition


def _chosen(definition: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Select the settings that differ from their defaults."""
    defaults = settings_of(definition)
    return {key: value for key, value in settings.items() if value != defaults[key]}


def _activations(
    config: Mapping[str, Any], ensembles: Mapping[str, Hyperparameters]
) -> dict[str, Any] | None:
    """Return the settings of the record, with enough samples for similarities."""
    given, compared = config.get("activations"), config.get("similarities")
    if given is None and not compared:
        return None
    settings = settings_of("activations")
    if compared:
        widest = max(one.width for one in ensembles.values())
        settings["samples"] = max(settings["samples"], 10 * widest)
    return settings | (given or {})


def _comparison(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison with its defaults, and with values as tables have them."""
    one = {"fitted": True} | dict(given)
    if one["setting"] == "architecture_arguments":
        one |= {side: canonical_arguments(one[side]) for side in ("better", "worse")}
    return one


def _audit_checks(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the settings of the checks, with the names of all measures if none are named."""
    if given is None:
        return None
    settings = settings_of("audit_checks") | given
    return settings | {"measures": settings["measures"] or list(CHECKABLE)}


def _inputs_of(one: Hyperparameters) -> tuple[Any, ...]:
    """Return the hyper-parameters that determine the test inputs of an ensemble."""
    labels_only = one.randomization in {"none", "random_labels"}
    randomization = "none" if labels_only else one.randomization
    return one.dataset, one.crop, one.input_normalization, randomization


def _check_size(config: Mapping[str, Any]) -> None:
    """Refuse a study whose ensembles and networks are too many to be planned.

    Raises:
        InputError: If it is one.
    """
    limits, seeds = settings_of("limits") | config.get("limits", {}), config.get("seeds") or 0
    ensembles = sum(map(_size_of, config.get("ensembles", ())))
    if ensembles > limits["ensembles"]:
        raise InputError(
            f"ensembles must be at most {limits['ensembles']} (limits.ensembles, which can be "
            f"raised), not {ensembles}."
        )
    if ensembles * seeds > limits["networks"]:
        raise InputError(
            f"seeds must be at most {limits['networks'] // ensembles} for {ensembles} "
            f"ensemble{'s' * (ensembles > 1)} (limits.networks, {limits['networks']}, can be "
            f"raised), not {seeds}."
        )


def _size_of(grid: Mapping[str, Any]) -> int:
    """Return the number of combinations of a grid, or of a sample of them."""
    sample, choices = grid.get("sample") or {}, choices_of(grid)
    paired = prod(len(choices[key]) for key in sample.get("paired", ()) if key in choices)
    whole = prod(map(len, choices.values()))
    return min(whole, sample["size"] * paired) if sample else whole


def _ensembles_of(
    grid: Mapping[str, Any], name: str, own: Mapping[str, DeclaredDataset]
) -> Iterator[Hyperparameters]:
    """Expand a grid to the hyper-parameters of its ensembles.

    Raises:
        InputError: If a key or value of the grid is unknown or impossible.
    """
    known, sample = SCHEMA["$defs"]["hyperparameters"]["properties"], grid.get("sample", {})
    more = {"dataset": own, "architecture": [FORM]}
    known = known | {key: {"enum": [*known[key]["enum"], *names]} for key, names in more.items()}
    for key in sample.get("paired", ()):
        if key not in grid or key == "sample":
            raise InputError(f"{name}.sample.paired must be keys of the grid, not {key!r}.")
    for key, value in grid.items():
        if key == "sample":
            continue
        if key not in known:
            raise InputError(f"keys of {name} must be among {among(known, key)}.")
        swept = is_swept(key, value)
        if swept and not value:
            raise InputError(f"{name}.{key} must have at least 1 item, not [].")
        for one in value if swept else [value]:
            if key == "architecture" and PLACE.fullmatch(str(one)):
                continue  # A function of the user.
            check(one, known[key], f"{name}.{key}")
    for one in expand_grid(grid):
        for sentence in _impossible_in_ensemble(one, own.get(one.dataset)):
            raise InputError(f"{name}.{sentence}")
        yield one


def _impossible_in_ensemble(one: Hyperparameters, own: DeclaredDataset | None) -> Iterator[str]:
    """Yield a sentence for every contradiction between hyper-parameters."""
    shape = own.shape if own else DATASETS[one.dataset]
    if own:
        yield from impossible_with(one, own)
    if one.train_size is not None and one.train_size > shape.train:
        yield (
            f"train_size must be at most {shape.train}, the training images of {one.dataset}, "
            f"not {one.train_size}."
        )
    side = min(shape.height, shape.width)
    if one.crop is not None and one.crop > side:
        yield f"crop must be at most {side}, the side of images of {one.dataset}, not {one.crop}."
    if isinstance(one.kept_steps, tuple) and max(one.kept_steps, default=0) > one.max_steps:
        yield f"kept_steps must be at most max_steps, {one.max_steps}, not {max(one.kept_steps)}."
    if one.randomization == "random_labels" and one.label_corruption:
        yield (
            "label_corruption must be 0 where randomization is 'random_labels', "
            f"not {one.label_corruption}."
        )
    yield from label_noise_faults(one, shape.classes)
    yield from contradictions(one, one.train_size or shape.train)
    sides = (shape.height, shape.width) if one.crop is None else (one.crop, one.crop)
    yield from unsuitable(one, (shape.channels, *sides))


def _impossible_checks(study: Study) -> Iterator[str]:
    """Yield a sentence for every reason why the measures of a study cannot be checked."""
    if study.audit_checks is None:
        return
    for name in study.audit_checks["measures"]:
        if name not in CHECKABLE:
            yield f"audit_checks.measures must be among {among(CHECKABLE, name)}."
    needed = {"architecture": "fully_connected", "activation": "relu", "normalization": "none"}
    first = next(iter(study.ensembles.values()))
    for key, value in needed.items():
        if (found := getattr(first, key)) != value:
            yield f"{key} of the first ensemble must be {value!r} for audit_checks, not {found!r}."


def _impossible_in_study(study: Study) -> Iterator[str]:
    """Yield a sentence for every contradiction between parts of a study."""
    if study.own:
        layered = [name for name in MEASURES if MEASURES[name].fully_connected_only]
        yield from known_measures([name for name, _ in study.measures.values()], layered)
        return
    known = Hyperparameters.__dataclass_fields__
    for key, value in study.figures.items():
        if value not in known:
            yield f"figures.{key} must be one of {among(known, value)}."
    for place, comparison in enumerate(study.comparisons):
        setting = comparison["setting"]
        if setting not in known:
            yield f"comparisons[{place}].setting must be one of {among(known, setting)}."
    taken = {measure for measure, _ in study.measures.values()} | set(study.profiles)
    layered = {name for name in taken if (MEASURES | PROFILES)[name].fully_connected_only}
    for one in study.ensembles.values():
        if layered and one.architecture != "fully_connected":
            yield (
                f"architecture must be 'fully_connected' where {listed(sorted(layered))} "
                f"{'is' if len(layered) == 1 else 'are'} taken, not {one.architecture!r}."
            )
    for name in sorted(one for one in taken if "pixel_noise_std" in settings_of(one)):
        for one in study.ensembles.values():
            colored = study.channels_of(one.dataset) > 1
            if colored and one.input_normalization == "each_channel":
                yield (
                    "input_normalization must not be 'each_channel' for images of several channels "
                    f"where {name} is taken, whose noise has one scale in an image."
                )
    if study.data_root is not None and not is_folder(study.data_root):
        yield f"data_root must be a folder, not {shown(study.data_root)}."
    if study.ensemble_measures and study.seeds < 2:
        yield f"seeds must be at least 2 where ensemble_measures are taken, not {study.seeds}."
    # There are as many pairs as the square of the ensembles: none is listed if none is compared.
    between_ensembles = study.similarities and study.compared_blocks(Path())["between_ensembles"]
    for similarity, settings in study.similarities.items():
        if "between_ensembles" in settings["pairs"] and not between_ensembles:
            yield (
                f"similarities.{similarity}.pairs must be among over_training, straight_line, "
                "between_seeds where no two ensembles see the same inputs, "
                f"not {settings['pairs']!r}."
            )
        if "straight_line" in settings["pairs"]:
            yield from (
                f"kept_steps must have 0 where similarities.{similarity}.pairs has straight_line, "
                f"not {list(one.kept_steps)}."
                for one in study.ensembles.values()
                if isinstance(one.kept_steps, tuple) and 0 not in one.kept_steps
            )
    yield from _impossible_checks(study)
    for declared in study.architectures.values() if study.activations else ():
        if study.similarities:
            yield (
                "similarities must be left out where architecture is "
                f"{declared.architecture.place!r}, whose layers have no depth in the tables."
            )
        if declared.about["hides"]:
            yield (
                "activations must be left out where architecture is "
                f"{declared.architecture.place!r}: {declared.about['hides'].rstrip('.')}."
            )
        if (study.activations or {})["kind"] != "activations":
            yield (
                "activations.kind must be 'activations' where architecture is "
                f"{declared.architecture.place!r}, not {(study.activations or {})['kind']!r}."
            )
    last_layer = max((study.activations or {}).get("layers") or [0])
    known = study.architectures
    depth = min(
        len(known[name].about["hidden"]) + 1 if one.is_foreign else one.depth
        for name, one in study.ensembles.items()
    )
    if last_layer >= depth:
        yield (
            f"activations.layers must be less than the smallest depth, {depth}, not {last_layer}."
        )
