"""Code of a user: what a result depends on, and how it is run before planning. Imports no torch.

Args:
    folders: Folders in which modules of the user are looked for.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fingerprint import ROOT, fingerprint, strip_docstring

from generalization.errors import InputError
from generalization.files import read_kept, write_kept
from generalization.hyperparameters import short_hash


@cache
def code_of(place: str, folders: tuple[str, ...]) -> str:
    """Hash the module in which a function stands, and all modules of the user that it imports.

    As of the project's own code, comments and docstrings do not matter.

    Args:
        place: ``package.module:function``.

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
        try:
            tree = ast.parse(file.read_bytes(), filename=str(file))
        except (SyntaxError, ValueError):  # Who imports it says why it cannot be.
            found[module] = file.read_bytes().hex()
            continue
        waiting += _imported(tree, module if file.name == "__init__.py" else _package(module))
        for node in ast.walk(tree):
            strip_docstring(node)
        found[module] = ast.dump(tree)
    return short_hash({"modules": found}) if found else ""


def state_of(source: str, folders: Sequence[str]) -> Any:
    """Return what changes if a source does: of files sizes and times, of a function its module.

    Args:
        source: A file, a folder, or ``package.module:function``.
    """
    path = Path(source)
    if not path.exists():
        return code_of(source, tuple(folders))
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [
        [str(file), (stat := file.stat()).st_size, stat.st_mtime_ns]
        for file in files
        if file.is_file()
    ]


def answer_of(script: str, request: Mapping[str, Any], need: str) -> Any:
    """Run a script in a process of its own, since modules of a user may import anything.

    Args:
        script: File of the project, which answers a JSON object on standard input by JSON.
        request: The object.
        need: What the configuration needs, as the beginning of the sentence if it fails.

    Raises:
        InputError: If the script fails; the sentence is its own, if it has one.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, str(ROOT / script)],
        input=json.dumps(request),
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        own = last.startswith("InputError: ")
        raise InputError(last.removeprefix("InputError: ") if own else f"{need} failed: {last}")
    return json.loads(done.stdout)


def kept_answer(
    kept: Path, script: str, request: Mapping[str, Any], need: str, *, state: Mapping[str, Any]
) -> Any:
    """Return the answer of a script, which is asked again only if what it depends on has changed.

    Args:
        kept: File in which the answer is kept.
        script: File of the project, as of ``answer_of``.
        request: What it is asked, on which the answer depends, too.
        need: What the configuration needs, as of ``answer_of``.
        state: What the answer depends on beside the request.

    Raises:
        InputError: If the script fails.
    """  # noqa: DOC502
    current = json.loads(json.dumps({**state, **request}))
    known = read_kept(kept)
    if known.get("state") != current or "answer" not in known:  # Former ones had other names.
        known = {"state": current, "answer": answer_of(script, request, need)}
        write_kept(kept, known)
    return known["answer"]


def let_jobs_import_from(folders: Sequence[str]) -> None:
    """Let every job of this Snakemake find the modules of the user."""
    places = [*map(os.path.abspath, folders), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, places)))


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
