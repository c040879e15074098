import numpy as np
import pytest
from matplotlib.colors import to_hex
from oracles.league_tables import CONSTANT, ROWS, WITHIN, made_statistics

from generalization.figures.measure_league import measure_league
from generalization.figures.style import ALL, FITTED, QUIET


@pytest.fixture(scope="module")
def statistics():
    return made_statistics()


def points(axes, color):
    """Estimates drawn in a color, by their place from the top."""
    found = {}
    for container in axes.containers:
        point = container.lines[0]
        if point.get_color() == color:
            found[round(float(point.get_ydata()[0]), 2)] = point
    return found


def test_measures_are_sorted_by_the_primary_statistic(statistics):
    axes = measure_league(statistics).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[:3] == ["Noisy oracle (control)", "Jacobian norm", "Output sensitivity"]
    assert names[5:8] == [
        "Weight norm (baseline)",
        "Init scale (hyper-parameter)",
        "Normalized transitions",
    ]
    assert names[-1] == "Label corruption (hyper-parameter)"
    assert axes.yaxis_inverted()
    strengths = [abs(one[2]) for one in ROWS.values() if not np.isnan(one[2])]
    blue = [point.get_xdata()[0] for point in points(axes, FITTED).values()]
    assert sorted(strengths, reverse=True)[1] == blue[0]


def test_a_measure_of_ensembles_is_named_so(statistics):
    pairs = statistics["measure"].map({"jacobian_norm": 48})
    axes = measure_league(statistics.assign(pairs=pairs)).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[:2] == ["Noisy oracle (control)", "Jacobian norm (of the ensemble)"]
    assert sum("of the ensemble" in name for name in names) == 1


def test_another_primary_statistic_sorts_otherwise(statistics):
    axes = measure_league(statistics, primary="spearman_given_design").axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[:3] == [
        "Noisy oracle (control)",
        "Noise to signal slope",
        "Normalized transitions",
    ]


def test_pooled_and_conditional_stand_side_by_side(statistics):
    axes = measure_league(statistics).axes[0]
    rows = statistics.query("selection == 'fitted' and measure == 'jacobian_norm'")
    rows = rows.set_index("statistic")
    after, before = points(axes, FITTED)[1.0], points(axes, "#9A9A9A")[0.83]
    assert after.get_xdata()[0] == rows.loc[WITHIN, "estimate"]
    assert before.get_xdata()[0] == rows.loc["spearman", "estimate"]
    drawn = next(one for one in axes.containers if one.lines[0] is after)
    ends = drawn.lines[2][0].get_segments()[0][:, 0]
    assert ends == pytest.approx(rows.loc[WITHIN, ["low", "high"]].to_numpy(float))


def test_reversals_are_orange(statistics):
    axes = measure_league(statistics).axes[0]
    arrows = [text for text in axes.texts if text.arrow_patch is not None]
    orange = [one.xy for one in arrows if to_hex(one.arrow_patch.get_edgecolor()) == ALL.lower()]
    assert [x for x, _ in orange] == [-0.41, -0.28, -0.22, -0.11]


def test_filled_is_shown(statistics):
    axes = measure_league(statistics).axes[0]
    filled = points(axes, FITTED)
    assert filled[1.0].get_markerfacecolor() == FITTED
    transitions = next(one for one in filled.values() if one.get_xdata()[0] == 0.12)
    assert transitions.get_markerfacecolor() == "white"
    few = measure_league(made_statistics(ensembles=4)).axes[0]
    assert {one.get_markerfacecolor() for one in points(few, FITTED).values()} == {"white"}


def test_all_but_candidates_are_grey(statistics):
    axes = measure_league(statistics).axes[0]
    grey = [one.get_text() for one in axes.get_yticklabels() if one.get_color() == QUIET]
    assert len(grey) == sum(kind != "candidate" for kind, *_ in ROWS.values())
    assert "Random main effects (control)" in grey


def test_noise_ceiling_is_a_line_on_both_sides(statistics):
    axes = measure_league(statistics).axes[0]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"] == [
        -0.97,
        0.97,
    ]


def test_sign_error_goes_from_mean_to_worst(statistics):
    axes = measure_league(statistics).axes[2]
    mean, worst = (line.get_xdata() for line in axes.lines[:2])
    assert worst[1] == ROWS["jacobian_norm"][4]
    assert mean[1] == pytest.approx(worst[1] - 0.15)


def test_estimates_or_reasons_are_printed_next_to_panels(statistics):
    texts = [text.get_text() for text in measure_league(statistics).axes[2].texts]
    assert texts[1] == "0.73 [0.51, 0.95]"
    assert texts[-1].replace("\n", " ").replace("hyper- ", "hyper-") == CONSTANT


def test_title_says_what_is_held_fixed(statistics):
    assert measure_league(statistics).get_suptitle() == (
        "How measures rank the generalization gap, at equal label corruption: up to 127 fitted "
        "networks of 32 ensembles"
    )


def test_a_study_that_sweeps_nothing_has_the_pooled_correlation_alone(statistics):
    pooled = statistics[statistics["statistic"] == "spearman"]
    axes = measure_league(pooled).axes[0]
    assert not points(axes, "#9A9A9A")
    assert axes.get_title(loc="left") == "pooled"


def test_datasets_of_their_own_are_not_mixed_in(statistics):
    other = statistics.assign(dataset="digits", estimate=0.0)
    both = type(statistics)(
        [*statistics.to_dict("records"), *other.to_dict("records")], columns=statistics.columns
    )
    xs = [
        [one.get_xdata()[0] for one in points(measure_league(table).axes[0], FITTED).values()]
        for table in (statistics, both)
    ]
    assert xs[0] == xs[1]


def test_estimate_outside_its_percentile_interval_is_drawn(statistics):
    odd = statistics.assign(
        high=statistics["high"].where(statistics["measure"] != "weight_norm", 0)
    )
    assert len(measure_league(odd).axes[0].containers) == len(
        measure_league(statistics).axes[0].containers
    )


def test_nothing_to_show_is_stated(statistics):
    lost = statistics.assign(estimate=np.nan, note="no network is left")
    assert measure_league(lost).texts[0].get_text() == (
        "No correlation could be estimated: no network is left."
    )
    assert measure_league(statistics[:0]).texts[0].get_text() == (
        "No correlation could be estimated: there is no candidate measure."
    )
