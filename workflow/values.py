"""Compare every study at a paper's scale with its paper, value by value: docs/values.md.

``python workflow/values.py`` writes the page, from the configurations and from
workflow/published_values.yaml, which holds what the papers say.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT)]

from planning import Study, read_study  # noqa: E402
from schema import read_yaml  # noqa: E402

from generalization.catalog import PAPERS  # noqa: E402
from generalization.hyperparameters import OF_BUILT_IN, Hyperparameters  # noqa: E402

PUBLISHED, PAGE = ROOT / "workflow/published_values.yaml", ROOT / "docs/values.md"
OPEN = "open"  # Value of a paper that leaves one open.
MOST_VALUES = 14  # Of more, the middle ones are left out.
# Parts of a study that hold settings by name, and those that are settings themselves.
NAMED = ("measures", "ensemble_measures", "profiles", "similarities")
SINGLE = ("activations", "fitting", "regularization", "statistics")
HEAD = """# Values of the papers, and ours

Written by `make values` from the studies in `config/` and from `workflow/published_values.yaml`.
Every study at a paper's scale is compared with its paper value by value. *Same* is compared by the
command; where a value differs, the page says why, and a test holds that it does. ASSUME marks what
a paper leaves open. Values that a source lost, or that are not among our sources, say where they
come from.

Below each stands the study for two cores, with all in which it differs, defaults filled in. Its
minutes were measured on two cores of an AMD EPYC, beside other work in most cases, and so are upper
bounds. Where a setting asks for more samples than a dataset has test images, all of them are taken.
"""


def page() -> str:
    """Write the page, in Markdown: one chapter per paper, one section per study."""
    lines = HEAD.splitlines()
    published, studies = published_values(), read_studies()
    for paper in PAPERS:
        # A study that judges the claims of several papers has the values of the first.
        named = [name for name in published if next(iter(studies[name].papers)) == paper]
        lines += ["", f"## {published[named[0]]['of']}"]
        for name in named:
            lines += _section(studies[name], published[name], studies)
    return "\n".join(lines) + "\n"


@cache
def published_values() -> dict[str, Any]:
    """Read what the papers say: study → source and values."""
    return read_yaml(PUBLISHED)


@cache
def read_studies() -> dict[str, Study]:
    """Read all studies of the project, by name."""
    files = sorted((ROOT / "config").glob("*.yaml"))
    return {file.stem: read_study(read_yaml(file)) for file in files}


def values_of(study: Study, key: str, of: Mapping[str, Any] | None = None) -> list[Any]:
    """List the values that a study has of a key.

    Args:
        study: The study.
        key: A hyper-parameter, ``seeds``, or a setting such as ``profiles.ellipses.ellipses``.
        of: Hyper-parameters of the ensembles that count; all, if not given.

    Raises:
        ValueError: If no ensemble counts.
    """
    if key == "seeds" or "." in key:
        found: Any = study
        for part in key.split("."):
            found = found[part] if isinstance(found, Mapping) else getattr(found, part)
            # A measure stands beside its settings.
            found = found[1] if isinstance(found, tuple) else found
        return list(found) if isinstance(found, (list, tuple)) else [found]
    counting = (of or {}).items()
    values = [
        _value_of(one, key)
        for one in study.ensembles.values()
        if _has(one, key) and all(_value_of(one, name) == value for name, value in counting)
    ]
    if not values:
        raise ValueError(f"{study.name} must have ensembles of {of!r}.")
    # Numbers ascend; names keep the order of the study.
    distinct = list(dict.fromkeys(values))
    numbers = all(isinstance(one, (int, float)) for one in distinct)
    return sorted(distinct) if numbers else distinct


def _has(one: Hyperparameters, key: str) -> bool:
    """Return whether networks have a hyper-parameter: foreign ones lack those of built-in ones."""
    return not (one.is_foreign and key in OF_BUILT_IN)


def _value_of(one: Hyperparameters, key: str) -> Any:
    """Return the value of a hyper-parameter; of a function of the package its name is enough."""
    value = getattr(one, key)
    return value.rpartition(":")[2] if key == "architecture" else value


def same(paper: Any, ours: Sequence[Any]) -> bool:
    """Return whether a paper has the same values, in any order."""
    given = paper if isinstance(paper, list) else [paper]
    return {str(_plain(one)) for one in given} == {str(_plain(one)) for one in ours}


def head_of(name: str) -> str:
    """Return what the comment at the top of a study says, without its assumptions."""
    text = (ROOT / f"config/{name}.yaml").read_text(encoding="utf-8")
    comment = re.match(r"(?:#.*\n)*", text)[0].partition("# ASSUME")[0]
    return " ".join(line.lstrip("# ") for line in comment.splitlines()).strip()


def networks_of(study: Study) -> int:
    """Count the networks of a study."""
    return len(study.ensembles) * study.seeds


def _section(study: Study, about: Mapping[str, Any], studies: Mapping[str, Study]) -> Iterator[str]:
    """Lines on a study at the paper's scale and its reduced ones."""
    counts = f"{len(study.ensembles):,} ensembles, {networks_of(study):,} networks"
    yield from ("", f"### {study.name}", "")
    yield f"{about['source']}. Ours: [{counts}](../config/{study.name}.yaml)."
    yield ""
    yield from _table(["what", "paper", "ours", "where", "comparison"], _rows(study, about))
    for name in about.get("reduced", [f"{study.name}_reduced"]):
        reduced = studies[name]
        counts = f"{len(reduced.ensembles):,} ensembles, {networks_of(reduced):,} networks"
        yield from ("", f"#### {name}", "", f"{head_of(name)} Here: {counts}.", "")
        yield from _table(["what", study.name, name], differences(study, reduced))


def _rows(study: Study, about: Mapping[str, Any]) -> Iterator[list[str]]:
    """Rows of values that keys of a study hold, then of what none can hold."""
    for value in about["values"]:
        ours = values_of(study, value["key"], value.get("of"))
        why = value.get("why", "")
        if value["paper"] == OPEN:
            verdict, paper = f"ASSUME: {why}", "open"
        else:
            paper = _shown(value["paper"])
            verdict = "same" if same(value["paper"], ours) else f"**differs**: {why}"
        of = ", ".join(f"{one}" for one in value.get("of", {}).values())
        key = f"`{value['key']}`" + f" ({of})" * bool(of)
        yield [key, paper, _shown(ours), value.get("where", ""), verdict]
    for other in about.get("beyond", ()):
        yield [other["what"], other["paper"], other["ours"], other.get("where", ""), other["why"]]


def differences(study: Study, reduced: Study) -> Iterator[list[str]]:
    """Rows of all in which a reduced study differs: training, measuring and selection."""
    keys = next(iter(study.ensembles.values())).as_dict()
    for key in ("seeds", *keys):
        full, less = values_of(study, key), values_of(reduced, key)
        if not same(full, less):
            yield [f"`{key}`", _shown(full), _shown(less)]
    images = [sorted(set(one.test_sizes.values())) for one in (study, reduced)]
    if images[0] != images[1]:
        yield ["test images", *map(_shown, images)]
    yield from _other_settings(settings_by_part(study), settings_by_part(reduced))
    compared = [_comparisons(one) for one in (study, reduced)]
    if compared[0] != compared[1]:
        yield ["`comparisons`", *compared]


def settings_by_part(study: Study) -> dict[str, dict[str, Any]]:
    """Collect the settings of measures, profiles, statistics and the like, defaults filled in.

    Returns:
        Part of the study, such as ``profiles.ellipses`` or ``statistics`` → its settings.
    """
    found = {part: getattr(study, part) for part in SINGLE if getattr(study, part) is not None}
    for part in NAMED:
        for file, about in getattr(study, part).items():
            # A measure stands beside its settings, under the name of its file.
            name, settings = about if isinstance(about, tuple) else (file, about)
            found[f"{part}.{name}"] = settings
    return found


def _other_settings(
    full: Mapping[str, Mapping[str, Any]], less: Mapping[str, Mapping[str, Any]]
) -> Iterator[list[str]]:
    """Rows of parts that only one of two studies has, then of settings of parts in both."""
    alone = [_names(set(one) - set(other)) for one, other in ((full, less), (less, full))]
    if alone != ["–", "–"]:
        yield ["in one study alone", *alone]
    for part in sorted(set(full) & set(less)):
        for key, value in full[part].items():
            if _plain(value) != _plain(less[part][key]):
                yield [f"`{part}.{key}`", _shown(value), _shown(less[part][key])]


def _comparisons(study: Study) -> str:
    """Write the pairs of values of which one is expected to generalize better."""
    pairs = [f"{one['setting']}: {one['better']}, {one['worse']}" for one in study.comparisons]
    return "; ".join(pairs) or "none"


def _names(names: Iterable[str]) -> str:
    """Write all of some names, in alphabetical order."""
    return ", ".join(f"`{name}`" for name in sorted(names)) or "–"


def _shown(values: Any) -> str:
    """Write values, the middle of many left out."""
    given = values if isinstance(values, list) else [values]
    words = [_word(one) for one in given]
    if len(words) > MOST_VALUES:
        words = [*words[:4], "…", *words[-2:]]
    return ", ".join(words)


def _word(value: Any) -> str:
    """Write one value."""
    value = _plain(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    return _shown(list(value)) or "none" if isinstance(value, tuple) else str(value)


def _plain(value: Any) -> Any:
    """Make numbers that are equal the same: 1.0 is 1."""
    if isinstance(value, list):
        return tuple(value)
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table in Markdown."""
    for line in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
