"""What code a result depends on, through all imports, whatever the modification times."""

import ast
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

# Declares hyper-parameters and their defaults. A new one with a default changes no ensemble, so it
# must not re-train any; that defaults never change is kept by a test.
DECLARATIONS = {ROOT / "generalization/hyperparameters.py"}

# Imports are followed into the code of a module this deep; deeper ones count by their code alone.
DEPTH = 3


def fingerprint(*files: str) -> str:
    """Hash of the syntax trees of files and of every project module they import, transitively.

    Comments, blank lines, docstrings and modification times do not count, nor does where a file
    lies or in which order modules are imported: an import counts by the code that it brings, not by
    the name of its module, so that a file may move. Modules imported by a computed name do not
    count: name their files here.

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


class _Import(NamedTuple):
    """What a file imports of the project: a name of a file, or the file itself if it has none."""

    name: str
    known_as: str
    file: Path


class _Parsed(NamedTuple):
    """The syntax tree of a file, without docstrings and imports of the project."""

    tree: str
    imports: list[_Import]


@cache
def _code(file: Path, depth: int) -> str:
    """Hash of the code of a file, and of what it imports."""
    parsed = _parsed(file)
    brought = [
        f"{name} {known_as} {_code(of, depth - 1) if depth and of not in DECLARATIONS else ''}"
        for name, known_as, of in parsed.imports
    ]
    return _hash(parsed.tree, *sorted(brought))


@cache
def _parsed(file: Path) -> _Parsed:
    tree, imports = ast.parse(file.read_text(), filename=str(file)), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
        for statements in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(statements, list):
                imports += [one for statement in statements for one in _imports(statement)]
                statements[:] = [one for one in statements if not _imports(one)]
    return _Parsed(ast.dump(tree), imports)


def _imports(statement: ast.AST) -> list[_Import]:
    """What a statement imports of the project."""
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


def _file(module: str) -> Path | None:
    """The file of a module of the project, if it is of the project."""
    base = ROOT.joinpath(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py") if module else ()
    return next((path for path in candidates if path.is_file()), None)


def _hash(*texts: str) -> str:
    return blake2b("\n".join(texts).encode(), digest_size=8).hexdigest()
