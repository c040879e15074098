"""Definitions, arguments and columns of functions, read from docstrings without importing them.

Args:
    path: Python file.
    name: Function at its top level.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

SECTIONS = r"\n(?:Args|Attributes|Returns|Yields|Raises|Example|Examples):\n"

# Full stops after which a sentence goes on.
ABBREVIATIONS = (
    "et al",
    "e.g",
    "i.e",
    "cf",
    "vs",
    "Fig",
    "Figs",
    "Eq",
    "Eqs",
    "App",
    "Sec",
    "eq",
    "eqs",
    "fig",
)
NOT_AFTER = "".join(rf"(?<!\b{re.escape(one)}\.)" for one in ABBREVIATIONS)


def definition(path: Path | str, name: str) -> str:
    """Return the definition of a function: its docstring up to the arguments.

    Args:
        name: Function or class at its top level. A file without it, as those of datasets may be,
            is defined by its own docstring.

    Returns:
        Paragraphs separated by empty lines, each on one line, without literal markup; empty if
        there is no docstring. Indented blocks, which are formulas, keep their line breaks.
    """
    tree = ast.parse(Path(path).read_text(encoding="utf-8"), filename=str(path))
    kinds = ast.FunctionDef | ast.ClassDef
    named = (one for one in tree.body if isinstance(one, kinds) and one.name == name)
    text = ast.get_docstring(next(named, tree)) or ""
    paragraphs = re.split(SECTIONS, text)[0].strip().replace("``", "").split("\n\n")
    return "\n\n".join(map(_joined, paragraphs))


def arguments(path: Path | str, name: str) -> dict[str, str]:
    """Return the descriptions of the arguments of a function, each from the narrowest scope.

    Arguments are described once, in the docstring of the function, of its module, of a folder that
    contains it, or of the package.

    Returns:
        Argument → description, for all arguments that one of these docstrings describes.
    """
    path = Path(path)
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    function = next(one for one in tree.body if getattr(one, "name", None) == name)
    inits = [folder / "__init__.py" for folder in reversed(path.parents)]
    packages = (ast.parse(file.read_text(encoding="utf-8")) for file in inits if file.is_file())
    explained: dict[str, str] = {}
    for node in [*packages, tree, function]:
        explained |= entries(ast.get_docstring(node) or "")
    names = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    return {key: text for key, text in explained.items() if key in names}


def entries(text: str) -> dict[str, str]:
    """Return the entries of the ``Args`` section of a docstring, each on one line."""
    _, _, section = text.partition("\nArgs:\n")
    section = re.split(r"\n(?=\S)", section)[0]
    parts = re.split(r"^    \*{0,2}(\w+): ", section, flags=re.MULTILINE)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {key: " ".join(value.split()) for key, value in pairs}


def columns(path: Path | str, name: str) -> dict[str, str]:
    """Return what the docstring of a function says of the columns of its table.

    Returns:
        Word in marks of literal text → its entry in a list of definitions, what follows it in
        parentheses, or the first sentence that has it, on one line and without these marks.
    """
    tree = ast.parse(Path(path).read_text(encoding="utf-8"), filename=str(path))
    function = next(one for one in tree.body if getattr(one, "name", None) == name)
    text = ast.get_docstring(function) or ""
    found: dict[str, str] = {}
    for sentence in re.split(r"(?<=[.:;])\s+(?=\S)", " ".join(text.split())):
        found = dict.fromkeys(re.findall(r"``(\w+)``", sentence), sentence.rstrip(";:")) | found
    beside = re.findall(r"``(\w+)`` \(((?:[^()]|\([^()]*\))+)\)", " ".join(text.split()))
    # A bare range of numbers says less than the sentence.
    found |= {key: words for key, words in beside if re.search(r"[a-z]{2,} [a-z]{2,}", words)}
    listed = r"^( *)(``\w+``(?:(?:, | and | … )``\w+``)*(?: …)?)\n((?:\1    .*\n?)+)"
    for _, words, meaning in re.findall(listed, text, flags=re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"\w+", words), " ".join(meaning.split()))
    return {key: meaning.replace("``", "") for key, meaning in found.items()}


def first_sentence(text: str) -> str:
    """Return the first sentence of a definition."""
    return re.split(rf"(?<=\.){NOT_AFTER}\s", text, maxsplit=1)[0]


def _joined(paragraph: str) -> str:
    """Join the lines of a paragraph, unless one is indented."""
    lines = paragraph.split("\n")
    return paragraph if any(line.startswith(" ") for line in lines) else " ".join(lines)
