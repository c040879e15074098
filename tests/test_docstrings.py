import ast
from collections import Counter
from pathlib import Path

import pytest

import generalization
from generalization.catalog import MEASURES, PROFILES, SIMILARITIES, TABLES, file_of
from generalization.docstrings import arguments, columns, definition, entries, first_sentence

PACKAGE = Path(generalization.__file__).parent

MODULE = '''"""Of the module."""

def norm(x):
    """Return the norm ``‖x‖``
    of a vector.

    It is defined by
        ‖x‖ = √Σ x².

    Source: Euclid.

    Args:
        x: A vector.

    Returns:
        A number.
    """


class Plain:
    """One line."""


def bare():
    pass
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "norm.py"
    path.write_text(MODULE, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "norm",
            "Return the norm ‖x‖ of a vector.\n\n"
            "It is defined by\n    ‖x‖ = √Σ x².\n\n"
            "Source: Euclid.",
        ),
        ("Plain", "One line."),
        ("bare", ""),
        ("of_no_function", "Of the module."),
    ],
)
def test_definition_is_the_docstring_up_to_the_arguments(file, name, expected):
    assert definition(file, name) == expected


def test_first_sentence_ends_at_a_full_stop_before_a_space():
    assert first_sentence("Norm with 1.5 in it. And more.") == "Norm with 1.5 in it."
    assert first_sentence("No stop") == "No stop"
    assert first_sentence("Norm (Novak et al. 2018). More.") == "Norm (Novak et al. 2018)."
    one = "Pairs, as in Novak et al. 2018, Fig. 4, Eqs. 1 and 2, e.g. of widths vs. depths."
    assert first_sentence(f"{one} More of them.") == one


def test_no_first_sentence_ends_within_parentheses():
    for path in PACKAGE.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            text = ast.get_docstring(function) if isinstance(function, ast.FunctionDef) else None
            said = first_sentence(text or "")
            assert said.count("(") == said.count(")"), (path, said)


@pytest.mark.parametrize("name", [*MEASURES, *PROFILES, *SIMILARITIES, *TABLES])
def test_everything_of_a_study_is_defined(name):
    assert len(definition(file_of(name), name)) > 20


def test_arguments_are_explained_in_the_narrowest_place(tmp_path):
    room = tmp_path / "package" / "room"
    room.mkdir(parents=True)
    docstring = '"""Of {}.\n\nArgs:\n    {}\n"""\n'
    (tmp_path / "package" / "__init__.py").write_text(
        docstring.format(
            "all", "x: Everywhere.\n    y: Everywhere,\n        on two lines.\n    q: Not here."
        )
    )
    (room / "__init__.py").write_text(docstring.format("the room", "x: Of the room.\n    z: Room."))
    body = 'def f(x, y, *, z, w=1):\n    """Of f.\n\n    Args:\n        z: Of f.\n    """\n'
    (room / "file.py").write_text(docstring.format("the file", "w: Of the file.") + body)
    assert arguments(room / "file.py", "f") == {
        "x": "Of the room.",
        "y": "Everywhere, on two lines.",
        "z": "Of f.",
        "w": "Of the file.",
    }


def explanations():
    """Every entry of a section ``Args`` in the package, with the place where it stands."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.FunctionDef):
                for name, text in entries(ast.get_docstring(node) or "").items():
                    yield f"{name}: {text}"


def test_no_explanation_of_an_argument_stands_twice():
    assert {text: count for text, count in Counter(explanations()).items() if count > 1} == {}


def test_explanations_of_arguments_begin_with_what_they_are():
    """With a noun or an adjective, as dictionaries do: not "Of the gap", but "Mean of the gap"."""
    clauses = ("Of ", "That ", "Which ", "What ", "How ")
    found = [text for text in explanations() if text.split(": ", 1)[1].startswith(clauses)]
    assert found == []


def test_columns_are_read_from_lists_of_definitions_and_sentences(tmp_path):
    file = tmp_path / "table.py"
    file.write_text(
        'def table():\n    """Make it.\n\n    Returns:\n'
        "        One row per ``network``: numbers; ``ratio`` is a / b.\n"
        "        And ``angle`` (angle of the point in (0, π)).\n\n"
        "        ``first``, ``second``\n            Both of them,\n            on two lines.\n"
        "        ``active_1``, ``active_2`` …\n            Of each layer.\n"
        '    """\n'
    )
    found = columns(file, "table")
    assert found["network"] == "One row per network"
    assert found["ratio"].startswith("ratio is a / b.")
    assert found["angle"] == "angle of the point in (0, π)"
    assert found["first"] == found["second"] == "Both of them, on two lines."
    assert found["active_1"] == found["active_2"] == "Of each layer."
