"""Write the pages of the documentation that are made, and copy those written by hand.

``make docs`` runs it before mkdocs. Everything goes to ``results/documentation/pages``: one page
for every measure, ensemble measure, profile and similarity, the configuration reference, the
gallery and the benchmarks come from docstrings, the catalog, the schema and committed pictures.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from benchmark_page import benchmarks
from examples import example_of
from markup import as_markdown, escaped, titled
from properties import KINDS, LEGEND, card, function_of, properties

from generalization.catalog import FIGURES, caption_of, file_of
from generalization.docstrings import arguments, definition, first_sentence

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "results/documentation/pages"
LINKS = {name: f"{kind}/{name}.md" for kind, entries in KINDS.items() for name in entries}
SCHEMA = "workflow/schemas/study.schema.yaml"
BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
YAML = {"None": "null", "True": "true", "False": "false"}
# Larger pictures are left to the report: a page of the gallery shows many.
PICTURE_BYTES = 300_000
MEANING = "how-invariances-and-costs-were-found"


def write_pages(output: Path = OUTPUT, studies: Path = ROOT / "results/studies") -> None:
    """Write all pages into an empty folder.

    Args:
        output: The folder.
        studies: Folder of results, whose figures the gallery shows.
    """
    shutil.rmtree(output, ignore_errors=True)
    made_from = shutil.ignore_patterns("*.py", "*.yml", "*.csv", "*.json", "README.md", "__*")
    shutil.copytree(ROOT / "docs", output, ignore=made_from)
    # Links of committed pages lead to configurations beside the folder of pages.
    shutil.copytree(ROOT / "config", output / "config", ignore=only_studies)
    for page in output.glob("*.md"):
        _write(page, page.read_text(encoding="utf-8").replace("](../config/", "](config/"))
    for kind, entries in KINDS.items():
        for name in entries:
            _write(output / kind / f"{name}.md", page_of(kind, name))
        _write(output / kind / "index.md", index_of(kind))
    _write(output / "configuration.md", configuration())
    write_gallery(output, studies)
    _write(output / "benchmarks.md", benchmarks())
    _write(output / "troubleshooting.md", troubleshooting())


def only_studies(folder: str, names: Iterable[str]) -> list[str]:
    """Return the names that are not those of files of the repository's studies."""
    return [name for name in names if not name.endswith(".yaml")]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip() + "\n", encoding="utf-8")


def page_of(kind: str, name: str) -> str:
    """Return the page of a measure, ensemble measure, profile or similarity."""
    path = ROOT / file_of(name)
    text = definition(path, name)
    parts = [f"# {titled(name)}", f"`{signature_of(path, name)}`", as_markdown(text)]
    parts += ["## Properties", properties(kind, name), f"[What this means](index.md#{MEANING})"]
    if audited := card(name):
        parts += ["## Audit card", audited, "[How to read it, and all cards](../audit.md)"]
    parts += ["## Example", example(name)]
    explained = arguments(path, name)
    if explained:
        listed = (f"* `{key}`: {as_markdown(said)}" for key, said in explained.items())
        parts += ["## Arguments", "\n".join(listed)]
    returned = section(path, name, "Returns")
    if returned:
        parts += ["## Returns", as_markdown(returned)]
    parts += ["## Code", f"`{file_of(name)}`, function `{name}`", f"[{titled(kind)}](index.md)"]
    return "\n\n".join(parts)


def signature_of(path: Path, name: str) -> str:
    """Return the name and the names and defaults of the arguments of a function."""
    found = function_of(path, name).args
    plain = ast.arguments(
        posonlyargs=[ast.arg(one.arg) for one in found.posonlyargs],
        args=[ast.arg(one.arg) for one in found.args],
        kwonlyargs=[ast.arg(one.arg) for one in found.kwonlyargs],
        vararg=found.vararg,
        kwarg=found.kwarg,
        defaults=found.defaults,
        kw_defaults=found.kw_defaults,
    )
    return f"{name}({ast.unparse(plain)})"


def section(path: Path, name: str, title: str) -> str:
    """Return a section of the docstring of a function, without its indentation."""
    text = ast.get_docstring(function_of(path, name)) or ""
    found = re.search(rf"\n{title}:\n((?:    .*\n?|\n)+)", text)
    return re.sub(r"^    ", "", found[1], flags=re.MULTILINE).strip() if found else ""


def example(name: str) -> str:
    """Return an example that runs in milliseconds, made from the signature."""
    return f"```python\n{example_of(name)}\n```"


def index_of(kind: str) -> str:
    """Return the page that lists the entries of a kind."""
    lines = [f"# {titled(kind)}", "", "| name | |", "|---|---|"]
    for name in KINDS[kind]:
        said = first_sentence(definition(ROOT / file_of(name), name))
        lines.append(f"| [`{name}`]({name}.md) | {escaped(' '.join(said.split()))} |")
    lines += ["", "## How invariances and costs were found", "", LEGEND]
    return "\n".join(lines)


def configuration() -> str:
    """Return the reference of all keys of a study, made from its schema."""
    schema = yaml.safe_load((ROOT / SCHEMA).read_text(encoding="utf-8"))
    lines = [
        "# Configuration",
        "",
        "Every key of a study, `config/NAME.yaml`. Keys that are not listed are rejected.",
        f"This page is made from `{SCHEMA}`.",
    ]
    for key, entry in schema["properties"].items():
        # Settings of measures, profiles and similarities are defined by that name.
        entry = {**schema["$defs"].get(key, {}), **entry}
        lines += ["", f"## {key}", "", *_entry(key, entry, schema["$defs"], schema["required"])]
    lines += ["", "## Hyper-parameters", "", "Keys of an entry of `ensembles`."]
    known = schema["$defs"]["hyperparameters"]
    for key, entry in known["properties"].items():
        lines += ["", f"### {key}", "", *_entry(key, entry, schema["$defs"], known["required"])]
    return "\n".join(lines)


def _entry(key: str, entry: Mapping[str, Any], known: Mapping[str, Any], required: Any) -> list:
    """Return the lines that describe a key, and those of the keys below it."""
    entry = _resolved(entry, known)
    lines = [str(entry.get("description", "")).strip()]
    facts = list(_facts(entry)) + (["required"] if key in required else [])
    if facts:
        lines += ["", "; ".join(facts) + "."]
    keys = dict(_keys_below(entry, known))
    if keys:
        lines += ["", "| key | | |", "|---|---|---|"]
    for name, below in keys.items():
        said, allowed = cell(below.get("description", "")), cell("; ".join(_facts(below)))
        shown = f"[`{name}`]({LINKS[name]})" if name in LINKS else f"`{name}`"
        lines.append(f"| {shown} | {said} | {allowed} |")
    return lines


def _keys_below(
    entry: Mapping[str, Any], known: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield all keys below an entry of the schema, with those above them, but hyper-parameters.

    Names that a user chooses are written as NAME.
    """
    entry = _resolved(entry, known)
    if entry.get("properties") == known["hyperparameters"]["properties"]:
        return
    for name, below in entry.get("properties", {}).items():
        yield f"{above}{name}", _resolved(below, known)
        yield from _keys_below(below, known, f"{above}{name}.")
    for kind, name in (("additionalProperties", "NAME."), ("items", "")):
        if isinstance(entry.get(kind), dict):
            yield from _keys_below(entry[kind], known, f"{above}{name}")
    for branch in (*entry.get("anyOf", ()), *entry.get("oneOf", ())):
        yield from _keys_below(branch, known, above)


def _resolved(entry: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an entry of the schema with what it refers to; its own words come first."""
    while "$ref" in entry:
        rest = {key: value for key, value in entry.items() if key != "$ref"}
        entry = {**known[entry["$ref"].rsplit("/", 1)[1]], **rest}
    return entry


def _facts(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield type, allowed values, bounds and default of a key."""
    if "enum" in entry:
        yield "one of " + ", ".join(f"`{one}`" for one in entry["enum"])
    elif entry.get("type") and entry["type"] != "object":
        kinds = entry["type"] if isinstance(entry["type"], list) else [entry["type"]]
        yield " or ".join(kinds)
    for bound, words in BOUNDS.items():
        if bound in entry:
            yield f"{words} {entry[bound]}"
    if "default" in entry:
        default = entry["default"]
        yield f"default `{YAML.get(str(default), default)}`"


def cell(text: str) -> str:
    """Return text that fits into a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def pictures_of(studies: Path) -> dict[str, Path]:
    """Return a picture of every figure that a study has drawn, the default study first.

    Of a figure per measure or factor it is that of the Jacobian norm, or else the first.
    """
    found: dict[str, Path] = {}
    for folder in sorted(studies.glob("*/figures"), key=lambda one: one.parent.name != "study"):
        for name in FIGURES:
            drawn = [folder / f"{name}.svg", folder / name / "jacobian_norm.svg"]
            drawn += sorted((folder / name).glob("*.svg"))
            small = (one for one in drawn if one.exists() and one.stat().st_size < PICTURE_BYTES)
            if picture := next(small, None):
                found.setdefault(name, picture)
    return found


def write_gallery(output: Path, studies: Path) -> None:
    """Write the page of all figures, and copy the pictures that studies have drawn of them."""
    pictures = pictures_of(studies)
    (output / "figures").mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        shutil.copyfile(picture, output / "figures" / f"{name}.svg")
    _write(output / "gallery.md", gallery({name: _study_of(pictures[name]) for name in pictures}))


def _study_of(picture: Path) -> str:
    """Return the name of the study that drew a picture."""
    parts = picture.parts
    return parts[len(parts) - 1 - parts[::-1].index("figures") - 1]


def gallery(shown: Mapping[str, str]) -> str:
    """Return the page of all figures: committed pictures, and captions of all.

    Args:
        shown: Figure → study that has drawn it.
    """
    lines = [
        "# Gallery",
        "",
        "The front page of a report, and the measure league:",
        "",
        "![Front page of the report](report.png)",
        "",
        "![The measure league](league.png)",
        "",
        f"Below are all {len(FIGURES)} figures; of those that a study has drawn here, when",
        f"`make docs` was run, there is a picture ({len(shown)}).",
    ]
    chapters: dict[str, list[str]] = {}
    for name, figure in FIGURES.items():
        chapters.setdefault(figure.chapter, []).append(name)
    for chapter, names in chapters.items():
        lines += ["", f"## {chapter}"]
        for name in names:
            said = first_sentence(definition(ROOT / file_of(name), name)).replace("\n", " ")
            lines += ["", f"### {titled(name)}", "", escaped(said)]
            if name in shown:
                lines += ["", f"![{titled(name)}, study {shown[name]}](figures/{name}.svg)"]
            drawn = f"Drawn in the study `{shown[name]}` by" if name in shown else "Made by"
            lines += ["", f"{drawn} `{file_of(name)}`; its caption is `{caption_of(name)}`."]
    return "\n".join(lines)


def troubleshooting() -> str:
    """Return the sections of the README on what goes wrong and on environments."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("\n## Troubleshooting\n")[1].split("\n## ")[0]
    environments = text.split("\n### Environments\n")[1].split("\n## ")[0]
    lines = ["# Troubleshooting", section.strip(), "## Environments", environments.strip()]
    return "\n\n".join(lines).replace("](docs/", "](")


if __name__ == "__main__":
    write_pages(*map(Path, sys.argv[1:2]))
