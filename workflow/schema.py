"""What may be configured, and the sentence for what may not. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from generalization.errors import InputError

SCHEMA = yaml.safe_load(
    Path(__file__).with_name("schemas").joinpath("study.schema.yaml").read_text()
)
# JSON's integers include 100.0, which Python takes for another number than 100.
VALIDATOR = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)
FEW = 8  # Names that a sentence lists.
TYPES = {"null": "null", "object": "a mapping", "array": "a list", "integer": "an integer"}


def check(value: Any, schema: Mapping[str, Any], name: str = "") -> None:
    """Hold a value against a schema.

    Args:
        value: Of a configuration.
        schema: A JSON schema; references go to the definitions of ``SCHEMA``.
        name: What the value is called, for the sentence.

    Raises:
        InputError: With one sentence: key, need, value.
    """
    validator = VALIDATOR({**schema, "$defs": SCHEMA["$defs"]})
    error = next(validator.iter_errors(value), None)
    if error is not None:
        raise InputError(_sentence(error, name))
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} must be finite, not {value!r}.")


def settings_of(definition: str) -> dict[str, Any]:
    """Default of every setting of a measure, or of a part of the configuration."""
    definitions = SCHEMA["$defs"]
    parts = [definitions[part]["properties"] for part in ("measures", "profiles", "similarities")]
    about = next(part[definition] for part in (*parts, definitions) if definition in part)
    properties = _followed(about).get("properties", {})
    return {key: _followed(setting)["default"] for key, setting in properties.items()}


def typed(value: Any) -> Any:
    """Give the leaves of a value of the command line the types that YAML gives them.

    Snakemake reads what stands within a value, as in ``--config 'statistics={resamples: 100}'``, as
    text.
    """
    if isinstance(value, Mapping):
        return {key: typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [typed(one) for one in value]
    return yaml.safe_load(value) if isinstance(value, str) else value


def listed(names: Iterable[Any]) -> str:
    """Names in a sentence."""
    return ", ".join(map(str, names)) or "none"


def among(known: Iterable[Any], found: object) -> str:
    """What a name must be, where it is none of those known, in a sentence.

    Few names are listed; of many, the nearest ones are, and where all of them are described.

    Args:
        known: The right names.
        found: The wrong one.
    """
    names = list(map(str, known))
    near = get_close_matches(str(found), names, cutoff=0.6)
    where = listed(names) if len(names) <= FEW else "those in workflow/schemas/study.schema.yaml"
    guess = f" (did you mean {' or '.join(near)}?)" if near else ""
    hint = _nested(str(found), names) or guess
    return f"{where}, not {found!r}{hint}"


def _nested(found: str, names: Sequence[str]) -> str:
    """How a key within a key is given on the command line, if that is what was tried."""
    outer, dot, inner = found.partition(".")
    if not (dot and outer in names):
        return ""
    return f" (on the command line, write --config '{outer}={{{inner}: …}}')"


def _followed(about: Mapping[str, Any]) -> Mapping[str, Any]:
    """A definition, through its reference."""
    reference = about.get("$ref", "").removeprefix("#/$defs/")
    return SCHEMA["$defs"][reference] if reference else about


def _sentence(error: jsonschema.ValidationError, name: str) -> str:
    parts = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path)
    key, value, need = (name + parts).lstrip("."), error.instance, error.validator_value
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = next(one for one in value if one not in known)
        return f"keys of {key or 'a study'} must be among {among(known, unknown)}."
    if error.validator == "required":
        missing = next(one for one in need if one not in value)
        place = f"{key}." if key else ""
        return f"{place}{missing} must be given; the keys there are {listed(value)}."
    if error.validator == "enum":
        return f"{key} must be one of {among(need, value)}."
    needs = {
        "type": lambda: f"be {_types(need)}",
        "minimum": lambda: f"be at least {need}",
        "maximum": lambda: f"be at most {need}",
        "exclusiveMinimum": lambda: f"be greater than {need}",
        "exclusiveMaximum": lambda: f"be less than {need}",
        "minItems": lambda: f"have at least {need} item",
        "minProperties": lambda: f"have at least {need} key",
        "multipleOf": lambda: f"be a multiple of {need}",
        "uniqueItems": lambda: "have no item twice",
        "pattern": lambda: f"match {need}",
        "anyOf": lambda: " or ".join(f"be {_alternative(one)}" for one in need),
    }
    return f"{key} must {needs[error.validator]()}, not {value!r}{_cure(value)}."


def _cure(value: object) -> str:
    """How a number is written that YAML takes for text."""
    if not isinstance(value, str):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    digits, _, exponent = value.lower().partition("e")
    written = f"{digits}{'' if '.' in digits else '.0'}e{int(exponent):+03d}" if exponent else ""
    return f" (text to YAML; write the number as {written or repr(number)})"


def _alternative(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return listed(schema["enum"])
    if schema["type"] == "array":
        return f"a list of different integers of at least {schema['items']['minimum']}"
    return _types(schema["type"])


def _types(names: str | Sequence[str]) -> str:
    names = [names] if isinstance(names, str) else names
    return " or ".join(TYPES.get(name, f"a {name}") for name in names)
