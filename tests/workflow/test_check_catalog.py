"""Whatever is missing of an entry in the catalog is reported in one sentence before planning."""

import dataclasses
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import check_catalog as module
import pytest
from check_catalog import NAME, ROOT, check_catalog

from generalization.catalog import (
    DATASETS,
    FIGURES,
    MEASURES,
    PAGES,
    PAPERS,
    PROFILES,
    ROOMS,
    SIMILARITIES,
    TABLES,
    Figure,
    Room,
    caption_of,
    file_of,
)
from generalization.errors import InputError

NAMES = [*MEASURES, *PROFILES, *SIMILARITIES, *DATASETS, *TABLES, *FIGURES]
KINDS = {"MEASURES": MEASURES, "SIMILARITIES": SIMILARITIES, "DATASETS": DATASETS}
HAS_NO = "generalization/catalog.py must name what there is, but {} has no {} {}."


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of the files that the catalog names."""
    folder = tmp_path_factory.mktemp("sources")
    for part in ("generalization", "workflow/report"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    check_catalog(folder)
    return folder


@contextmanager
def changed(path, content=None):
    """Remove a file, or give it another content, for a while."""
    before = path.read_text()
    path.unlink() if content is None else path.write_text(content)
    try:
        yield
    finally:
        path.write_text(before)


def sentence(root=ROOT):
    with pytest.raises(InputError) as caught:
        check_catalog(root)
    return str(caught.value)


def with_room(monkeypatch, **parts):
    monkeypatch.setattr(module, "ROOMS", ROOMS | {"experiments/new": Room(**parts)})


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_without_a_file(sources, name):
    with changed(sources / file_of(name)):
        # Of a family, the first member is reported.
        first = next(one for one in NAMES if file_of(one) == file_of(name))
        assert sentence(sources) == HAS_NO.format(first, "file", file_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_without_a_function(sources, name):
    file = sources / file_of(name)
    content = re.sub(rf"^def {name}\(", "def other(", file.read_text(), flags=re.MULTILINE)
    with changed(file, content):
        assert sentence(sources) == HAS_NO.format(file_of(name), "function", name)


@pytest.mark.parametrize("name", [*PAGES, *FIGURES])
def test_a_table_or_figure_without_a_caption(sources, name):
    with changed(sources / caption_of(name)):
        assert sentence(sources) == HAS_NO.format(name, "caption", caption_of(name))


def test_captions_lie_beside_experiments_or_with_the_report():
    beside = "generalization/experiments/jacobian/loss_bounds.rst"
    assert caption_of("loss_bounds") == beside
    assert caption_of("capacity") == "workflow/report/capacity.rst"
    assert caption_of("excluded") == "workflow/report/excluded.rst"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_without_a_folder(sources, room):
    folder = f"generalization/{room}"
    (sources / folder).rename(sources / "elsewhere")
    try:
        expected = HAS_NO.format(f"the room {room}", "file", f"{folder}/__init__.py")
        assert sentence(sources) == expected
    finally:
        (sources / "elsewhere").rename(sources / folder)


@pytest.mark.parametrize(
    ("paper", "room"), [(paper, room) for room in ROOMS for paper in ROOMS[room].papers]
)
def test_a_paper_without_claims(sources, paper, room):
    file = f"generalization/{room}/claims.py"
    with changed(sources / file):
        assert sentence(sources) == HAS_NO.format(f"the room {room}", "file", file)
    missing = HAS_NO.format(file, "claims of", f"{paper} in CLAIMS")
    for content in ("", 'CLAIMS = {"other": ()}\n', "from elsewhere import CLAIMS\n"):
        with changed(sources / file, content):
            # Of two papers in one room, the first is reported.
            assert sentence(sources) in {
                missing,
                missing.replace(paper, ROOMS[room].papers[0]),
            }
    annotated = f'CLAIMS: dict[str, tuple] = {{"{paper}": ()}}\n'
    if len(ROOMS[room].papers) == 1:
        with changed(sources / file, annotated):
            check_catalog(sources)


@pytest.mark.parametrize("paper", PAPERS)
def test_a_paper_in_other_rooms_than_its_claims(monkeypatch, paper):
    monkeypatch.setattr(module, "PAPERS", PAPERS | {paper: ("noise_machine",)})
    rooms = [room for room in ROOMS if paper in ROOMS[room].papers]
    assert sentence() == (
        f"PAPERS and ROOMS in generalization/catalog.py must agree, but {paper} is in "
        f"noise_machine by the one and in {', '.join(rooms)} by the other."
    )


def test_every_name_in_the_catalog_may_stand_in_a_file_name():
    assert all(re.fullmatch(NAME, name) for name in NAMES)
    snakefile = Path("Snakefile").read_text()
    for wildcard in ("dataset", "measure", "profile", "similarity", "figure", "table"):
        assert re.search(rf"^    {wildcard}=(NAME|rf\"{{NAME}}.*\"),$", snakefile, re.MULTILINE)
    check_catalog()


INVALID = "names in generalization/catalog.py must match [a-z][a-z0-9_]*, not '2nd'."


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_may_not_stand_in_a_file_name(monkeypatch, kind):
    monkeypatch.setattr(module, kind, KINDS[kind] | {"2nd": next(iter(KINDS[kind].values()))})
    monkeypatch.setattr(module, "_descriptions", dict)
    assert sentence() == INVALID


@pytest.mark.parametrize("part", ["profiles", "tables", "figures"])
def test_a_name_in_a_room_that_may_not_stand_in_a_file_name(monkeypatch, part):
    with_room(monkeypatch, **{part: {"2nd": None}})
    assert sentence() == INVALID


@pytest.mark.parametrize("name", ["jacobian_norm", "svcca", "digits", "points", "pairs"])
def test_a_name_of_two_entries(monkeypatch, name):
    with_room(monkeypatch, figures={name: Figure("Overview", ())})
    assert sentence() == (
        f"names in generalization/catalog.py must differ, but 2 entries have the name {name!r}."
    )


@pytest.mark.parametrize("catalog", ["MEASURES", "PROFILES", "SIMILARITIES", "DATASETS", "PAPERS"])
@pytest.mark.parametrize("missing", ["schema", "catalog"])
def test_an_entry_that_is_half_added(monkeypatch, catalog, missing):
    entries = dict(getattr(module, catalog))
    name, entry = next(iter(entries.items()))
    other = "schema" if missing == "catalog" else "catalog"
    if missing == "catalog":
        del entries[name]
    else:
        name = "l2"
        entries[name] = entry
    monkeypatch.setattr(module, catalog, entries)
    assert sentence() == (
        f"{catalog.lower()} must be the same in generalization/catalog.py and in "
        f"workflow/schemas/study.schema.yaml, but only the {other} names {name}, which the "
        f"{missing} lacks."
    )


@pytest.mark.parametrize("table", TABLES)
def test_a_table_made_from_one_that_does_not_exist(monkeypatch, table):
    entry = dataclasses.replace(TABLES[table], made_from=("measures", "trianing"))
    monkeypatch.setattr(module, "TABLES", TABLES | {table: entry})
    assert sentence() == HAS_NO.format(table, "table", "trianing that it could be made from")


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_of_what_does_not_exist(monkeypatch, figure):
    broken = {
        Figure("Overview", ("statistic",)): HAS_NO.format(
            figure, "table", "statistic that it could be made from"
        ),
        Figure("Overview", ("statistics",), ("jacobian",)): HAS_NO.format(
            figure, "measure", "jacobian that it could show"
        ),
        Figure("Overview", ("statistics",), one_per="dataset"): (
            f"one_per of {figure} in generalization/catalog.py must be measure, factor or empty, "
            "not 'dataset'."
        ),
    }
    for entry, expected in broken.items():
        monkeypatch.setattr(module, "FIGURES", FIGURES | {figure: entry})
        assert sentence() == expected


@pytest.mark.parametrize(
    ("name", "said", "asked"),
    [
        ("path_norm", "training", "none"),
        ("training_loss", "none", "training"),
        ("training_margin", "test", "training"),
    ],
)
def test_a_measure_that_sees_other_labels_than_it_asks_for(monkeypatch, name, said, asked):
    entry = dataclasses.replace(MEASURES[name], sees=said)
    monkeypatch.setattr(module, "MEASURES", MEASURES | {name: entry})
    assert sentence() == (
        f"sees of {name} in generalization/catalog.py must be {asked!r}, the labels that it asks "
        f"for, not {said!r}."
    )


def test_an_ensemble_measure_that_sees_other_labels_than_it_asks_for(monkeypatch):
    entry = module.ENSEMBLE_MEASURES["agreement_gap"]._replace(sees="none")
    known = module.ENSEMBLE_MEASURES | {"agreement_gap": entry}
    monkeypatch.setattr(module, "ENSEMBLE_MEASURES", known)
    assert sentence() == (
        "sees of agreement_gap in generalization/catalog.py must be 'training', the labels that it "
        "asks for, not 'none'."
    )


def test_a_measure_that_asks_for_test_labels_is_an_oracle(sources):
    file = sources / file_of("output_entropy")
    content = file.read_text().replace("def output_entropy(", "def output_entropy(labels, ", 1)
    with changed(file, content):
        assert sentence(sources) == (
            "sees of output_entropy in generalization/catalog.py must be 'test', the labels that "
            "it asks for, not 'none'."
        )


def test_a_table_that_the_report_does_not_show_needs_no_caption(sources):
    hidden = [name for name, table in TABLES.items() if not table.page]
    assert hidden
    assert not any((sources / caption_of(name)).exists() for name in hidden)
