"""Which module may use which: read from the sources, so that nothing has to run."""

import ast
from collections import Counter
from pathlib import Path

import pytest

# From the lowest floor to the highest; rooms on the same floor may import each other.
FLOORS = (
    (
        "errors",
        "files",
        "hdf5",
        "docstrings",
        "randomness",
        "refusals",
        "names",
        "signatures",
        "standard_errors",
        "hyperparameters",
        "columns",
        "tables",
        "collecting",
        "computed_on",
        "devices",
        "samples",
        "blocks",
        "given_data",
        "own_code",
        "precision",
    ),
    ("datasets",),
    ("networks",),
    ("training",),
    ("activations", "recorded"),
    ("derivatives",),
    ("regions",),
    ("units",),
    ("representations",),
    ("similarities",),
    ("measures", "ensemble_measures"),
    ("statistics",),
    ("figures",),
    (
        "offered",
        "seen_in_networks",
        "finite_networks",
        "bearable_costs",
        "measuring_modules",
        "module_layers",
        "own_population",
    ),
    ("measure_networks", "measure_pairs", "profile_networks", "audit"),
    ("experiments",),
    ("own_networks",),  # Reads the catalog: of modules of a user, not of a study.
    ("",),  # The package itself, which offers what is in its rooms.
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Imports from a lower room to a higher one that are still there: (module, what it uses).
UPWARD: set[tuple[str, str]] = set()

MODULES = {
    ".".join(path.with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(Path("generalization").rglob("*.py"))
}
SCRIPTS = sorted(Path("scripts").glob("*.py"))


def imports(path):
    """Modules of the package that a file imports anywhere, by their full names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} must import by full names."
            # A name imported from a package may be one of its modules.
            members = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in members]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "generalization")


def room(module):
    """Part of the package in which a module stands; empty of the package itself."""
    return ".".join(module.split(".")[1:2])


def test_every_room_has_a_floor():
    assert {room(module) for module in MODULES} - {"catalog"} == set(FLOOR)


def test_no_experiment_uses_another():
    of_experiments = {name: path for name, path in MODULES.items() if room(name) == "experiments"}
    assert of_experiments
    for module, path in of_experiments.items():
        experiment = module.split(".")[2:3]
        for used in imports(path):
            # The package `experiments` itself is not an experiment.
            others = used.split(".")[2:3] if room(used) == "experiments" else []
            assert others in ([], experiment), f"{module} must not import {used}."


def test_no_import_goes_from_a_lower_room_to_a_higher_one():
    upward = {
        (module, used)
        for module, path in MODULES.items()
        if room(module) in FLOOR
        for used in imports(path)
        if room(used) in FLOOR and FLOOR[room(used)] > FLOOR[room(module)]
    }
    assert upward == UPWARD


@pytest.mark.parametrize("path", [*MODULES.values(), *SCRIPTS], ids=str)
def test_the_code_of_no_job_knows_the_catalog(path):
    if path.stem != "own_networks":
        assert not {"generalization.catalog", "generalization.own_networks"} & set(imports(path))


def test_base_names_are_unique():
    names = Counter(path.stem for path in MODULES.values())
    again = {name for name, count in names.items() if count > 1}
    assert again == {"__init__", "claims"}
