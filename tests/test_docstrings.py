import pytest

from generalization.catalog import MEASURES, PROFILES, SIMILARITIES, TABLES, file_of
from generalization.docstrings import definition, first_sentence

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


@pytest.mark.parametrize("name", [*MEASURES, *PROFILES, *SIMILARITIES, *TABLES])
def test_everything_of_a_study_is_defined(name):
    assert len(definition(file_of(name), name)) > 20
