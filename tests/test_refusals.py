"""Refusals begin with the name of what refuses, once."""

import pytest

from generalization.errors import InputError
from generalization.refusals import named_refusals, refuses_by_name, with_article, with_name


@refuses_by_name
def inner(error):
    """A measure."""
    raise error


@refuses_by_name
def outer(error):
    inner(error)


@pytest.mark.parametrize("kind", [InputError, ValueError])
def test_the_outermost_names_a_refusal_of_its_class(kind):
    error = kind("networks must be finite, not NaN.")
    with pytest.raises(kind, match=r"^outer: networks must be finite, not NaN\.$") as caught:
        outer(error)
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    with pytest.raises(kind, match=r"^inner: networks must be finite, not NaN\.$"):
        inner(error)


def test_the_name_is_that_of_the_outermost_block():
    with named_refusals("outer") as first, named_refusals("inner") as second:
        assert (first, second) == ("outer", "outer")
    with named_refusals("inner") as alone:
        assert alone == "inner"


@pytest.mark.parametrize(
    "error",
    [
        InputError("inner needs networks with parameters, not one without."),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        RuntimeError("mat1 and mat2 cannot be multiplied"),
    ],
)
def test_what_is_named_and_what_is_no_refusal_stays(error):
    with pytest.raises(type(error)) as caught:
        inner(error)
    assert caught.value is error


def test_a_function_stays_what_it_was():
    assert (inner.__name__, inner.__doc__) == ("inner", "A measure.")


def test_a_longer_name_and_a_word_within_are_no_name():
    assert with_name("norm", "norms must be 1, not 2.") == "norm: norms must be 1, not 2."
    assert with_name("points", "it couples points.") == "points: it couples points."
    assert with_name("norm", "norm: it must be 1.") == "norm: it must be 1."


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("ResNet", "a ResNet"),
        ("Attention", "an Attention"),
        ("LSTM", "an LSTM"),
        ("GRU", "a GRU"),
        ("UNet", "a UNet"),
        ("int", "an int"),
        ("str", "a str"),
        ("_Private", "a _Private"),
    ],
)
def test_kinds_have_the_article_that_they_are_spoken_with(kind, named):
    assert with_article(kind) == named
