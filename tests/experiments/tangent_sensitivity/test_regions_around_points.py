import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from oracles.region_tables import made_regions
from scipy.stats import norm

from generalization.experiments.tangent_sensitivity.regions_around_points import (
    LOOKS,
    distance_quantiles,
    regions_around_points,
    standardized_quantiles,
)
from generalization.figures.svg_file import save_figure

COLORS = {trained: look[1] for trained, look in LOOKS.items()}


@pytest.fixture
def tables():
    return made_regions(np.random.default_rng(0))


def line_of(axes, trained):
    (line,) = [line for line in axes.lines if line.get_color() == COLORS[trained]]
    return line


def rows_of(profile, trained):
    return profile[(profile["step"] > 0) == trained]


def test_bars_and_curves_are_of_the_first_network_that_has_fitted(tables):
    profile, training = tables
    training.loc[training["ensemble"] == "e0", "train_accuracy"] = 0.5
    axes = regions_around_points(profile, training).axes[0]
    first = profile[(profile["ensemble"] == "e1") & (profile["seed"] == 1)]
    for trained, color in COLORS.items():
        counts = rows_of(first, trained)["active"]
        bars = [bar for bar in axes.patches if to_hex(bar.get_facecolor()) == color.lower()]
        for bar in bars:
            left, right = bar.get_x(), bar.get_x() + bar.get_width()
            # Edges are between whole numbers, and bars of one width.
            assert left % 1 == 0.5
            assert bar.get_width() == bars[0].get_width()
            share = counts.between(left, right).mean()
            assert bar.get_height() * bar.get_width() == pytest.approx(share)
        line = line_of(axes, trained)
        expected = norm.pdf(line.get_xdata(), counts.mean(), counts.std())
        assert line.get_ydata() == pytest.approx(expected)
    assert axes.texts[0].get_text() == "Depth 3, width 100, relu, seed 1"
    assert axes.get_xlabel() == "Active units, of 200"


def test_quantiles_are_means_over_networks_within_their_band(tables):
    profile, training = tables
    axes = regions_around_points(profile, training).axes[1]
    for trained in (False, True):
        line = line_of(axes, trained)
        normal = line.get_xdata()
        curves = [
            standardized_quantiles(network["active"], normal)
            for _, network in rows_of(profile, trained).groupby(["ensemble", "seed"])
        ]
        assert len(curves) == 6
        assert line.get_ydata() == pytest.approx(np.mean(curves, axis=0))
        band = axes.collections[int(trained)].get_paths()[0].vertices[:, 1]
        assert band.max() == pytest.approx(np.quantile(curves, 0.95, axis=0).max())
        assert band.min() == pytest.approx(np.quantile(curves, 0.05, axis=0).min())
    # 200 points tell of shares from 1/400 on.
    assert norm.cdf(normal[0]) == pytest.approx(1 / 400, rel=0.2)
    diagonal = next(line for line in axes.lines if line.get_linestyle() == ":")
    assert (diagonal.get_xdata() == diagonal.get_ydata()).all()


def test_standardized_quantiles_of_normal_points_are_those_of_the_normal_distribution():
    counts = pd.Series(40 + 5 * norm.ppf((np.arange(1000) + 0.5) / 1000))
    normal = np.linspace(-3, 3, 13)
    assert standardized_quantiles(counts, normal) == pytest.approx(normal, abs=0.02)


def test_distances_are_geometric_means_of_quantiles(tables):
    profile, training = tables
    axes = regions_around_points(profile, training).axes[2]
    assert axes.get_xscale() == "log"
    for trained in (False, True):
        curves = [
            distance_quantiles(network["inradius"])
            for _, network in rows_of(profile, trained).groupby(["ensemble", "seed"])
        ]
        line = line_of(axes, trained)
        assert line.get_xdata() == pytest.approx(np.exp(np.mean(curves, axis=0)))
        assert line.get_ydata() == pytest.approx(np.arange(100) + 0.5)


def test_quantiles_of_distances_are_logarithms():
    curve = distance_quantiles(pd.Series([16.0, 1.0, 4.0]))
    assert curve[[0, -1]] == pytest.approx(np.log([1, 16]))
    assert curve[49:51].mean() == pytest.approx(np.log(4))


@pytest.mark.parametrize("points", [1, 2, 3])
def test_few_points_are_drawn(points):
    axes = regions_around_points(*made_regions(np.random.default_rng(0), points=points)).axes
    assert len(axes[2].lines) == 2


def test_points_at_distance_0_or_infinity_are_not_drawn(tables):
    profile, training = tables
    expected = line_of(regions_around_points(profile, training).axes[2], True).get_xdata()
    none = profile.groupby(["ensemble", "seed", "step"]).head(1)
    more = [none.assign(inradius=value) for value in (0.0, np.inf)]
    figure = regions_around_points(pd.concat([profile, *more]), training)
    assert line_of(figure.axes[2], True).get_xdata() == pytest.approx(expected)


def test_no_distance_leaves_its_panel_empty(tables):
    profile, training = tables
    axes = regions_around_points(profile.assign(inradius=np.inf), training).axes[2]
    assert not axes.lines


def test_counts_that_do_not_vary_have_no_curve(tables):
    profile, training = tables
    axes = regions_around_points(profile.assign(active=70.0), training).axes
    assert not axes[0].lines
    assert [line.get_linestyle() for line in axes[1].lines] == [":"]


def test_headlines_and_legend(tables):
    profile, training = tables
    figure = regions_around_points(profile, training)
    assert figure.axes[0].get_title("left") == "mnist: 6 networks of 3 ensembles"
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["untrained", "trained", "nine of ten networks", "normal"]


def test_every_dataset_has_its_row(tables):
    profile, training = tables
    training.loc[training["ensemble"] == "e1", "dataset"] = "digits"
    figure = regions_around_points(profile, training)
    assert [axes.get_title("left") for axes in figure.axes[::3]] == [
        "digits: 2 networks of 1 ensemble",
        "mnist: 4 networks of 2 ensembles",
    ]


def test_a_network_without_untrained_rows_is_shown_if_there_is_no_other(tables):
    profile, training = tables
    figure = regions_around_points(profile[profile["step"] > 0], training)
    assert [line.get_color() for line in figure.axes[0].lines] == [COLORS[True]]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["trained", "nine of ten networks", "normal"]


def test_networks_without_regions_are_left_out(tables):
    profile, training = tables
    profile.loc[profile["ensemble"] == "e0", ["active", "pattern", "inradius"]] = np.nan
    figure = regions_around_points(profile, training)
    assert figure.axes[0].get_title("left") == "mnist: 4 networks of 2 ensembles"


@pytest.mark.parametrize("lost", ["rows", "regions"])
def test_nothing_to_show_is_stated(tables, lost):
    profile, training = tables
    profile = profile[:0] if lost == "rows" else profile.assign(active=np.nan)
    assert regions_around_points(profile, training).texts[0].get_text() == (
        "No network has activation regions to show."
    )


def test_file_is_small(tables, tmp_path):
    save_figure(tmp_path / "regions.svg", regions_around_points(*tables))
    assert (tmp_path / "regions.svg").stat().st_size < 3e5
