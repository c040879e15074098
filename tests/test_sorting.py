"""Rows of equal keys keep their order, on every machine."""

import ast
from pathlib import Path

import pytest

CODE = [
    file
    for folder in ("generalization", "scripts", "workflow")
    for file in Path(folder).rglob("*.py")
]


def unstable(code):
    """Sorts of pandas by one key, of which the default, quicksort, is not stable."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "sort_values":
            by = [*node.args, *(one.value for one in node.keywords if one.arg == "by")]
            kinds = [one.value.value for one in node.keywords if one.arg == "kind"]
            if (not by or isinstance(by[0], ast.Constant)) and kinds != ["stable"]:
                yield ast.unparse(node)


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ('table.sort_values("step")', True),
        ('table.sort_values(by="step", kind="quicksort")', True),
        ("column.sort_values(ascending=False)", True),
        ('table.sort_values("step", kind="stable")', False),
        ('table.sort_values(["ensemble", "step"])', False),
    ],
)
def test_a_sort_that_is_not_stable_is_found(code, is_found):
    assert list(unstable(code)) == [code.replace('"', "'")] * is_found


def test_sorts_by_one_key_are_stable():
    found = {str(file): list(unstable(file.read_text())) for file in CODE}
    assert {file: sorts for file, sorts in found.items() if sorts} == {}
