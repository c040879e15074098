"""Architectures of a user to train: their code, and what is known of them before planning.

An architecture is built in a process of its own when its code or its arguments have changed; what
was found is kept in ``results/architectures``. Imports no torch.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fingerprint import ROOT, fingerprint

from generalization.catalog import Shape
from generalization.errors import InputError
from generalization.files import written_whole
from generalization.hyperparameters import Hyperparameters, short_hash
from generalization.networks.foreign_architecture import ForeignArchitecture

KEPT = Path("results/architectures")


@dataclass(frozen=True)
class DeclaredArchitecture:
    """An architecture of a user that a study trains.

    Attributes:
        architecture: The function and what it is called with.
        code: Hash of the module of the function and of what it imports.
        about: What ``described_architecture`` found.
    """

    architecture: ForeignArchitecture
    code: str
    about: Mapping[str, Any]


def architecture_seen_by(one: Hyperparameters, shape: Shape) -> ForeignArchitecture:
    """Return the architecture of an ensemble, for the images that its networks see."""
    sides = (shape.height, shape.width) if one.crop is None else (one.crop, one.crop)
    return ForeignArchitecture.of(one, (shape.channels, *sides), shape.classes)


def read_architectures(
    ensembles: Mapping[str, Hyperparameters], shapes: Mapping[str, Shape], folders: Sequence[str]
) -> dict[str, DeclaredArchitecture]:
    """Describe the architectures of a user, and refuse what cannot be trained.

    Args:
        ensembles: Name → hyper-parameters.
        shapes: Dataset → shape.
        folders: Folders in which modules are looked for.

    Returns:
        Ensemble → architecture, of those that have one of a user.

    Raises:
        InputError: If one cannot be built, or contradicts other hyper-parameters.
    """
    wanted = {
        name: architecture_seen_by(one, shapes[one.dataset])
        for name, one in ensembles.items()
        if one.is_foreign
    }
    described = _described(list(dict.fromkeys(wanted.values())), folders)
    found = {name: described[architecture] for name, architecture in wanted.items()}
    for name, declared in found.items():
        one = ensembles[name]
        for sentence in _impossible(one, declared, one.train_size or shapes[one.dataset].train):
            raise InputError(sentence)
    return found


def _impossible(
    one: Hyperparameters, declared: DeclaredArchitecture, samples: int
) -> Iterator[str]:
    """Yield a sentence for every contradiction of hyper-parameters with what modules do."""
    couples, draws = declared.about["couples"], declared.about["draws"]
    if one.optimizer == "lbfgs" and (couples or draws):
        yield (
            f"optimizer must not be 'lbfgs' where {one.architecture} "
            f"{'draws random numbers' if draws else 'computes statistics of batches'}, "
            "since its line search compares values of one function."
        )
    if couples and one.optimizer != "lbfgs" and (samples - 1) % one.batch_size == 0:
        yield (
            f"batch_size must leave no batch of 1 of the {samples} training images where "
            f"{one.architecture} computes statistics of batches, not {one.batch_size}."
        )


def _described(
    architectures: Sequence[ForeignArchitecture], folders: Sequence[str]
) -> dict[ForeignArchitecture, DeclaredArchitecture]:
    """Describe architectures, anew where their code has changed."""
    counting = fingerprint("workflow/describe_architecture.py")
    states = {
        one: json.loads(json.dumps(asdict(one)))
        | {"code": code_of_architecture(one.place, tuple(folders)), "counting": counting}
        for one in architectures
    }
    files = {one: KEPT / f"{short_hash(asdict(one))}.json" for one in architectures}
    known = {one: _read(files[one]) for one in architectures}
    new = [one for one in architectures if known[one].get("state") != states[one]]
    for one, about in zip(new, _descriptions(new, folders), strict=True):
        known[one] = {"state": states[one], "about": about}
        with written_whole(files[one]) as beside:
            beside.write_text(json.dumps(known[one]))
    return {
        one: DeclaredArchitecture(one, states[one]["code"], known[one]["about"])
        for one in architectures
    }


def _read(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return {}


def _descriptions(
    architectures: Sequence[ForeignArchitecture], folders: Sequence[str]
) -> list[dict[str, Any]]:
    """Build architectures in a process of its own.

    Raises:
        InputError: If one cannot be built.
    """
    if not architectures:
        return []
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    request = {
        "folders": list(folders),
        "architectures": [list(asdict(one).values()) for one in architectures],
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "workflow/describe_architecture.py")],
        input=json.dumps(request),
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        places = ", ".join(dict.fromkeys(one.place for one in architectures))
        raise InputError(
            last.removeprefix("InputError: ")
            if last.startswith("InputError: ")
            else f"architecture must build networks, but {places} failed: {last}"
        )
    return json.loads(done.stdout)


def let_jobs_import_from(folders: Sequence[str]) -> None:
    """Let every job of this Snakemake find the modules of the user.

    Args:
        folders: Folders of the modules, relative to the working directory or absolute.
    """
    places = [*map(os.path.abspath, folders), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, places)))


@cache
def code_of_architecture(place: str, folders: tuple[str, ...]) -> str:
    """Hash the module in which a function stands, and all modules of the user that it imports.

    As of the project's own code, comments and docstrings do not matter.

    Returns:
        Hex digits; empty if the module is installed and in none of the folders.
    """
    found: dict[str, str] = {}
    waiting = [place.partition(":")[0]]
    while waiting:
        module = waiting.pop()
        file = _file(module, folders)
        if file is None or module in found:
            continue
        if ROOT / "generalization" in file.parents:
            found[module] = fingerprint(str(file.relative_to(ROOT)))
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
        waiting += _imported(tree, module if file.name == "__init__.py" else _package(module))
        found[module] = ast.dump(_without_docstrings(tree))
    return short_hash({"modules": found}) if found else ""


def _file(module: str, folders: Sequence[str]) -> Path | None:
    """Return the file of a module in one of the folders, or of the project."""
    for folder in (*folders, ROOT):
        base = Path(folder, *module.split(".")).resolve()
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if module and file.is_file():
                return file
    return None


def _package(module: str) -> str:
    return module.rpartition(".")[0]


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield the names of everything that may be an imported module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(filter(None, [*(above if node.level else ()), node.module or ""]))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _without_docstrings(tree: ast.AST) -> ast.AST:
    """Remove the strings with which modules, classes and functions begin, in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return tree
