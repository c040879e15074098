"""A measure, dataset or figure is there whole: file, index, schema, test, caption."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
from schema import SCHEMA, settings_of

from generalization.claims import PAPERS, claims_of
from generalization.datasets import DATASETS
from generalization.figures import FIGURES, PAGES
from generalization.measures import FULLY_CONNECTED_ONLY, MEASURES, SHARE_A_JOB, TAKEN_TOGETHER
from generalization.networks.architectures import ARCHITECTURES, POOLINGS
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.initial_layers import INITIALIZATIONS
from generalization.profiles import FULLY_CONNECTED_ONLY as PROFILES_OF_FULLY_CONNECTED
from generalization.profiles import PROFILES
from generalization.similarities import ASYMMETRIC, SIMILARITIES
from generalization.statistics import SETTINGS, TABLES

OFFERED = {
    "networks",
    "trained_networks",
    "inputs",
    "train_inputs",
    "train_labels",
    "initial_networks",
    "generator",
    "init_scale",
    "pixel_deviations",
    "shared_generator",
    *MEASURES,
}
OF_PROFILES = {"networks", "inputs", "labels", "train_inputs", "train_labels", "init_scale"}
OF_PROFILES |= {"generator", "pixel_deviations", "shared_generator"}
OF_PROFILES |= {"hyperparameters", "members", "recorded"}


def as_default(value):
    """A list of a configuration as a signature has it."""
    return tuple(value) if isinstance(value, list) else value


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
    assert {name: as_default(value) for name, value in settings.items()} == keywords
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
    named = tables_named_by(function)
    # Who names all tables is not told one by one.
    all_tables = "tables" in inspect.signature(function).parameters
    assert named == set(TABLES[table]).intersection(SETTINGS if all_tables else TABLES[table])
    assert Path(f"tests/statistics/test_{table}.py").is_file()


@pytest.mark.parametrize("paper", PAPERS)
def test_claims_are_about_tables_that_there_are(paper):
    assert {claim.table for claim in claims_of([paper])} <= {"statistics", *TABLES}


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


def reads_layers(function):
    """Whether it is of stacks of fully connected networks alone."""
    annotations = inspect.get_annotations(function, eval_str=True)
    return annotations.get("networks") is FullyConnectedNetworks


def test_what_reads_layers_of_fully_connected_networks_says_so():
    measures = {
        name: getattr(import_module(f"generalization.measures.{name}"), name) for name in MEASURES
    }
    profiles = {
        name: getattr(import_module(f"generalization.profiles.{name}"), name) for name in PROFILES
    }
    assert {name for name in measures if reads_layers(measures[name])} == set(FULLY_CONNECTED_ONLY)
    assert {name for name in profiles if reads_layers(profiles[name])} == set(
        PROFILES_OF_FULLY_CONNECTED
    )
    assert set(TAKEN_TOGETHER) <= set(MEASURES) - set(FULLY_CONNECTED_ONLY)


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("architecture", ARCHITECTURES),
        ("pooling", POOLINGS),
        ("initialization", INITIALIZATIONS),
    ],
)
def test_schema_names_all_choices(key, known):
    assert SCHEMA["$defs"]["hyperparameters"]["properties"][key]["enum"] == list(known)
