"""Pages of the documentation, their links, and the examples in them and in docstrings."""

import doctest
import json
import os
import re
import subprocess
import sys
from importlib import import_module
from warnings import catch_warnings, simplefilter

import counted_costs
import pandas as pd
import profile_changes
import pytest
import torch
import yaml
from benchmark_page import RECORDS, recorded
from examples import example_of, result_of
from pages import KINDS, LINKS, PICTURE_BYTES, ROOT, SCHEMA, write_gallery, write_pages

from generalization.catalog import CHECKABLE, FUNCTIONS
from generalization.docstrings import arguments
from generalization.hyperparameters import OF_BUILT_IN
from generalization.names import readable

# Pages written by hand, and those whose first lines name the command that writes them.
WRITTEN = ["README.md", *(str(p.relative_to(ROOT)) for p in sorted(ROOT.glob("docs/**/*.md")))]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TOP = {path.name for path in ROOT.iterdir()} - {"results", "build", ".snakemake"}
# Files that a reader writes.
OF_READERS = {"config/mine.yaml", "config/small_resnet.py", "config/my_data.py", "config/runs.csv"}

DOCTESTED = [
    "generalization.own_networks",
    "generalization.measures.jacobian_norm",
    "generalization.measures.path_norm",
    "generalization.measures.weight_norm",
    "generalization.similarities.linear_cka",
]


def programs(page):
    """Return the programs of a page, each with the output that follows it, if there is one."""
    text = (ROOT / page).read_text(encoding="utf-8")
    inside = r"((?:(?!```).)*)```"
    return re.findall(rf"```python\n{inside}(?:\n\n```text\n{inside})?", text, flags=re.DOTALL)


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


PARTS = {
    "definition": r"^# .+\n\n`\w+\(.*\)`\n\n\w",
    "source": r"^\* \*\*Source:\*\* .{8,}",
    "invariances": r"^\* \*\*Invariant to:\*\* \w",
    "cost": r"^\* \*\*Cost:\*\* .* at peak",
    "example": r"^## Example\n\n```python\n",
    "code": r"^## Code\n",
}


@pytest.mark.parametrize("part", PARTS)
def test_every_page_has_every_part(pages, part):
    texts = {name: (pages / link).read_text(encoding="utf-8") for name, link in LINKS.items()}
    lacking = [name for name in texts if not re.search(PARTS[part], texts[name], re.MULTILINE)]
    assert lacking == []
    assert not [name for name, text in texts.items() if "not known yet" in text]


def test_everything_that_is_checked_has_its_card_on_its_page(pages):
    for name in CHECKABLE:
        text = (pages / LINKS[name]).read_text(encoding="utf-8")
        card = text.split("## Audit card\n")[1].split("\n## ")[0]
        rows = card.split("\n\n")[0].strip().split("\n")
        assert rows[:2] == [f"| measure | {readable(name)} |", "|---|---|"]
        assert len(rows) == 17 and rows[-1].startswith("| fragile to | ")
        assert "](../audit.md)" in card


def test_invariances_are_those_of_the_audit_and_of_the_catalog(pages):
    said = (pages / "measures/jacobian_norm.md").read_text(encoding="utf-8")
    assert (
        "* **Invariant to:** permutation of units, rescaling of layers, order of inputs.\n"
        "* **Changed by:** scale of logits (×"
    ) in said
    said = (pages / "similarities/pwcca.md").read_text(encoding="utf-8")
    assert "orthogonal maps of `b` only" in said and "changes if the layers change places" in said
    said = (pages / "profiles/points.md").read_text(encoding="utf-8")
    assert "unit of inputs: `jacobian_norm`, `true_row_norm`, `logit_gram_m`" in said


# Counted again in well under a second.
QUICK = 5e7


COSTS = pd.read_csv(counted_costs.FILE).set_index("name")


def test_costs_of_everything_are_counted():
    assert {*COSTS.index} == {*FUNCTIONS}


@pytest.mark.parametrize("name", COSTS.index[COSTS["operations"] < QUICK])
def test_costs_are_what_is_counted(name):
    known = COSTS.loc[name]
    found = counted_costs.cost_of(name)
    assert found["operations"] == known["operations"]
    assert found["passes"] == pytest.approx(known["passes"], rel=1e-5)
    assert found["peak_bytes"] == pytest.approx(known["peak_bytes"], rel=0.1)
    assert found["decompositions"] == (
        known["decompositions"] if pd.notna(known["decompositions"]) else ""
    )


@pytest.mark.parametrize("name", ["points", "image_errors", "tangent_bounds", "canonical_spectra"])
def test_changes_of_profiles_are_what_is_found(name):
    known = profile_changes.known()
    known = known[known["profile"] == name].reset_index(drop=True)
    pd.testing.assert_frame_equal(profile_changes.changes_of(name), known)


def test_ratios_of_benchmarks_are_shown_as_they_were_recorded(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    timing = import_module("timing")
    runs = []
    for index, plain in enumerate((3.0, 2.5)):
        monkeypatch.setenv(timing.RECORDED, str(tmp_path / f"{index}.jsonl"))
        seconds = {"ours": 0.5, "plain_loop": plain}
        timing.print_table("Two networks", seconds, ours="ours", flops=1e9, limit=8e9)
        runs.append([json.loads((tmp_path / f"{index}.jsonl").read_text(encoding="utf-8"))])
    assert "25.0% of sgemm (8 GFLOP/s)" in capsys.readouterr().out
    about = {"processor": "P", "vectors": "avx2", "cores": 2, "system": "S", "python": "3.11"}
    record = {"machine": about | {"torch": "2.4", "load": 1.5}, "limit": 9, "runs": runs}
    assert recorded(record).split("\n")[2:] == [
        "| variant | ms | × ours | of sgemm |",
        "|---|---|---|---|",
        "| **ours** | 500, 500 | 1 | 25%, 25% |",
        "| plain\\_loop | 3,000, 2,500 | 6, 5 |  |",
        "",
        "2 runs: P (avx2), 2 cores, S, Python 3.11, torch 2.4; the load average was 1.5 at the "
        "beginning.",
    ]
    assert recorded(record | {"runs": []}).startswith("Not recorded here: it takes more than 9 s")


def test_ratios_are_recorded_at_least_twice(pages):
    page = (pages / "benchmarks.md").read_text(encoding="utf-8")
    records = sorted(RECORDS.glob("*.json"))
    assert len(records) > 5
    for record in records:
        runs = json.loads(record.read_text(encoding="utf-8"))["runs"]
        assert len(runs) != 1, record
        shown = page.split(f"\n`benchmarks/{record.stem}.py`")[0].rsplit("\n## ", 1)[1]
        said = "| × ours |" if runs else "Not recorded here: it takes more than"
        assert said in shown, record


@pytest.mark.parametrize("kind", KINDS)
def test_arguments_are_explained(pages, kind):
    for name in KINDS[kind]:
        text = (pages / LINKS[name]).read_text(encoding="utf-8")
        explained = arguments(ROOT / f"{_file(text)}", name)
        assert all(f"* `{argument}`: " in text for argument in explained)


def _file(text):
    return re.search(r"\n`(\S+\.py)`, function", text)[1]


def test_the_configuration_page_has_every_key(pages):
    """Those of measures by the schema of each; the others are examples of every way to nest."""
    page = (pages / "configuration.md").read_text(encoding="utf-8")
    schema = yaml.safe_load((ROOT / SCHEMA).read_text(encoding="utf-8"))
    known = schema["$defs"]
    keys = [*schema["properties"], *known["hyperparameters"]["properties"]]
    assert all(re.search(rf"^##+ {key}$", page, re.MULTILINE) for key in keys)
    for kind in ("measures", "ensemble_measures", "profiles", "similarities", "statistics"):
        for name, entry in known[kind]["properties"].items():
            assert f"`{name}`" in page
            entry = known[entry["$ref"].rsplit("/", 1)[1]] if "$ref" in entry else entry
            assert all(f"`{name}.{one}`" in page for one in entry.get("properties", {}))
    for key in ("NAME.white", "sample.paired", "better", "svcca.explained_variance", "manifest"):
        assert f"`{key}`" in page


def test_the_gallery_shows_the_figures_of_studies_that_were_run(tmp_path):
    for place in ("study/figures/capacity", "smoke/figures/capacity", "smoke/figures/x/other"):
        picture = tmp_path / f"studies/{place}.svg"
        picture.parent.mkdir(parents=True)
        picture.write_text(f"<svg><!-- {place} --></svg>")
    large = tmp_path / "studies/smoke/figures/measure_league.svg"
    large.write_text(" " * PICTURE_BYTES)
    per_measure = tmp_path / "studies/smoke/figures/gap_against_measure/weight_norm.svg"
    per_measure.parent.mkdir()
    per_measure.write_text("<svg/>")
    write_gallery(tmp_path / "pages", tmp_path / "studies")
    gallery = (tmp_path / "pages/gallery.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"study (\w+)\]\(figures/(\w+)\.svg\)", gallery))
    assert shown == {"study": "capacity", "smoke": "gap_against_measure"}
    copied = (tmp_path / "pages/figures/capacity.svg").read_text()
    assert "study/figures/capacity" in copied


def test_the_site_builds_without_a_broken_link_or_missing_page(pages, tmp_path):
    settings = (ROOT / "docs/mkdocs.yml").read_text(encoding="utf-8")
    settings = settings.replace("../results/documentation/pages", str(pages))
    settings = settings.replace("../results/documentation/site", str(tmp_path / "site"))
    # Highlighting takes half of the time and finds no fault.
    settings = settings.replace("  - pymdownx.highlight\n", "")
    (tmp_path / "mkdocs.yml").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "-f", tmp_path / "mkdocs.yml"]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=quiet)
    # With --quiet, strict mode would not see a warning.
    told = [line for line in ended.stderr.split("\n") if line and not line.startswith("INFO ")]
    assert (ended.returncode, told) == (0, [])
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


PROGRAMS = [(page, index) for page in WRITTEN for index in range(len(programs(page)))]
# A number with a fraction.
NUMBER = r"(?<![\w.])\d+\.\d+(?:e-?\d+)?"


@pytest.mark.parametrize(("page", "index"), PROGRAMS)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")
def test_programs_run_in_an_empty_folder(page, index, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    program, shown = programs(page)[index]
    exec(program, {"__name__": "program"})
    if shown:
        printed = capsys.readouterr().out
        assert re.sub(NUMBER, "", printed) == re.sub(NUMBER, "", shown)
        values = [*map(float, re.findall(NUMBER, shown))]
        assert [*map(float, re.findall(NUMBER, printed))] == pytest.approx(values, rel=0.01)


def test_the_manifest_of_the_tutorial_is_the_one_that_its_program_writes(tmp_path, monkeypatch):
    page = "docs/tutorials/own_networks.md"
    monkeypatch.chdir(tmp_path)
    program = next(program for program, _ in programs(page) if "runs.csv" in program)
    exec(program, {"__name__": "program"})
    shown = re.search(r"```csv\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)[1]
    written = (tmp_path / "config/runs.csv").read_text(encoding="utf-8")
    assert written.startswith(shown) and len(written.splitlines()) == 11


def test_refused_keys_of_own_architectures_are_listed():
    text = (ROOT / "docs/tutorials/foreign_architecture.md").read_text(encoding="utf-8")
    listed = text.split("has its own layers: ")[1].split(" are refused")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(OF_BUILT_IN)


@pytest.mark.parametrize("page", WRITTEN)
def test_commands_and_files_that_a_page_names_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    goals = set(re.search(r"\.PHONY: ((?:.*\\\n)*.*)", MAKEFILE)[1].replace("\\\n", " ").split())
    commands = re.findall(r"^make (\S+)|`make (\S+?)[ `]", text, flags=re.MULTILINE)
    assert {one or other for one, other in commands} <= goals | {".tools/bin/uv"}
    studies = re.findall(r"\bSTUDY=(\w+)|`config/(\w+)\.yaml`", text)
    for study in {one or other for one, other in studies} - {"mine"}:
        assert (ROOT / f"config/{study}.yaml").exists(), study
    for path in re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)`|python ([\w/]+\.py)", text):
        path = "".join(path)
        if path not in OF_READERS and (path.split("/")[0] in TOP and path != "slurm"):
            assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#:\s]+)", text):
        beside = (ROOT / page).parent / link
        assert beside.exists() or beside.resolve().relative_to(ROOT / "docs").parts, link


def test_studies_of_papers_in_the_readme_exist():
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Reproducing papers")[1]
    rows = re.findall(r"^\|.*?\| (?:`(\w+)`)? \| ?(?:`(\w+)`)? ?\|$", section, flags=re.MULTILINE)
    studies = {study for row in rows for study in row if study}
    assert len(studies) > 20
    assert [one for one in studies if not (ROOT / f"config/{one}.yaml").exists()] == []
