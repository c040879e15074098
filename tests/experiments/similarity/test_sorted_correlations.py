import numpy as np
import pytest
from oracles.spectrum_tables import MEANS, SEED_MEAN, made_spectra

from generalization.experiments.similarity.sorted_correlations import PARTS, sorted_correlations


def lines(axes, style):
    return [line for line in axes.lines if line.get_linestyle() == style]


def expected(mean):
    """Straight from the first to the last rank, the mean over both seeds."""
    return mean + 0.01 + np.linspace(0.15, -0.15, len(PARTS))


def test_lines_are_means_over_networks_at_every_step_and_of_seeds():
    axes = sorted_correlations(*made_spectra()).axes
    assert len(axes) == 2
    for line, mean in zip(lines(axes[0], "-"), MEANS["end"], strict=True):
        assert line.get_xdata() == pytest.approx(PARTS)
        assert line.get_ydata() == pytest.approx(expected(mean))
    (line,) = lines(axes[0], "--")
    assert line.get_ydata() == pytest.approx(expected(SEED_MEAN))


def test_networks_without_another_seed_have_no_dashed_line_in_the_legend():
    spectra, training = made_spectra()
    figure = sorted_correlations(spectra[spectra["compared"] != "seed"], training)
    words = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert words == ["With the end, at step", "0", "5", "20", "30"]


def test_few_layers_of_deep_networks_are_shown():
    titles = [axes.get_title("left") for axes in sorted_correlations(*made_spectra(5)).axes]
    assert titles == ["mnist, width 100, 2 networks\nlayer 1", "layer 3", "logits"]


def test_nothing_to_show_is_stated():
    spectra, training = made_spectra()
    for tables in ((spectra[:0], training), (spectra, training.assign(label_corruption=1.0))):
        assert sorted_correlations(*tables).texts[0].get_text() == (
            "No network on true labels was compared with its end or a seed."
        )
