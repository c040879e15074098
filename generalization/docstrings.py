"""Definitions of measures and tables, read from their docstrings without importing them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

SECTIONS = r"\n(?:Args|Attributes|Returns|Yields|Raises|Example|Examples):\n"


def definition(path: Path | str, name: str) -> str:
    """Return the definition of a function: its docstring up to the arguments.

    Args:
        path: Python file.
        name: Function or class at its top level. A file without it, as those of datasets may be,
            is defined by its own docstring.

    Returns:
        Paragraphs separated by empty lines, each on one line, without the marks of literal text;
        empty, if there is no docstring. Indented blocks, which are formulas, keep their lines.
    """
    tree = ast.parse(Path(path).read_text(encoding="utf-8"), filename=str(path))
    kinds = ast.FunctionDef | ast.ClassDef
    named = (one for one in tree.body if isinstance(one, kinds) and one.name == name)
    text = ast.get_docstring(next(named, tree)) or ""
    paragraphs = re.split(SECTIONS, text)[0].strip().replace("``", "").split("\n\n")
    return "\n\n".join(map(_joined, paragraphs))


def first_sentence(text: str) -> str:
    """Return the first sentence of a definition."""
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


def _joined(paragraph: str) -> str:
    """Join the lines of a paragraph, unless one is indented."""
    lines = paragraph.split("\n")
    return paragraph if any(line.startswith(" ") for line in lines) else " ".join(lines)
