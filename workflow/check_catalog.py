"""Check of the catalog against the schema and the files. Imports no torch."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from schema import SCHEMA, listed

from generalization.catalog import (
    ALWAYS,
    COLLECTED,
    DATASETS,
    ENSEMBLE_MEASURES,
    FIGURES,
    FUNCTIONS,
    MEASURES,
    PAGES,
    PAPERS,
    PROFILES,
    ROOMS,
    SETTINGS,
    SIMILARITIES,
    TABLES,
    caption_of,
    file_of,
)
from generalization.errors import InputError

ROOT = Path(__file__).parents[1]
CATALOG = "generalization/catalog.py"
# Labels that a measure may see → the parameters by which it asks for them, or for what they tell.
SEEN_LABELS = {
    "training": {"train_labels", "train_accuracy_a", "train_accuracy_b"},
    "test": {"labels"},
}
# Names of measures, profiles, similarities, datasets, tables and figures, which are parts of file
# names. The Snakefile constrains its wildcards with it.
NAME = r"[a-z][a-z0-9_]*"


def check_catalog(root: Path = ROOT) -> None:
    """Check that everything in the catalog is complete, to report what is missing by name.

    Args:
        root: Folder of the repository.

    Raises:
        InputError: If an entry is described only in the catalog or only in the schema, if its name
            is not valid, if its file, function, caption or claims are missing, if it refers to
            something that does not exist, or if a measure asks for labels that it is not said to
            see.
    """
    checks = (_half_described(), _invalid_names(), _missing_files(root), _missing_claims(root))
    for check in (*checks, _unknown_references(), _unsaid_labels(root)):
        for sentence in check:
            raise InputError(sentence)


def _half_described() -> Iterator[str]:
    """Yield a sentence for every name that only one of catalog and schema has."""
    for kind, (catalog, schema) in _descriptions().items():
        for name in sorted(set(catalog) ^ set(schema)):
            has, lacks = ("catalog", "schema") if name in catalog else ("schema", "catalog")
            yield (
                f"{kind} must be the same in {CATALOG} and in "
                f"workflow/schemas/study.schema.yaml, but only the {has} names {name}, which the "
                f"{lacks} lacks."
            )


def _descriptions() -> dict[str, tuple[Iterable[str], Iterable[str]]]:
    """Return what the catalog and the schema name of every kind that both describe."""
    definitions = SCHEMA["$defs"]
    hyperparameters = definitions["hyperparameters"]["properties"]
    return {
        "measures": (MEASURES, definitions["measures"]["properties"]),
        "ensemble_measures": (ENSEMBLE_MEASURES, definitions["ensemble_measures"]["properties"]),
        "profiles": (PROFILES, definitions["profiles"]["properties"]),
        "similarities": (SIMILARITIES, definitions["similarities"]["properties"]),
        "datasets": (DATASETS, hyperparameters["dataset"]["enum"]),
        "papers": (PAPERS, SCHEMA["properties"]["papers"]["items"]["enum"]),
    }


def _invalid_names() -> Iterator[str]:
    """Yield a sentence for every name that cannot be part of a file name, or that two entries have.

    Kinds share their names: results of a study lie side by side, and files are found by name.
    """
    of_rooms = [
        name for room in ROOMS.values() for name in (*room.profiles, *room.tables, *room.figures)
    ]
    names = Counter((*MEASURES, *ENSEMBLE_MEASURES, *SIMILARITIES, *DATASETS, *of_rooms))
    for name, count in names.items():
        if not re.fullmatch(NAME, name):
            yield f"names in {CATALOG} must match {NAME}, not {name!r}."
        if count > 1:
            yield f"names in {CATALOG} must differ, but {count} entries have the name {name!r}."


def _missing_files(root: Path) -> Iterator[str]:
    """Yield a sentence for every room, file, function and caption that does not exist."""
    for folder in ROOMS:
        if not (root / f"generalization/{folder}/__init__.py").is_file():
            yield _missing(f"the room {folder}", "file", f"generalization/{folder}/__init__.py")
    for name in (*FUNCTIONS, *DATASETS, *TABLES, *FIGURES):
        file = root / file_of(name)
        if not file.is_file():
            yield _missing(name, "file", file_of(name))
        elif not re.search(rf"^def {name}\(", file.read_text(encoding="utf-8"), re.MULTILINE):
            yield _missing(file_of(name), "function", name)
    for name in (*PAGES, *FIGURES):
        if not (root / caption_of(name)).is_file():
            yield _missing(name, "caption", caption_of(name))


def _missing_claims(root: Path) -> Iterator[str]:
    """Yield a sentence for every paper whose claims are not in the room that has it."""
    for paper, experiments in PAPERS.items():
        rooms = [folder for folder, room in ROOMS.items() if paper in room.papers]
        if set(rooms) != {f"experiments/{experiment}" for experiment in experiments}:
            yield (
                f"PAPERS and ROOMS in {CATALOG} must agree, but {paper} is in "
                f"{listed(experiments)} by the one and in {listed(rooms)} by the other."
            )
        for room in rooms:
            file = f"generalization/{room}/claims.py"
            if not (root / file).is_file():
                yield _missing(f"the room {room}", "file", file)
            elif paper not in _keys_of_claims(root / file):
                yield _missing(file, "claims of", f"{paper} in CLAIMS")


def _keys_of_claims(file: Path) -> set[str]:
    """Return the papers in ``CLAIMS``, read without running the file."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign([ast.Name("CLAIMS")], ast.Dict(keys)):
                return {key.value for key in keys if isinstance(key, ast.Constant)}
            case ast.AnnAssign(ast.Name("CLAIMS"), _, ast.Dict(keys)):
                return {key.value for key in keys if isinstance(key, ast.Constant)}
    return set()


def _unknown_references() -> Iterator[str]:
    """Yield a sentence for every table or figure made from something that does not exist.

    Without it, no study would ever have the table or figure, and none would say why.
    """
    tables = {*ALWAYS, *SETTINGS, *COLLECTED, *PROFILES, *TABLES}
    for name, entry in (TABLES | FIGURES).items():
        for source in entry.made_from:
            if source not in tables:
                yield _missing(name, "table", f"{source} that it could be made from")
    for name, figure in FIGURES.items():
        for measure in figure.measures:
            if measure not in MEASURES:
                yield _missing(name, "measure", f"{measure} that it could show")
        if figure.one_per not in {"", "measure", "factor"}:
            yield (
                f"one_per of {name} in {CATALOG} must be measure, factor or empty, "
                f"not {figure.one_per!r}."
            )


def _unsaid_labels(root: Path) -> Iterator[str]:
    """Yield a sentence for every measure that asks for other labels than the catalog says.

    Test labels are an oracle's alone, whichever others it asks for.
    """
    trees: dict[str, ast.Module] = {}
    for name, measure in (MEASURES | ENSEMBLE_MEASURES).items():
        file = file_of(name)
        if file not in trees:
            trees[file] = ast.parse((root / file).read_text(encoding="utf-8"))
        named = _parameters(trees[file], name)
        found = [kind for kind, labels in SEEN_LABELS.items() if not labels.isdisjoint(named)]
        asked = found[-1] if found else "none"
        if measure.sees != asked:
            yield (
                f"sees of {name} in {CATALOG} must be {asked!r}, the labels that it asks for, "
                f"not {measure.sees!r}."
            )


def _parameters(tree: ast.Module, name: str) -> set[str]:
    """Return the parameters of a function of a file that is parsed."""
    function = next(one for one in tree.body if getattr(one, "name", None) == name)
    return {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}


def _missing(name: str, kind: str, missing: str) -> str:
    return f"{CATALOG} must name what there is, but {name} has no {kind} {missing}."
