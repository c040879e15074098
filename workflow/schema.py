"""Schema of a study, and the sentences for values that violate it. Imports no torch.

    python workflow/schema.py FILE

tells whether a configuration file can be read safely, before Snakemake reads it.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from generalization.errors import InputError, exit_on_input_error

# libyaml is ten times as fast, where pyyaml was built with it.
FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(file: Path) -> Any:
    """Read a YAML file of the project; those of a user are read by ``check_keys`` and Snakemake."""
    return yaml.load(file.read_text(encoding="utf-8"), FAST_LOADER)


SCHEMA = read_yaml(Path(__file__).with_name("schemas") / "study.schema.yaml")
# JSON counts 100.0 as an integer; names of ensembles would then differ between 100 and 100.0.
VALIDATOR = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)
# Parts of a configuration that name what is measured, each with its settings.
MEASURED_PARTS = ("measures", "ensemble_measures", "profiles", "similarities")
FEW = 8  # At most so many names are listed in a sentence.
LONGEST = 200  # Characters of a value in a sentence.
LARGEST = 2**63 - 1
TYPES = {"null": "null", "object": "a mapping", "array": "a list", "integer": "an integer"}


def check(value: Any, schema: Mapping[str, Any], name: str = "") -> None:
    """Check a value of a configuration against a schema.

    Args:
        value: Value to check.
        schema: A JSON schema; its references are resolved in ``SCHEMA``.
        name: Key of the value, for the sentence.

    Raises:
        InputError: If the value violates the schema: one sentence with key, need and value.
    """
    _check_numbers(value, name)
    validator = VALIDATOR({**schema, "$defs": SCHEMA["$defs"]})
    error = next(validator.iter_errors(value), None)
    if error is not None:
        raise InputError(_sentence(error, name))


def _check_numbers(value: Any, name: str) -> None:
    """Refuse numbers with which nothing can be computed, anywhere in a value.

    Raises:
        InputError: If one is infinite, not a number, or has no 64-bit integer.
    """
    if isinstance(value, Mapping):
        for key, one in value.items():
            _check_numbers(one, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list):
        for position, one in enumerate(value):
            _check_numbers(one, f"{name}[{position}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} must be finite, not {value!r}.")
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise InputError(f"{name} must be at most {LARGEST} in size, not {shown(value)}.")


def settings_of(definition: str) -> dict[str, Any]:
    """Return the default of every setting of a measure, or of a part of the configuration."""
    definitions = SCHEMA["$defs"]
    parts = [definitions[part]["properties"] for part in MEASURED_PARTS]
    about = next(part[definition] for part in (*parts, definitions) if definition in part)
    properties = _followed(about).get("properties", {})
    return {key: _followed(setting)["default"] for key, setting in properties.items()}


class _UniqueKeys(yaml.SafeLoader):
    """Reads YAML, and refuses a key that stands twice in a mapping, of which the last would win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping.

        Raises:
            InputError: If a key stands twice.
        """
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
                continue  # Keys of a mapping that is merged may be written over.
            key, line = self.construct_object(key_node), key_node.start_mark.line + 1
            if key in lines:
                raise InputError(
                    f"{self.name} must have every key once, not {shown(key)} in lines "
                    f"{lines[key]} and {line}."
                )
            lines[key] = line
        return super().construct_mapping(node, deep)


def check_keys(file: Path | str) -> None:
    """Refuse a configuration file that Snakemake cannot read, or reads otherwise than it stands.

    Args:
        file: A configuration of a study. Snakemake evaluates expressions in one with a true
            ``__use_yte__``, before the rules are read: a file of others is checked before that.

    Raises:
        InputError: If it is not there, or not YAML; if a key stands twice, of which the last would
            win; or if lists and mappings are nested too deeply, or within themselves.
    """
    try:
        loader = _UniqueKeys(Path(file).read_text(encoding="utf-8"))
        loader.name = str(file)
        found = loader.get_single_data()
        # It counts lists and mappings that are within themselves.
        json.dumps(found, default=str, skipkeys=True)
    except RecursionError as error:
        raise InputError(f"{file} must be nested less deeply to be read.") from error
    except OSError as error:
        raise InputError(f"{file} must be a file that can be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} must be text in UTF-8, but is not: {error}.") from error
    except yaml.YAMLError as error:
        raise InputError(f"{file} must be YAML: {' '.join(str(error).split())}.") from error
    except InputError:
        raise
    except ValueError as error:  # Numbers of more than 4,300 digits, or what contains itself.
        raise InputError(f"{file} must have values that can be read: {error}.") from error
    if isinstance(found, Mapping) and "__use_yte__" in found:
        raise InputError(f"{file} must have no key '__use_yte__', by which a file runs code.")


def typed(value: Any) -> Any:
    """Give nested values of ``--config`` the types that they have in a YAML file.

    Snakemake reads them all as text: ``--config 'statistics={resamples: 100}'`` gives ``"100"``.
    """
    if isinstance(value, Mapping):
        return {key: typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [typed(one) for one in value]
    if not isinstance(value, str):
        return value
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, value, (True, False))
    return loader.construct_object(yaml.ScalarNode(tag, value))


def shown(value: object) -> str:
    """Return a value for a sentence; a long one is cut."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integers of more than 4,300 digits.
        return "an integer of more than 4,300 digits"
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 4 :]}"


def listed(names: Iterable[Any]) -> str:
    """Join names for a sentence."""
    return ", ".join(map(str, names)) or "none"


def among(known: Iterable[Any], found: object) -> str:
    """Say what an unknown name must be: the second half of a sentence.

    A few known names are listed; of many, the sentence gives the closest ones and the file that
    describes all.

    Args:
        known: Valid names.
        found: The unknown name.
    """
    names = list(map(str, known))
    near = get_close_matches(str(found), names, cutoff=0.6)
    where = listed(names) if len(names) <= FEW else "those in workflow/schemas/study.schema.yaml"
    guess = f" (did you mean {' or '.join(near)}?)" if near else ""
    hint = _nested(str(found), names) or guess
    return f"{where}, not {shown(found)}{hint}"


def _nested(found: str, names: Sequence[str]) -> str:
    """Return a hint on how to set a nested key on the command line, if ``found`` is one."""
    outer, dot, inner = found.partition(".")
    if not (dot and outer in names):
        return ""
    return f" (on the command line, write --config '{outer}={{{inner}: …}}')"


def _followed(about: Mapping[str, Any]) -> Mapping[str, Any]:
    """Resolve the reference of a definition, if it is one."""
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
        "minLength": lambda: f"have at least {need} character",
        "minItems": lambda: f"have at least {need} item",
        "minProperties": lambda: f"have at least {need} key",
        "multipleOf": lambda: f"be a multiple of {need}",
        "uniqueItems": lambda: "have no item twice",
        "pattern": lambda: f"match {need}",
        "anyOf": lambda: " or ".join(f"be {_alternative(one)}" for one in need),
    }
    cure = _cure(value) if re.search("number|integer", str(need)) else ""
    return f"{key or 'a study'} must {needs[error.validator]()}, not {shown(value)}{cure}."


def _cure(value: object) -> str:
    """Return a hint on how to write a number that YAML reads as text, as it does ``1e-2``."""
    if not isinstance(value, str):
        return ""
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", value):
        return f" (text because of its quotes: write {value})"
    written = re.sub(r"^([-+]?\d+)(?=e)", r"\1.0", value.lower())
    written = re.sub(r"^([-+]?)(?=\.\d)", r"\g<1>0", re.sub(r"e(?=\d)", "e+", written))
    number = re.fullmatch(r"[-+]?\d+\.\d*(e[-+]\d+)?", written)
    return f" (text in YAML: write {written})" if number else ""


def _alternative(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return listed(schema["enum"])
    if schema["type"] == "array":
        return f"a list of different integers of at least {schema['items']['minimum']}"
    least = f" of at least {schema['minimum']}" if "minimum" in schema else ""
    return f"{_types(schema['type'])}{least}"


def _types(names: str | Sequence[str]) -> str:
    names = [names] if isinstance(names, str) else names
    return " or ".join(TYPES.get(name, f"a {name}") for name in names)


if __name__ == "__main__":
    with exit_on_input_error():
        check_keys(sys.argv[1])
