"""What code a result depends on, through all imports, whatever the modification times."""

import ast
from functools import cache
from hashlib import blake2b
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Declares hyper-parameters and their defaults. A new one with a default changes no ensemble, so it
# must not re-train any; that defaults never change is kept by a test.
DECLARATIONS = {ROOT / "generalization/hyperparameters.py"}


def fingerprint(*files: str) -> str:
    """Hash of the syntax trees of files and of every project module they import, transitively.

    Comments, blank lines, docstrings and modification times do not count. Modules imported by a
    computed name do not count either: name their files here.

    Args:
        files: Python files, relative to the root of the repository.

    Returns:
        Sixteen hex digits.
    """
    reached: set[Path] = set()
    waiting = [ROOT / file for file in files]
    while waiting:
        file = waiting.pop()
        if file not in reached and file not in DECLARATIONS:
            reached.add(file)
            waiting.extend(_imported(file))
    code = "\n".join(f"{file.relative_to(ROOT)} {_code(file)}" for file in sorted(reached))
    return blake2b(code.encode(), digest_size=8).hexdigest()


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), filename=str(file))


@cache
def _code(file: Path) -> str:
    """The syntax tree without docstrings."""
    tree = ast.parse(file.read_text(), filename=str(file))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)


@cache
def _imported(file: Path) -> frozenset[Path]:
    """Files of the project that a file imports by name, in whatever function it does so."""
    names = set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    paths = (ROOT.joinpath(*name.split(".")) for name in names)
    files = (path for base in paths for path in (base.with_suffix(".py"), base / "__init__.py"))
    return frozenset(path for path in files if path.is_file())
