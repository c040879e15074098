"""Fingerprint of the code on which a result depends, through all imports.

Every start of Snakemake takes it of all that a study uses. So what was parsed of a file is kept, as
Python keeps compiled modules, until its contents change.
"""

import ast
import atexit
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from os.path import relpath
from pathlib import Path
from typing import Any, NamedTuple

from generalization.errors import InputError
from generalization.files import read_kept, write_kept

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).with_name("__pycache__") / f"parsed.{sys.implementation.cache_tag}.json"

# Declares hyper-parameters and their defaults. A new one with a default changes no ensemble, so it
# must not retrain any; a test ensures that defaults never change.
DECLARATIONS = {ROOT / "generalization/hyperparameters.py"}

# Depth to which the hash of a module includes its imports; deeper ones are hashed separately.
DEPTH = 3

SIZE = 8  # Bytes of a hash.


@cache
def fingerprint(*files: str) -> str:
    """Hash the syntax trees of files and of every project module they import, transitively.

    Comments, blank lines, docstrings, modification times, the location of a file and the order of
    imports do not matter: an import is represented by the imported code and not by the name of its
    module, so a file may be moved. Modules imported by a computed name are not followed; pass their
    files as arguments.

    Args:
        files: Python files, relative to the root of the repository.

    Returns:
        Sixteen hex digits.
    """
    named = {ROOT / file for file in files}
    reached_files = reached(*files)
    codes = {_code(file, DEPTH) for file in named} | {_code(file, 0) for file in reached_files}
    return _hash(*sorted(codes))


def reached(*files: str) -> set[Path]:
    """Return files with every project module that they import, transitively.

    Args:
        files: Python files, relative to the root of the repository.
    """
    found, waiting = set(), {ROOT / file for file in files}
    while waiting:
        found |= waiting
        waiting = {imported.file for file in waiting for imported in _parsed(file).imports}
        waiting -= found | DECLARATIONS
    return found


def strip_docstring(node: ast.AST) -> None:
    """Remove the string with which a module, a class or a function begins, in place."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body = node.body[1:]


class _Import(NamedTuple):
    """Import of a name from a file of the project, or of the file itself if the name is empty."""

    name: str
    known_as: str
    file: Path


class _Parsed(NamedTuple):
    """A file, as far as it matters here.

    Attributes:
        tree: Hash of its syntax tree without docstrings and imports of the project.
        imports: These imports.
    """

    tree: str
    imports: list[_Import]


@cache
def _code(file: Path, depth: int) -> str:
    """Hash the code of a file and of its imports."""
    parsed = _parsed(file)
    brought = [
        f"{name} {known_as} {_code(of, depth - 1) if depth and of not in DECLARATIONS else ''}"
        for name, known_as, of in parsed.imports
    ]
    return _hash(parsed.tree, *sorted(brought))


@cache
def _parsed(file: Path) -> _Parsed:
    """Parse a file, unless that is known of the same contents with the same modules around it."""
    contents = file.read_bytes()
    now = blake2b(contents, digest_size=SIZE).hexdigest()
    known = _known().get(_place(file))
    if (
        known
        and known["contents"] == now
        and all(_file(module) == _path(of) for module, of in known["modules"].items())
    ):
        imports = [_Import(name, known_as, ROOT / of) for name, known_as, of in known["imports"]]
        return _Parsed(known["tree"], imports)
    tree = ast.parse(contents, filename=str(file))
    modules = {module: _file(module) for node in ast.walk(tree) for module in _modules(node)}
    parsed = _without_imports(tree)
    _known()[_place(file)] = {
        "contents": now,
        "tree": parsed.tree,
        "imports": [(*names, _place(of)) for *names, of in parsed.imports],
        "modules": {module: _place(of) for module, of in modules.items()},
    }
    _keep_at_exit()
    return parsed


def _without_imports(tree: ast.Module) -> _Parsed:
    """Hash a syntax tree without docstrings and imports of the project, which it loses."""
    imports = []
    for node in ast.walk(tree):
        strip_docstring(node)
        for statements in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(statements, list):
                found = list(map(_imports, statements))
                imports += [one for of_statement in found for one in of_statement]
                statements[:] = [
                    one for one, of_one in zip(statements, found, strict=True) if not of_one
                ]
    return _Parsed(_hash(ast.dump(tree)), imports)


@cache
def _known() -> dict[str, dict[str, Any]]:
    """Return what was parsed of files before, by this very module."""
    kept = read_kept(KEPT)
    return kept["files"] if kept.get("by") == _this() else {}


@cache
def _keep_at_exit() -> None:
    atexit.register(_keep)


def _keep() -> None:
    """Write what is known of files, where that is possible."""
    with suppress(OSError, InputError):
        write_kept(KEPT, {"by": _this(), "files": _known()})


@cache
def _this() -> str:
    return _hash(sys.version, Path(__file__).read_text(encoding="utf-8"))


def _place(file: Path | None) -> str | None:
    return file and relpath(file, ROOT)


def _path(place: str | None) -> Path | None:
    return ROOT / place if place else None


def _imported(statement: ast.AST) -> list[tuple[ast.alias, str, str]]:
    """List the names of an import, each with the module that it is or that it is of."""
    if isinstance(statement, ast.Import):
        return [(alias, alias.name, "") for alias in statement.names]
    if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
        package = statement.module
        return [(alias, f"{package}.{alias.name}", package) for alias in statement.names]
    return []


def _modules(statement: ast.AST) -> Iterator[str]:
    for _, *modules in _imported(statement):
        yield from modules


def _imports(statement: ast.AST) -> list[_Import]:
    """List the imports of a statement from the project."""
    return [
        _Import("" if _file(module) else alias.name, alias.asname or alias.name, file)
        for alias, module, package in _imported(statement)
        if (file := _file(module) or _file(package))
    ]


@cache
def _file(module: str) -> Path | None:
    """Return the file of a module, or None if it is not part of the project."""
    base = ROOT.joinpath(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py") if module else ()
    return next((path for path in candidates if path.is_file()), None)


def _hash(*texts: str) -> str:
    return blake2b("\n".join(texts).encode(), digest_size=SIZE).hexdigest()
