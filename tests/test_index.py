"""A measure, dataset or figure is there whole: file, index, schema, test, caption."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
from schema import SCHEMA, settings_of

from generalization.datasets import DATASETS
from generalization.figures import FIGURES, PAGES
from generalization.measures import MEASURES, SHARE_A_JOB
from generalization.profiles import PROFILES
from generalization.similarities import ASYMMETRIC, SIMILARITIES
from generalization.statistics import SETTINGS, TABLES, WELCOME

OFFERED = {
    "networks",
    "trained_networks",
    "inputs",
    "train_inputs",
    "train_labels",
    "initial_networks",
    "generator",
    "init_scale",
    *MEASURES,
}
OF_PROFILES = {"networks", "inputs", "labels", "train_inputs", "train_labels", "init_scale"}
OF_PROFILES |= {"generator", "seeds", "steps"}


def test_index_and_schema_name_the_same_measures():
    assert set(MEASURES) == set(SCHEMA["$defs"]["measures"]["properties"])
    assert set(SHARE_A_JOB) <= set(MEASURES)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_is_whole(measure):
    function = getattr(import_module(f"generalization.measures.{measure}"), measure)
    parameters = inspect.signature(function).parameters
    keywords = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in OFFERED | {"dtype"}
    }
    settings = settings_of(measure)
    assert ("inputs" in parameters) == ("samples" in settings)
    settings.pop("samples", None)
    assert settings == keywords
    assert set(parameters) - set(keywords) - {"dtype"} <= OFFERED
    assert "labels" not in set(parameters) - {"train_labels"}
    assert Path(f"tests/measures/test_{measure}.py").is_file()


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_dataset_is_whole(dataset):
    assert callable(getattr(import_module(f"generalization.datasets.{dataset}"), dataset))
    assert dataset in SCHEMA["$defs"]["hyperparameters"]["properties"]["dataset"]["enum"]
    assert any(dataset in path.read_text() for path in Path("tests/datasets").glob("test_*.py"))


def test_index_and_schema_name_the_same_profiles():
    assert set(PROFILES) == set(SCHEMA["$defs"]["profiles"]["properties"])


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_whole(profile):
    function = getattr(import_module(f"generalization.profiles.{profile}"), profile)
    parameters = inspect.signature(function).parameters
    keywords = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    settings = settings_of(profile)
    settings.pop("samples", None)
    assert settings == keywords
    assert set(parameters) - set(keywords) <= OF_PROFILES
    assert Path(f"tests/profiles/test_{profile}.py").is_file()


def test_index_and_schema_name_the_same_similarities():
    assert set(SIMILARITIES) == set(SCHEMA["$defs"]["similarities"]["properties"])
    assert set(ASYMMETRIC) <= set(SIMILARITIES)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_a_similarity_is_whole(similarity):
    function = getattr(import_module(f"generalization.similarities.{similarity}"), similarity)
    parameters = inspect.signature(function).parameters
    keywords = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert keywords.pop("products", "") is None
    settings = settings_of(similarity)
    comparison = {"pairs", "layers", "convolution"}
    assert comparison <= set(settings)
    assert {key: settings[key] for key in settings if key not in comparison} == keywords
    assert set(parameters) - set(keywords) == {"a", "b", "products"}
    assert Path(f"tests/similarities/test_{similarity}.py").is_file()


def tables_named_by(function):
    known = {"measures", "training", "statistics", "similarities", *PROFILES, *TABLES, *SETTINGS}
    return known.intersection(inspect.signature(function).parameters)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_whole(table):
    function = getattr(import_module(f"generalization.statistics.{table}"), table)
    assert tables_named_by(function) == {*TABLES[table], *WELCOME.get(table, ())}
    assert Path(f"tests/statistics/test_{table}.py").is_file()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_a_caption(page):
    assert Path(f"workflow/report/{page}.rst").is_file()


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_whole(figure):
    function = getattr(import_module(f"generalization.figures.{figure}"), figure)
    assert tables_named_by(function) == set(FIGURES[figure].tables)
    assert set(FIGURES[figure].measures) <= set(MEASURES)
    assert Path(f"workflow/report/{figure}.rst").is_file()
    assert Path(f"tests/figures/test_{figure}.py").is_file()


@pytest.mark.parametrize(
    ("folder", "index"),
    [("measures", MEASURES), ("profiles", PROFILES), ("similarities", SIMILARITIES)],
)
def test_every_file_has_an_entry(folder, index):
    names = {path.stem for path in Path("generalization", folder).glob("*.py")} - {"__init__"}
    assert names == set(index)
