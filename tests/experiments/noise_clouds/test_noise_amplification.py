import numpy as np
import pytest
from oracles.cloud_tables import STEPS, made_clouds

from generalization.experiments.noise_clouds.cloud_blocks import NOTHING
from generalization.experiments.noise_clouds.noise_amplification import noise_amplification


@pytest.fixture
def study():
    return made_clouds(np.random.default_rng(0))


def line(axes, label):
    return next(one for one in axes.lines if one.get_label() == label)


def test_ratios_are_those_that_noise_was_made_of(study):
    panels = noise_amplification(*study).subfigs[0].axes
    fall = np.maximum(0.1, 1 - 0.9 * np.array(STEPS) / 20)
    for axes in panels[:2]:
        for layer in (1, 2):
            assert line(axes, f"test {layer}").get_ydata() == pytest.approx(0.5)
    for axes in panels[2:4]:
        for layer in (1, 2):
            drawn = line(axes, f"train {layer}").get_ydata()
            assert drawn == pytest.approx(layer * fall, rel=0.05)


def test_singular_values(study):
    panels = noise_amplification(*study).subfigs[0].axes
    clouds = study[0].query("ensemble == 'e0' and part == 'test' and layer == 1 and sigma == 0.1")
    means = clouds.groupby("step")[["s_1", "s_2"]].mean()
    assert line(panels[5], "test 1").get_ydata() == pytest.approx(means["s_1"])
    assert line(panels[7], "test 1").get_ydata() == pytest.approx(means["s_2"])


def test_the_input_has_no_line(study):
    figure = noise_amplification(*study)
    labels = {one.get_label() for axes in figure.axes for one in axes.lines}
    assert not labels & {"test 0", "train 0"}
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["layer 1", "layer 2", "held-out images", "training images", "least test loss"]


def test_headline_counts_networks(study):
    assert noise_amplification(*study).get_suptitle() == (
        "Amplification of noise by layers: means over 6 networks"
    )


@pytest.mark.parametrize("rows", [slice(0), lambda clouds: clouds["step"] == 0])
def test_missing_courses_are_stated(study, rows):
    clouds, training = study
    assert noise_amplification(clouds[rows], training).texts[0].get_text() == NOTHING
