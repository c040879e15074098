import pytest

from generalization.catalog import DATASETS, FIGURES, MEASURES, PROFILES, TABLES, place_of
from generalization.signatures import imported, named_by


def test_a_function_is_given_what_it_names():
    def add(a, *, b=1):
        return a + b

    assert named_by(add, {"a": 1, "c": 3}) == {"a": 1}
    assert named_by(add, {"a": 1, "b": 2, "c": 3}) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "name", [*MEASURES, *PROFILES, *TABLES, *FIGURES, *DATASETS, "svcca", "linear_cka"]
)
def test_the_function_of_an_entry_is_imported_by_its_place(name):
    function = imported(place_of(name))
    assert callable(function)
    assert function.__name__ == name
