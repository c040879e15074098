"""The code of a user on which results depend."""

import pytest
from own_code import answer_of, code_of

from generalization.errors import InputError

MODULES = {
    "nets.py": "from parts.layers import layer\n\ndef make():\n    return layer(3)\n",
    "parts/__init__.py": "",
    "parts/layers.py": "def layer(width):\n    return [0] * width\n",
    "alone.py": "x = 1\n",
}


@pytest.fixture
def code(tmp_path):
    """Function from changed files to the hash of ``nets:make``."""
    for name, text in MODULES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)

    def of(**changed):
        for name, text in changed.items():
            (tmp_path / name.replace("__", "/")).with_suffix(".py").write_text(text)
        code_of.cache_clear()
        return code_of("nets:make", (str(tmp_path),))

    return of


def test_imported_modules_count_and_others_do_not(code):
    before = code()
    assert code(alone="x = 2\n") == before
    assert code(parts__layers="def layer(width):\n    return [1] * width\n") != before


def test_comments_and_docstrings_do_not_count(code):
    before = code()
    commented = '"""Layers."""\n# Of zeros.\n' + MODULES["parts/layers.py"]
    assert code(parts__layers=commented) == before


def test_what_cannot_be_parsed_has_a_hash_of_its_own(code):
    before = code()
    broken = code(nets="def make(:\n")
    assert broken not in {before, ""}
    assert code(nets="def make(::\n") != broken


def test_an_installed_module_has_none(tmp_path):
    assert code_of("math:sqrt", (str(tmp_path),)) == ""


def test_a_script_that_fails_ends_in_one_sentence():
    with pytest.raises(InputError, match=r"^it must run, but it failed: \w*Error: .*$"):
        answer_of("workflow/describe_dataset.py", {}, "it must run, but it")
