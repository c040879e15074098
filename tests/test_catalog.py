"""A measure, dataset or figure is complete: file, catalog, schema, test, caption."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest
from schema import SCHEMA, settings_of

from generalization.catalog import (
    ALWAYS,
    DATASETS,
    ENSEMBLE_MEASURES,
    FIGURES,
    MEASURES,
    PAGES,
    PAPERS,
    PROFILES,
    ROOMS,
    SETTINGS,
    SIMILARITIES,
    TABLES,
    caption_of,
    file_of,
    place_of,
)
from generalization.experiments import claims_of
from generalization.networks.architectures import ARCHITECTURES, POOLINGS
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.initial_layers import INITIALIZATIONS
from generalization.offered import OfferedToMeasures, OfferedToProfiles
from generalization.seen_in_networks import SEEN
from generalization.signatures import imported

OFFERED = {field.name for field in fields(OfferedToMeasures)} | set(MEASURES)
OF_PROFILES = {field.name for field in fields(OfferedToProfiles)}


def function_of(name):
    return imported(place_of(name))


def has_a_test(name):
    """Tell whether an entry, or the family whose file it is in, has a test."""
    file = Path(file_of(name).replace("generalization", "tests", 1))
    return any(file.with_name(f"test_{one}.py").is_file() for one in (name, file.stem))


def as_default(value):
    """Value of a configuration as it is written in a signature."""
    return tuple(value) if isinstance(value, list) else value


def test_index_and_schema_name_the_same_measures():
    assert set(MEASURES) == set(SCHEMA["$defs"]["measures"]["properties"])


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_is_complete(measure):
    function = function_of(measure)
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
    assert has_a_test(measure)


def test_index_and_schema_name_the_same_ensemble_measures():
    assert set(ENSEMBLE_MEASURES) == set(SCHEMA["$defs"]["ensemble_measures"]["properties"])


@pytest.mark.parametrize("measure", ENSEMBLE_MEASURES)
def test_an_ensemble_measure_is_complete(measure):
    parameters = inspect.signature(function_of(measure)).parameters
    keywords = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    settings = settings_of(measure)
    settings.pop("samples")
    assert settings == keywords
    sides = {f"{kind}_{side}" for kind in SEEN for side in "ab"}
    assert set(parameters) - set(keywords) <= sides
    assert has_a_test(measure)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_dataset_is_complete(dataset):
    assert callable(function_of(dataset))
    assert dataset in SCHEMA["$defs"]["hyperparameters"]["properties"]["dataset"]["enum"]
    assert any(dataset in path.read_text() for path in Path("tests/datasets").glob("test_*.py"))


def test_index_and_schema_name_the_same_profiles():
    assert set(PROFILES) == set(SCHEMA["$defs"]["profiles"]["properties"])


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_complete(profile):
    function = function_of(profile)
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
    assert has_a_test(profile)


def test_index_and_schema_name_the_same_similarities():
    assert set(SIMILARITIES) == set(SCHEMA["$defs"]["similarities"]["properties"])


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_a_similarity_is_complete(similarity):
    function = function_of(similarity)
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
    assert has_a_test(similarity)


def tables_named_by(function):
    known = {*ALWAYS, "similarities", *PROFILES, *TABLES, *SETTINGS}
    return known.intersection(inspect.signature(function).parameters)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_complete(table):
    function = function_of(table)
    named, made_from = tables_named_by(function), TABLES[table].made_from
    # A function that names `tables` is given all of them, and need not name each.
    all_tables = "tables" in inspect.signature(function).parameters
    assert named == set(made_from).intersection(SETTINGS if all_tables else made_from)
    assert has_a_test(table)


@pytest.mark.parametrize("paper", PAPERS)
def test_claims_are_about_tables_that_there_are(paper):
    assert {claim.table for claim in claims_of({paper: PAPERS[paper]})} <= {"statistics", *TABLES}
    rooms = {folder for folder, room in ROOMS.items() if paper in room.papers}
    assert rooms == {f"experiments/{room}" for room in PAPERS[paper]}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_a_caption(page):
    assert Path(caption_of(page)).is_file()


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_complete(figure):
    function = function_of(figure)
    assert tables_named_by(function) == set(FIGURES[figure].made_from)
    assert set(FIGURES[figure].measures) <= set(MEASURES)
    assert Path(caption_of(figure)).is_file()
    assert has_a_test(figure)


@pytest.mark.parametrize(
    ("folder", "index"),
    [
        ("measures", MEASURES),
        ("ensemble_measures", ENSEMBLE_MEASURES),
        ("similarities", SIMILARITIES),
    ],
)
def test_every_file_has_an_entry(folder, index):
    files = set(Path("generalization", folder).glob("*.py"))
    files.remove(Path("generalization", folder, "__init__.py"))
    assert files == {Path(file_of(name)) for name in index}


def test_a_family_named_as_a_measure_has_it():
    known = MEASURES | ENSEMBLE_MEASURES
    families = {entry.file for entry in known.values() if entry.file}
    assert not any(known[family].file for family in families & set(known))


@pytest.mark.parametrize("folder", [folder for folder in ROOMS if "/" in folder])
def test_the_first_page_of_an_experiment_names_its_files_by_what_they_are(folder):
    room, said = ROOMS[folder], Path("generalization", folder, "__init__.py").read_text()
    files = {path.stem for path in Path("generalization", folder).glob("*.py")}
    shared = files - {"__init__", "claims", *room.profiles, *room.tables, *room.figures}
    kinds = {
        "Profiles": room.profiles,
        "Tables": room.tables,
        "Figures": room.figures,
        "Shared by these": shared,
    }
    for kind, names in kinds.items():
        told = re.search(rf"^{kind}:\n((?:    .*\n)+)", said, re.MULTILINE)
        assert set(re.findall(r"\w+", told[1]) if told else ()) == set(names)


def reads_layers(function):
    """Tell whether a function accepts only stacks of fully connected networks."""
    annotations = inspect.get_annotations(function, eval_str=True)
    return annotations.get("networks") is FullyConnectedNetworks


@pytest.mark.parametrize("name", [*MEASURES, *PROFILES])
def test_what_reads_layers_of_fully_connected_networks_says_so(name):
    entry = (MEASURES | PROFILES)[name]
    assert reads_layers(function_of(name)) == entry.fully_connected_only
    chosen = getattr(entry, "drawn_alone", False) or getattr(entry, "taken_together", False)
    assert not (entry.fully_connected_only and chosen)


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
