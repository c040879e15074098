"""From a study's configuration to the ensembles and measures that it needs. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from generalization.datasets import DATASETS
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters, expand_grid, short_hash
from generalization.measures import SHARE_A_JOB

SCHEMA = yaml.safe_load(Path(__file__).with_name("schemas").joinpath("study.schema.yaml").read_text())


@dataclass(frozen=True)
class Study:
    """A checked configuration.

    Attributes:
        ensembles: Name → hyper-parameters.
        measures: Name of the measure's file → the measure and its settings.
        activations: Settings of the record of activations, or nothing.
    """

    name: str
    title: str
    seeds: int
    device: str
    data_root: str | None
    ensembles: dict[str, Hyperparameters]
    measures: dict[str, tuple[str, dict[str, Any]]]
    activations: dict[str, Any] | None
    statistics: dict[str, Any]
    figures: dict[str, Any]

    @property
    def activations_file(self) -> str:
        """Name of the record of activations: settings that differ from defaults are part of it."""
        return f"{_named('activations', self.activations or {})}.h5"

    @property
    def sharing_measures(self) -> list[str]:
        """Measures of one job: cheap ones, with default settings."""
        return [file for file in self.measures if file in SHARE_A_JOB]


def read_study(config: Mapping[str, Any]) -> Study:
    """Check a configuration, all of it, before anything is computed.

    Args:
        config: What the YAML file of the study says.

    Returns:
        The study, with defaults filled in.

    Raises:
        InputError: If any key or value is unknown or impossible.
    """
    check(config, SCHEMA)
    definitions = SCHEMA["$defs"]
    grids = list(_checked_grids(config["ensembles"]))
    ensembles = {one.name: one for position, grid in grids for one in _checked(grid, position)}
    for measure, settings in config["measures"].items():
        known = definitions["measures"]["properties"]
        if measure not in known:
            raise InputError(f"measures must be among {_listed(known)}, not {measure!r}.")
        check(settings, known[measure], f"measures.{measure}")
    activations = config.get("activations")
    study = Study(
        name=config["study"],
        title=config.get("title", SCHEMA["properties"]["title"]["default"]),
        seeds=config["seeds"],
        device=config.get("device", "auto"),
        data_root=config.get("data_root"),
        ensembles=ensembles,
        measures={
            _named(measure, settings): (measure, settings_of(measure) | settings)
            for measure, settings in config["measures"].items()
        },
        activations=None if activations is None else settings_of("activations") | activations,
        statistics=settings_of("statistics") | config.get("statistics", {}),
        figures=settings_of("figures") | config.get("figures", {}),
    )
    _check_across(study)
    return study


def seed_blocks(ensemble: Path, seeds: int) -> list[str]:
    """The folders that hold the seeds 1, 2, … of an ensemble.

    A block of seeds is trained by one job, as one stack. Blocks that are there already stay as they
    are; seeds in none of them make new blocks, so that added seeds train alone.

    Args:
        ensemble: Folder of the ensemble.
        seeds: How many are wanted. A block may hold more.

    Returns:
        Names ``seeds-<first>-<last>``, in order.
    """
    names = (path.name for path in ensemble.glob("seeds-*-*") if path.is_dir())
    there = sorted(tuple(map(int, name.split("-")[1:])) for name in names)
    blocks, wanted = [], 1
    for first, last in there:
        if wanted < first <= seeds:
            blocks.append((wanted, first - 1))
        if first <= seeds:
            blocks.append((first, last))
            wanted = last + 1
    if wanted <= seeds:
        blocks.append((wanted, seeds))
    return [f"seeds-{first}-{last}" for first, last in blocks]


def check(value: Any, schema: Mapping[str, Any], name: str = "") -> None:
    """Hold a value against a schema.

    Args:
        value: Of a configuration.
        schema: A JSON schema; references go to the schema of a study.
        name: What the value is called, for the sentence.

    Raises:
        InputError: With one sentence: key, need, value.
    """
    validator = jsonschema.Draft202012Validator({**schema, "$defs": SCHEMA["$defs"]})
    error = next(validator.iter_errors(value), None)
    if error is not None:
        raise InputError(_sentence(error, name))
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} must be finite, not {value!r}.")


def _sentence(error: jsonschema.ValidationError, name: str) -> str:
    parts = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path)
    key, value, need = (name + parts).lstrip("."), error.instance, error.validator_value
    if error.validator == "additionalProperties":
        unknown = next(one for one in value if one not in error.schema.get("properties", {}))
        known = error.schema.get("properties")
        return f"keys of {key or 'a study'} must be among {_listed(known)}, not {unknown!r}."
    if error.validator == "required":
        missing = next(one for one in need if one not in value)
        return f"{f'{key}.' if key else ''}{missing} must be given; the keys there are {_listed(value)}."
    needs = {
        "enum": lambda: f"be one of {_listed(need)}",
        "const": lambda: f"be {need!r}",
        "type": lambda: f"be {_types(need)}",
        "minimum": lambda: f"be at least {need}",
        "maximum": lambda: f"be at most {need}",
        "exclusiveMinimum": lambda: f"be greater than {need}",
        "exclusiveMaximum": lambda: f"be less than {need}",
        "minItems": lambda: f"have at least {need} item",
        "minProperties": lambda: f"have at least {need} key",
        "uniqueItems": lambda: "have no item twice",
        "pattern": lambda: f"match {need}",
        "anyOf": lambda: " or ".join(f"be {_alternative(one)}" for one in need),
    }
    return f"{key} must {needs[error.validator]()}, not {value!r}."


def _alternative(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return repr(schema["const"])
    if schema["type"] == "array":
        least = schema["items"].get("minimum", "")
        return f"a list of different integers of at least {least}"
    return _types(schema["type"])


def _types(names: str | Sequence[str]) -> str:
    words = {"null": "null", "object": "a mapping", "array": "a list", "integer": "an integer"}
    names = [names] if isinstance(names, str) else names
    return " or ".join(words.get(name, f"a {name}") for name in names)


def _listed(names: Any) -> str:
    return ", ".join(map(str, names or ["none"]))


def _checked_grids(grids: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Grids of which every single value fits the schema."""
    schema = SCHEMA["$defs"]["hyperparameters"]
    for position, grid in enumerate(grids):
        name = f"ensembles[{position}]"
        for key, value in grid.items():
            if key not in schema["properties"]:
                known = _listed(schema["properties"])
                raise InputError(f"keys of {name} must be among {known}, not {key!r}.")
            swept = isinstance(value, list) and (
                key != "kept_steps" or (value and all(isinstance(one, list) for one in value))
            )
            if swept and not value:
                raise InputError(f"{name}.{key} must have at least 1 item, not [].")
            for one in value if swept else [value]:
                check(one, schema["properties"][key], f"{name}.{key}")
        yield position, grid


def _checked(grid: Mapping[str, Any], position: int) -> Iterator[Hyperparameters]:
    """The configurations of a grid, each of which is possible."""
    for one in expand_grid(grid):
        shape, name = DATASETS[one.dataset], f"ensembles[{position}]"
        side = min(shape.height, shape.width)
        if one.train_size is not None and one.train_size > shape.train:
            raise InputError(
                f"{name}.train_size must be at most {shape.train}, the training images of "
                f"{one.dataset}, not {one.train_size}."
            )
        if one.crop is not None and one.crop > side:
            raise InputError(
                f"{name}.crop must be at most {side}, the side of images of {one.dataset}, "
                f"not {one.crop}."
            )
        if isinstance(one.kept_steps, tuple) and max(one.kept_steps, default=0) > one.max_steps:
            raise InputError(
                f"{name}.kept_steps must be at most max_steps, {one.max_steps}, "
                f"not {max(one.kept_steps)}."
            )
        if one.randomization == "random_labels" and one.label_corruption:
            raise InputError(
                f"{name}.label_corruption must be 0 where randomization is 'random_labels', "
                f"not {one.label_corruption}."
            )
        if one.augmentation == "flips_rotations" and shape.height != shape.width and not one.crop:
            raise InputError(
                f"{name}.augmentation must not be 'flips_rotations' for images that are not "
                f"square, not those of {one.dataset}."
            )
        yield one


def settings_of(definition: str) -> dict[str, Any]:
    """Default of every setting of a measure, or of a part of the configuration."""
    definitions = SCHEMA["$defs"]
    about = definitions["measures"]["properties"].get(definition) or definitions[definition]
    properties = _followed(about).get("properties", {})
    return {key: _followed(setting)["default"] for key, setting in properties.items()}


def _followed(about: Mapping[str, Any]) -> Mapping[str, Any]:
    """A definition, through its reference."""
    reference = about.get("$ref", "").removeprefix("#/$defs/")
    return SCHEMA["$defs"][reference] if reference else about


def _named(definition: str, settings: Mapping[str, Any]) -> str:
    """Name of a file: settings that differ from their defaults are part of it."""
    defaults = settings_of(definition)
    chosen = {key: value for key, value in settings.items() if value != defaults[key]}
    return f"{definition}-{short_hash(chosen)}" if chosen else definition


def _check_across(study: Study) -> None:
    """What no key can know by itself."""
    for key, value in study.figures.items():
        known = Hyperparameters.__dataclass_fields__
        if value not in known:
            raise InputError(f"figures.{key} must be one of {_listed(known)}, not {value!r}.")
    if study.activations and study.activations["layers"]:
        depth = min(one.depth for one in study.ensembles.values())
        if max(study.activations["layers"]) >= depth:
            raise InputError(
                f"activations.layers must be less than the smallest depth, {depth}, "
                f"not {max(study.activations['layers'])}."
            )
