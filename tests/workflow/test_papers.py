"""One page per paper: which studies and figures it has, and that Snakemake writes it."""

import shutil

import pytest
from papers import (
    captions,
    draws,
    figures_of,
    figures_of_study,
    reduced_studies,
    shows,
    titles,
)
from values import ROOT, published_values, read_studies

from generalization.catalog import FIGURES, PAPERS
from generalization.errors import InputError
from generalization.experiments import claims_of
from generalization.statistics.claim import Claim


@pytest.mark.parametrize("paper", PAPERS)
def test_every_paper_has_studies_and_all_of_its_figures(paper):
    names = [study.name for study in reduced_studies(paper)]
    assert names and all(name.endswith("_reduced") for name in names)
    figures = figures_of(paper)
    assert {study for _, _, study, _ in figures} == set(names)
    assert all(shows.endswith(".") for *_, shows in figures)
    studies = read_studies()
    of_paper = {
        name: about["figures"]
        for name, about in published_values().items()
        if paper in studies[name].papers
    }
    wanted = {figure for about in of_paper.values() for figure in about.values()}
    assert {figure for _, figure, _, _ in figures} == wanted
    # The study at the paper's scale draws them, too.
    assert all(
        draws(studies[name], figure) for name, some in of_paper.items() for figure in some.values()
    )
    assert titles()[paper]


def test_figures_are_in_the_order_of_the_paper():
    places = [place for place, *_ in figures_of("novak_2018")]
    assert places[:3] == ["Fig. 1", "Fig. 2", "Fig. 3"]
    assert places[-3:] == ["Fig. App. 7", "Fig. App. 9", "Fig. App. 11"]
    assert [place for place in places if place.startswith(("Fig. 4", "Fig. 5"))] == [
        *("Fig. 4 (rows 1, 3 and 4)", "Fig. 4 (row 2)"),
        *("Fig. 5 (top)", "Fig. 5 (bottom)"),
    ]


def test_every_figure_of_a_record_has_its_caption_from_the_code():
    files = {one.name for one in (ROOT / "docs/findings").glob("*/*.svg")}
    assert files and files <= captions().keys()
    assert captions()["corruption.svg"].endswith("Figs 1b and 1c.")
    assert all(said.endswith(".") and said[0].isupper() for said in captions().values())


def test_a_figure_of_another_measure_or_none_is_not_drawn():
    study = read_studies()["novak_small_reduced"]
    assert draws(study, "gap_against_measure/jacobian_norm")
    assert not draws(study, "gap_against_measure/path_norm")
    assert not draws(study, "gap_against_measure")
    assert not draws(study, "boundary_maps")


def test_a_study_is_carried_by_the_figures_of_its_papers_or_by_the_league(tmp_path):
    folder = tmp_path / "novak_trajectories_reduced"
    (folder / "figures").mkdir(parents=True)
    ((place, name, shows),) = figures_of_study(folder)
    assert (place, name) == ("", "measure_league") and shows.endswith(".")
    for name in ("translation_rings", "ellipse_trajectories"):
        (folder / f"figures/{name}.svg").touch()
    assert [(place, name) for place, name, _ in figures_of_study(folder)] == [
        ("Fig. 2", "ellipse_trajectories"),
        ("Fig. App. 9", "translation_rings"),
    ]


def test_what_no_figure_of_the_paper_draws_is_drawn_by_the_fewest_others(tmp_path):
    folder = tmp_path / "novak_trajectories_reduced"
    (folder / "figures/gap_against_measure").mkdir(parents=True)
    # Both are drawn beside each other in one, and each in one of its own.
    losses = [
        "The training loss does not correlate with the gap",
        "Among networks that fit their training set, larger ones have a smaller gap",
    ]
    transitions = "The number of transitions alone does not correlate with the gap"
    rows = ["claim", *losses, transitions, "Unknown"]
    (folder / "claims.csv").write_text("".join(f'"{row}"\n' for row in rows))
    of_loss, of_size, of_transitions = (
        f"gap_against_measure/{name}"
        for name in ("training_loss", "number_of_parameters", "transitions")
    )
    for name in ("ellipse_trajectories", "measure_league", "capacity", of_loss, of_size):
        (folder / f"figures/{name}.svg").touch()
    found = [(place, name) for place, name, _ in figures_of_study(folder)]
    assert found == [("Fig. 2", "ellipse_trajectories"), ("", "capacity")]
    (folder / f"figures/{of_transitions}.svg").touch()
    found = [name for _, name, _ in figures_of_study(folder)]
    assert found == ["ellipse_trajectories", "capacity", of_transitions]


def test_an_unknown_paper_is_refused():
    with pytest.raises(InputError, match=r"^PAPER must be among novak_2018, .*, not 'nowhere'\.$"):
        reduced_studies("nowhere")


def test_snakemake_writes_the_page_of_a_paper(new_study):
    for name in read_studies():
        shutil.copy(ROOT / f"config/{name}.yaml", new_study.path / "config")
    figures = {
        "pwcca_reduced": ["similarity_of_groups", "similarity_against_width"],
        "svcca_reduced": [
            *("similarity_heat_maps", "similarity_over_training", "accuracy_on_directions"),
            *("sorted_correlations", "direction_stability", "cluster_maps"),
        ],
    }
    for study, drawn in figures.items():
        results = new_study.path / f"results/studies/{study}"
        (results / "figures").mkdir(parents=True)
        for figure in drawn:
            (results / f"figures/{figure}.svg").write_text("<svg/>")
        (results / "summary.txt").write_text("A sentence.\n")
        for table in ("statistics", "training"):
            (results / f"{table}.csv").write_text("ensemble\n")
        (results / "claims.csv").write_text(
            "claim,labels,about,source,quote,expected,ours,estimate,low,high,control,of,verdict,"
            "reason\nWider networks are more similar,,mnist,,,above 0,,0.5,0.25,0.75,,8 ensembles,"
            "replicates,\n"
        )
    page = "results/papers/morcos_2018_similarity.html"
    new_study.snakemake("--", page)
    text = (new_study.path / page).read_text()
    assert "<h1>Morcos, Raghu &amp; Bengio 2018" in text
    assert 'src="../studies/pwcca_reduced/figures/similarity_against_width.svg"' in text
    assert "1 claim in 2 rows" in text and "2 replicates" in text


@pytest.mark.parametrize(
    ("figure", "table", "rows", "shown"),
    [
        ("similarity_of_groups", "similarity_contrasts", "", True),  # Made from it.
        ("accuracy_under_ablation", "early_stopping", "", True),  # From the same profile.
        ("similarity_against_width", "similarity_trends", "", True),
        ("variance_against_sensitivity", "sensitivity_statistics", "", False),  # From more.
        ("loss_against_norm", "ellipse_contrasts", "", False),
        ("gap_against_measure/transitions", "paper_relations", "x == 'transitions'", True),
        ("gap_against_measure/transitions", "paper_relations", "x == 'jacobian_norm'", False),
        ("sensitivity_by_factor/pooling", "pair_statistics", "setting == 'pooling'", True),
        ("capacity", "paper_relations", "x == 'number_of_parameters'", True),
        ("capacity", "paper_relations", "x == 'transitions'", False),
        ("ablation_auc_over_training", "pair_statistics", "x == 'ablation_auc'", False),
    ],
)
def test_a_figure_shows_what_it_is_made_from(figure, table, rows, shown):
    assert shows(figure, Claim("", "", table, rows, "above")) == shown


@pytest.mark.parametrize("claim", list(claims_of(PAPERS)), ids=lambda claim: claim.claim)
def test_a_claim_of_a_profile_is_drawn(claim):
    of_networks = {"paper_relations", "pair_statistics"}  # Figures of these are one per measure.
    assert claim.table in of_networks or any(shows(figure, claim) for figure in FIGURES)
