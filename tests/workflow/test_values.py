"""docs/values.md compares every value of every study at a paper's scale, and is up to date."""

import re
from dataclasses import replace

import pytest
import yaml
from values import (
    OPEN,
    PAGE,
    ROOT,
    differences,
    head_of,
    page,
    published_values,
    read_studies,
    same,
    values_of,
)

from generalization.catalog import DATASETS
from generalization.regions.crossing_costs import is_followed
from generalization.training.optimizers import RULES

STUDIES, PUBLISHED = read_studies(), published_values()
OF_PAPERS = [name for name, study in STUDIES.items() if study.papers and name != "smoke"]
REDUCED = [name for name in OF_PAPERS if name.endswith("_reduced")]
FULL = [name for name in OF_PAPERS if name not in REDUCED]
# Keys that are compared even where a study leaves them at their defaults.
ALWAYS_COMPARED = {
    *("seeds", "optimizer", "stop_at_accuracy"),
    *("statistics.fitted_accuracy", "statistics.whole_ensembles"),
}
TIME = re.compile(
    r"It takes at most [\d.]+ minutes on two cores of an AMD EPYC\."
    r"|By an estimate, not measured, it takes [\d.]+ core-(?:hours|minutes), thus .+ on two cores\."
)


def test_page_is_that_of_the_configurations():
    assert PAGE.read_text(encoding="utf-8") == page(), "run make values"


def test_every_study_of_a_paper_is_compared():
    assert sorted(PUBLISHED) == sorted(FULL)
    twins = {one: about.get("reduced", [f"{one}_reduced"]) for one, about in PUBLISHED.items()}
    assert sorted(name for names in twins.values() for name in names) == sorted(REDUCED)


@pytest.mark.parametrize("name", FULL)
def test_every_value_of_a_study_is_compared(name):
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text(encoding="utf-8"))
    given = {key for grid in config["ensembles"] for key in grid} - {"sample", "kept_steps"}
    assert given | ALWAYS_COMPARED <= {value["key"] for value in PUBLISHED[name]["values"]}


@pytest.mark.parametrize("name", FULL)
def test_momentum_is_compared_where_networks_have_it(name):
    ours = [one["ours"] for one in PUBLISHED[name].get("beyond", ()) if one["what"] == "momentum"]
    has_momentum = "momentum" in values_of(STUDIES[name], "optimizer")
    assert ours == [RULES["momentum"].memory] * has_momentum


@pytest.mark.parametrize("name", ["novak_small", "novak_large"])
def test_counts_of_networks_whose_loops_are_followed_are_right(name):
    networks = STUDIES[name].ensembles.values()
    followed = 0
    for one in networks:
        shape = DATASETS[one.dataset]
        height, width = (one.crop, one.crop) if one.crop else (shape.height, shape.width)
        widths = [shape.channels * height * width, *[one.width] * (one.depth - 1), shape.classes]
        followed += is_followed(widths, width, one.activation)
    (ours,) = [
        one["ours"]
        for one in PUBLISHED[name]["beyond"]
        if one["what"] == "sampling of trajectories"
    ]
    assert f"exact crossings of {followed:,} of the {len(networks):,} settings" in ours


@pytest.mark.parametrize("name", FULL)
def test_a_value_that_differs_or_is_open_says_why_and_no_other(name):
    for value in PUBLISHED[name]["values"]:
        ours = values_of(STUDIES[name], value["key"], value.get("of"))
        differs = value["paper"] == OPEN or not same(value["paper"], ours)
        assert bool(value.get("why")) == differs, (value, ours)


@pytest.mark.parametrize("name", REDUCED)
def test_a_reduced_study_says_what_it_can_show(name):
    assert "It can show" in head_of(name)


@pytest.mark.parametrize("name", [name for name in STUDIES if name.endswith("_reduced")])
def test_a_reduced_study_says_how_long_it_takes(name):
    assert len(TIME.findall(head_of(name))) == 1


def test_a_time_is_of_a_measurement_or_of_an_estimate():
    assert not TIME.search("In about nine core-minutes. It takes 3 core-hours.")


def test_differences_are_of_networks_measures_and_statistics():
    full, reduced = STUDIES["novak_trajectories"], STUDIES["novak_trajectories_reduced"]
    rows = list(differences(full, reduced))
    assert ["`seeds`", "16", "1"] in rows
    directions = (STUDIES["single_directions"], STUDIES["single_directions_reduced"])
    assert ["test images", "10,000", "4,000, 10,000"] in list(differences(*directions))
    assert ["`profiles.ellipses.of_each_seed`", "yes", "no"] in rows
    # Defaults are filled in.
    assert ["`profiles.ellipses.angles`", "192", "96"] in rows
    small = list(differences(STUDIES["novak_small"], STUDIES["novak_small_reduced"]))
    assert ["`statistics.whole_ensembles`", "yes", "no"] in small
    assert list(differences(full, full)) == []


def test_differences_are_of_what_only_one_study_measures_and_compares():
    full = STUDIES["svcca"]
    file, *others = full.measures
    measure, _ = full.measures[file]
    fewer = replace(
        full,
        measures={one: full.measures[one] for one in others},
        activations=None,
        comparisons=[{"setting": "width", "better": 2, "worse": 1}],
    )
    assert list(differences(full, fewer)) == [
        ["in one study alone", f"`activations`, `measures.{measure}`", "–"],
        ["`comparisons`", "none", "width: 2, 1"],
    ]
    changed = replace(fewer, statistics=fewer.statistics | {"level": 0.9})
    assert list(differences(fewer, changed)) == [["`statistics.level`", "0.95", "0.9"]]


def test_values_are_those_of_the_ensembles_that_are_asked_for():
    study = STUDIES["daroczy_training"]
    assert values_of(study, "learning_rate") == [0.001, 0.05]
    assert values_of(study, "learning_rate", {"optimizer": "adam"}) == [0.001]
    assert values_of(STUDIES["novak_small"], "measures.jacobian_norm.samples") == [10000]
    assert values_of(STUDIES["noise_clouds"], "profiles.noise_clouds.copies") == [256]
    with pytest.raises(
        ValueError, match=r"^noise_clouds must have ensembles of {'architecture': 'vgg'}\.$"
    ):
        values_of(STUDIES["noise_clouds"], "depth", {"architecture": "vgg"})


def test_values_are_the_same_in_any_order_and_type():
    assert same([2, 1.0], [1, 2.0]) and same(None, [None]) and same([[0, 1]], [(0, 1)])
    assert not same([1, 2], [1]) and not same("none", [None])
