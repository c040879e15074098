"""Fingerprint of the code on which a result depends, through all imports."""

import ast
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

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
        tree: Hash that goes on from its syntax tree without docstrings and imports of the project;
            the trees of all files would take megabytes.
        imports: These imports.
    """

    tree: blake2b
    imports: list[_Import]


@cache
def _code(file: Path, depth: int) -> str:
    """Hash the code of a file and of its imports."""
    parsed = _parsed(file)
    brought = [
        f"{name} {known_as} {_code(of, depth - 1) if depth and of not in DECLARATIONS else ''}"
        for name, known_as, of in parsed.imports
    ]
    tree = parsed.tree.copy()
    tree.update("".join(f"\n{one}" for one in sorted(brought)).encode())
    return tree.hexdigest()


@cache
def _parsed(file: Path) -> _Parsed:
    tree, imports = ast.parse(file.read_text(), filename=str(file)), []
    for node in ast.walk(tree):
        strip_docstring(node)
        for statements in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(statements, list):
                found = list(map(_imports, statements))
                imports += [one for of_statement in found for one in of_statement]
                statements[:] = [
                    one for one, of_one in zip(statements, found, strict=True) if not of_one
                ]
    return _Parsed(blake2b(ast.dump(tree).encode(), digest_size=SIZE), imports)


def _imports(statement: ast.AST) -> list[_Import]:
    """List the imports of a statement from the project."""
    if isinstance(statement, ast.Import):
        named = [(alias, alias.name, "") for alias in statement.names]
    elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
        package = statement.module
        named = [(alias, f"{package}.{alias.name}", package) for alias in statement.names]
    else:
        return []
    return [
        _Import("" if _file(module) else alias.name, alias.asname or alias.name, file)
        for alias, module, package in named
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
