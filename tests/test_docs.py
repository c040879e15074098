"""Pages of the documentation, their links, and the examples in them and in docstrings."""

import doctest
import os
import re
import subprocess
import sys
from importlib import import_module
from warnings import catch_warnings, simplefilter

import pandas as pd
import pytest
import torch
from examples import example_of, result_of
from pages import KINDS, LINKS, ROOT, write_pages

from generalization.catalog import FUNCTIONS
from generalization.docstrings import arguments

DOCTESTED = [
    "generalization.own_networks",
    "generalization.measures.jacobian_norm",
    "generalization.measures.path_norm",
    "generalization.measures.weight_norm",
    "generalization.similarities.linear_cka",
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documentation") / "pages"
    write_pages(folder)
    return folder


def test_everything_of_the_catalog_has_a_page(pages):
    assert set(LINKS) == set(FUNCTIONS)
    for name, link in LINKS.items():
        text = (pages / link).read_text(encoding="utf-8")
        assert f"function `{name}`" in text and f"g.{name}(" in text


@pytest.mark.parametrize("kind", KINDS)
def test_arguments_are_explained(pages, kind):
    for name in KINDS[kind]:
        text = (pages / LINKS[name]).read_text(encoding="utf-8")
        explained = arguments(ROOT / f"{_file(text)}", name)
        assert all(f"* `{argument}`: " in text for argument in explained)


def _file(text):
    return re.search(r"\n`(\S+\.py)`, function", text)[1]


def test_the_site_builds_without_a_broken_link_or_missing_page(pages, tmp_path):
    settings = (ROOT / "docs/mkdocs.yml").read_text(encoding="utf-8")
    settings = settings.replace("../results/documentation/pages", str(pages))
    settings = settings.replace("../results/documentation/site", str(tmp_path / "site"))
    # Highlighting takes half of the time and finds no fault.
    settings = settings.replace("  - pymdownx.highlight\n", "")
    (tmp_path / "mkdocs.yml").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "-q", "-f", tmp_path / "mkdocs.yml"]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=quiet)
    assert (ended.returncode, ended.stderr) == (0, "")
    built = list((tmp_path / "site").rglob("*.html"))
    assert len(built) > len(FUNCTIONS)
    # Pages load nothing from elsewhere; links may lead there.
    loaded = re.compile(r'(?:src=|<link[^>]+href=)"?(?:https?:)?//')
    assert [page for page in built if loaded.search(page.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")
def test_examples_run(name):
    found = result_of(example_of(name))
    if isinstance(found, pd.DataFrame):
        found = torch.tensor(found.select_dtypes("number").to_numpy(dtype=float))
    assert torch.as_tensor(found).isfinite().any()


@pytest.mark.parametrize("module", DOCTESTED)
def test_examples_in_docstrings_print_what_they_say(module):
    with catch_warnings():
        simplefilter("ignore")
        result = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0 and result.failed == 0


def test_programs_of_tutorials_run(tmp_path):
    text = (ROOT / "docs/tutorials/own_networks.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert programs
    for program in programs:
        if "torchvision" not in program:
            exec(program, {})
