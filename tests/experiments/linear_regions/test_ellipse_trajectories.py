import numpy as np
import pandas as pd
import pytest

from generalization.experiments.linear_regions.ellipse_trajectories import (
    ellipse_trajectories,
    mean_over_networks,
)

ANGLES = np.arange(72) * 2 * np.pi / 72


@pytest.fixture
def tables():
    """Two ensembles of three networks; the seed 2 of the second has not fitted."""
    generator = np.random.default_rng(0)
    profile, training = [], []
    for ensemble in ("a", "b"):
        for seed in range(3):
            for step in (0, 7):
                final = step == 7
                accuracy = 1.0 if final and (ensemble, seed) != ("b", 2) else 0.3
                key = {"ensemble": ensemble, "seed": seed, "step": step}
                training.append({**key, "final": final, "dataset": "mnist", "status": "fitted"})
                training[-1]["train_accuracy"] = accuracy
                for level, kind in enumerate(("random", "different", "same"), 1):
                    values = level * np.exp(0.1 * generator.standard_normal((2, 72)))
                    columns = dict(
                        zip(("jacobian_norm", "transition_density"), values, strict=True)
                    )
                    profile.append(pd.DataFrame({**key, "kind": kind, "angle": ANGLES, **columns}))
    return pd.concat(profile, ignore_index=True), pd.DataFrame(training)


def test_mean_and_standard_error_close_the_ellipse():
    rows = pd.DataFrame({
        "ensemble": "a",
        "seed": np.repeat([1, 2, 3], 6),
        "angle": np.tile(np.arange(6) * np.pi / 3, 3),
        "jacobian_norm": np.repeat([1.0, 2.0, 6.0], 6) * np.tile([1, 2, 3, 4, 5, 6], 3),
    })
    means = mean_over_networks(rows, "jacobian_norm")
    assert means.index[-1] == pytest.approx(2 * np.pi)
    factors = np.array([1, 2, 3, 4, 5, 6, 1])
    assert means["mean"].to_numpy() == pytest.approx(3 * factors)
    assert means["sem"].to_numpy() == pytest.approx(np.sqrt(7 / 3) * factors)


def test_density_is_averaged_over_bins_within_5_degrees_around_the_circle():
    rows = pd.DataFrame({"ensemble": "a", "seed": 1, "angle": ANGLES})
    rows["transition_density"] = 9.0 * (rows.index == 0)
    means = mean_over_networks(rows, "transition_density")["mean"]
    assert means[means > 0].index.to_numpy() == pytest.approx([
        0,
        2 * np.pi / 72,
        71 * 2 * np.pi / 72,
        2 * np.pi,
    ])
    assert means[means > 0].to_numpy() == pytest.approx(3.0)


def test_lines_are_means_over_fitted_networks(tables):
    profile, training = tables
    figure = ellipse_trajectories(profile, training)
    fitted = profile[(profile["ensemble"] == "a") | (profile["seed"] < 2)]
    for axes, quantity in zip(figure.axes, ("jacobian_norm", "transition_density"), strict=True):
        curves = [line for line in axes.lines if len(line.get_xdata()) == 73]
        drawn = {}
        for line in curves:
            drawn[line.get_linestyle(), line.get_color()] = np.asarray(line.get_ydata())
        assert len(drawn) == 6
        for style, step in {"-": 7, "--": 0}.items():
            levels = [drawn[look] for look in drawn if look[0] == style]
            for kind in ("random", "different", "same"):
                rows = fitted[(fitted["step"] == step) & (fitted["kind"] == kind)]
                expected = mean_over_networks(rows, quantity)["mean"].to_numpy()
                assert any(np.allclose(level, expected) for level in levels)


def test_bands_span_one_standard_error_to_both_sides(tables):
    profile, training = tables
    axes = ellipse_trajectories(profile, training).axes[0]
    assert len(axes.collections) == 3
    rows = profile[(profile["ensemble"] == "a") | (profile["seed"] < 2)]
    rows = rows[(rows["step"] == 7) & (rows["kind"] == "different")]
    sem = mean_over_networks(rows, "jacobian_norm")
    vertices = axes.collections[0].get_paths()[0].vertices
    assert vertices[:, 1].max() == pytest.approx((sem["mean"] + sem["sem"]).max())


def test_images_are_marked(tables):
    for axes in ellipse_trajectories(*tables).axes:
        marked = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
        assert marked == pytest.approx([np.pi / 3, np.pi, 5 * np.pi / 3])


def test_headline_and_legend(tables):
    profile, training = tables
    figure = ellipse_trajectories(profile, training)
    assert figure.axes[0].get_title("left") == "mnist: 5 fitted networks of 2 ensembles"
    texts = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert texts == [
        "Ellipse",
        "random",
        "different classes",
        "same class",
        "Networks",
        "trained",
        "untrained",
        "Angle",
        "of an image",
    ]


def test_without_untrained_networks_nothing_is_dashed(tables):
    profile, training = tables
    figure = ellipse_trajectories(profile[profile["step"] > 0], training)
    assert {line.get_linestyle() for line in figure.axes[0].lines} == {"-", ":"}
    assert "untrained" not in [text.get_text() for text in figure.axes[1].get_legend().get_texts()]


def test_every_dataset_has_its_row(tables):
    profile, training = tables
    training.loc[training["ensemble"] == "b", "dataset"] = "digits"
    figure = ellipse_trajectories(profile, training)
    assert [axes.get_title("left") for axes in figure.axes[::2]] == [
        "digits: 2 fitted networks of 1 ensemble",
        "mnist: 3 fitted networks of 1 ensemble",
    ]


def test_zero_density_is_drawn_on_a_linear_axis(tables):
    profile, training = tables
    assert ellipse_trajectories(profile, training).axes[1].get_yscale() == "log"
    none = profile.assign(transition_density=0.0)
    assert ellipse_trajectories(none, training).axes[1].get_yscale() == "linear"


def test_nothing_to_show_is_stated(tables):
    profile, training = tables
    unfit = training.assign(train_accuracy=0.5)
    for rows, networks in ((profile, unfit), (profile[:0], training)):
        assert ellipse_trajectories(rows, networks).texts[0].get_text() == (
            "No network that was watched along ellipses has fitted."
        )
