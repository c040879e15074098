"""Markdown from docstrings and names."""

from __future__ import annotations

import re


def titled(name: str) -> str:
    """Return the title of a page."""
    words = name.replace("_", " ").capitalize()
    return re.sub(
        r"\b(auc|cca|cka|mse|pwcca|svcca)\b", lambda one: one[0].upper(), words, flags=re.I
    )


def as_markdown(text: str) -> str:
    """Return paragraphs of a docstring as Markdown; indented lines, formulas, become blocks."""
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    lines: list[str] = []
    inside = False
    for line in text.split("\n"):
        formula = line.startswith("    ") or (inside and not line.strip())
        if formula != inside:
            lines += ["```text"] if formula else ["```", ""]
            if formula:
                lines.insert(-1, "")
            inside = formula
        lines.append(line[4:] if formula else escaped(line))
    return "\n".join([*lines, "```"] if inside else lines)


def escaped(line: str) -> str:
    """Return a line whose marks of Markdown outside of literals stand for themselves."""
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(
        one if one.startswith("`") else re.sub(r"([*_<\[\]|])", r"\\\1", one) for one in parts
    )
