import numpy as np
import pytest
from oracles.spectrum_tables import MEANS, STEPS, made_spectra

from generalization.experiments.similarity.direction_stability import KINDS, direction_stability


def courses(axes):
    return [line for line in axes.lines if line.get_marker() in {"o", "s", "^"}]


def test_lines_are_means_over_networks_at_every_step():
    axes = direction_stability(*made_spectra()).axes
    assert len(axes) == 2
    for layer, panel in enumerate(axes):
        for line, kind in zip(courses(panel), KINDS, strict=True):
            assert line.get_xdata().tolist() == list(STEPS[:-1])
            assert line.get_ydata() == pytest.approx(np.add(MEANS[kind], 0.01 + 0.01 * layer))


def test_the_step_that_told_directions_apart_and_chance_are_marked():
    panel = direction_stability(*made_spectra()).axes[0]
    others = [line for line in panel.lines if line not in courses(panel)]
    assert list(others[0].get_xdata()) == [20, 20]
    for line in others[1:]:
        assert line.get_ydata() == pytest.approx(0.15)


def test_band_is_one_standard_error_over_networks():
    panel = direction_stability(*made_spectra()).axes[0]
    vertices = panel.collections[0].get_paths()[0].vertices
    assert np.ptp(vertices[vertices[:, 0] == 5, 1]) == pytest.approx(2 * 0.01)


def test_nothing_to_show_is_stated():
    spectra, training = made_spectra()
    for tables in (
        (spectra[:0], training),
        (spectra[spectra["compared"] == "end"], training),
        (spectra, training.assign(label_corruption=1.0)),
    ):
        assert direction_stability(*tables).texts[0].get_text() == (
            "No network on true labels was kept in the first half of training."
        )
