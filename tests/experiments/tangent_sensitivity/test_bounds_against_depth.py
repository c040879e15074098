import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from oracles.studies import hyperparameters, made_training

from generalization.experiments.tangent_sensitivity.bounds_against_depth import (
    LINES,
    bounds_against_depth,
)
from generalization.tables import collect_training

BOUNDS = {
    "layerwise_active": 2,
    "layerwise": 3,
    "active_paths": 4,
    "theorem_3_2": 5,
    "theorem_3_1": 6,
    "theorem_3_2_author": 7,
}


@pytest.fixture(scope="module")
def training():
    return collect_training(made_training(), hyperparameters())


@pytest.fixture(scope="module")
def profile(training):
    """A value of 10^(depth) after training, bounds some powers of ten above; and noise."""
    generator = np.random.default_rng(0)
    rows = []
    for network in training.to_dict("records"):
        noise = 0.1 * generator.standard_normal()
        exact = (network["depth"] * (network["step"] > 0) + noise) * np.log(10)
        for bound, power in BOUNDS.items():
            rows.append({
                "ensemble": network["ensemble"],
                "seed": network["seed"],
                "step": network["step"],
                "bound": bound,
                "log_bound": exact + (power + network["width"] / 100) * np.log(10),
                "log_exact": exact,
            })
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def one_scale(training):
    return training[training["init_scale"] == 1]


def of(profile, training):
    return profile[profile["ensemble"].isin(training["ensemble"])]


def drawn(axes, bound, style):
    (line,) = (
        line for line in axes.lines if (line.get_label(), line.get_linestyle()) == (bound, style)
    )
    return dict(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_lines_are_means_of_powers_of_ten(training, profile):
    figure = bounds_against_depth(profile, training)
    joined = profile.merge(training, on=["ensemble", "seed", "step"])
    panels = [(scale, width) for scale in (0.5, 1, 2) for width in (100, 200)]
    for axes, (scale, width) in zip(figure.axes, panels, strict=True):
        here = joined[(joined["init_scale"] == scale) & (joined["width"] == width)]
        for style, chosen in (("-", here["final"]), ("--", here["step"] == 0)):
            for bound in LINES:
                name, column = (
                    ("layerwise", "log_exact") if bound == "exact" else (bound, "log_bound")
                )
                alike = here[chosen & (here["bound"] == name)]
                means = alike.groupby("depth")[column].mean() / np.log(10)
                assert drawn(axes, bound, style) == pytest.approx(means.to_dict())


def test_what_is_of_another_order_is_not_drawn(training, profile):
    for axes in bounds_against_depth(profile, training).axes:
        assert {line.get_label() for line in axes.lines} == set(LINES)


def test_band_is_one_standard_error_over_networks_at_their_last_step(one_scale, profile):
    axes = bounds_against_depth(of(profile, one_scale), one_scale).axes[0]
    joined = profile.merge(one_scale[one_scale["final"]], on=["ensemble", "seed", "step"])
    joined = joined[joined["width"] == joined["width"].min()]
    assert len(axes.collections) == len(LINES)
    for band, bound in zip(axes.collections, LINES, strict=True):
        if bound == "exact":
            continue
        alike = joined[joined["bound"] == bound].groupby("depth")["log_bound"]
        vertices = band.get_paths()[0].vertices
        for depth, error in (alike.sem() / np.log(10)).items():
            assert np.ptp(vertices[vertices[:, 0] == depth, 1]) == pytest.approx(2 * error)


def test_rows_are_scales_of_initial_weights_and_columns_widths(training, profile, one_scale):
    titles = [axes.get_title("left") for axes in bounds_against_depth(profile, training).axes]
    assert titles == [
        "mnist_subset, init scale 0.5\nWidth 100",
        "Width 200",
        "mnist_subset, init scale 1\nWidth 100",
        "Width 200",
        "mnist_subset, init scale 2\nWidth 100",
        "Width 200",
    ]
    figure = bounds_against_depth(of(profile, one_scale), one_scale)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["mnist_subset\nWidth 100", "Width 200"]


def test_of_many_widths_three_are_shown(training, profile):
    widths = training["ensemble"].astype("category").cat.codes + 1
    figure = bounds_against_depth(profile, training.assign(width=widths, init_scale=1.0))
    assert [axes.get_title("left").split("\n")[-1] for axes in figure.axes] == [
        "Width 1",
        "Width 19",
        "Width 36",
    ]
    assert figure.get_suptitle() == "Tangent sensitivity and its bounds: means over 12 networks"


def test_legend_names_what_is_drawn(training, profile):
    legend = bounds_against_depth(profile, training).axes[1].get_legend()
    names = [text.get_text() for text in legend.get_texts()]
    times = ["at the last step", "untrained"]
    assert names == ["Sensitivity", *(name for name, _ in LINES.values()), "Networks", *times]
    shades = [to_hex(line.get_color()).upper() for line in legend.get_lines()[1 : len(LINES) + 1]]
    assert shades == [look["color"] for _, look in LINES.values()]


def test_ticks_are_powers_of_ten(training, profile):
    axes = bounds_against_depth(profile, training).axes[0]
    assert axes.yaxis.get_major_formatter()(12.0) == "$10^{12}$"
    assert all(float(tick).is_integer() for tick in axes.get_yticks())


def test_networks_that_were_not_kept_untrained_have_no_dashes(training, profile):
    figure = bounds_against_depth(profile[profile["step"] > 0], training)
    names = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert "untrained" not in names
    assert drawn(figure.axes[0], "exact", "--") == {}


def test_network_without_active_paths_is_left_out(training, profile):
    dead = profile["ensemble"] == profile["ensemble"][0]
    lost = profile.assign(log_exact=profile["log_exact"].mask(dead, -np.inf))
    headline = bounds_against_depth(lost, training).get_suptitle()
    assert headline == "Tangent sensitivity and its bounds: means over 140 networks"


def test_one_network_has_lines(training, profile):
    one = profile[(profile["ensemble"] == profile["ensemble"][0]) & (profile["seed"] == 1)]
    (axes,) = bounds_against_depth(one, training).axes
    assert all(len(drawn(axes, bound, "-")) == 1 for bound in LINES)


def test_nothing_to_show_is_stated(training, profile):
    read_without_rows = profile[:0].astype(object)
    for table in (profile[:0], read_without_rows, profile.assign(log_exact=np.nan)):
        assert bounds_against_depth(table, training).texts[0].get_text() == (
            "No network has a tangent sensitivity and bounds of it to show."
        )
