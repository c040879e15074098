import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import PathPatch
from oracles.studies import hyperparameters, made_training

from generalization.experiments.linear_regions.translation_rings import (
    INNER,
    OUTER,
    translation_rings,
)
from generalization.tables import collect_training, with_networks

HEIGHT, WIDTH = 4, 6


@pytest.fixture(scope="module")
def training():
    return collect_training(made_training(), hyperparameters())


def trajectory_of(network, generator):
    """Rows of one network at one step: 10 transitions per layer and one image."""
    pixels = [f"0x{generator.bytes(WIDTH).hex()}" for _ in range(HEIGHT)]
    layers = np.repeat(range(1, network["depth"]), 10)
    transitions = pd.DataFrame({
        "kind": "transition",
        "layer": layers,
        "position": WIDTH * generator.random(len(layers)),
    })
    image = pd.DataFrame({"kind": "image", "row": range(HEIGHT), "pixels": pixels})
    named = {key: network[key] for key in ("ensemble", "seed", "step")}
    return pd.concat([image, transitions]).assign(**named)


@pytest.fixture(scope="module")
def profile(training):
    generator = np.random.default_rng(0)
    rows = training[(training["step"] == 0) | training["final"]]
    tables = [trajectory_of(network, generator) for network in rows.to_dict("records")]
    return pd.concat(tables, ignore_index=True)


def shown(profile, training):
    """Rows of the first fitted network of depth 5 at its last step."""
    rows = with_networks(profile, training)
    rows = rows[rows["final"] & (rows["depth"] == 5) & (rows["train_accuracy"] >= 0.999)]
    first = rows[["ensemble", "seed"]].iloc[0]
    return rows[(rows[["ensemble", "seed"]] == first).all(axis=1)]


def rings(figure):
    """The ends of all ticks of each ring: layer → ticks × 2 × 2."""
    patches = [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]
    return {int(ring.get_label()): ring.get_path().vertices.reshape(-1, 2, 2) for ring in patches}


def test_every_transition_has_its_tick(training, profile):
    rows = shown(profile, training)
    drawn = rings(translation_rings(rows[profile.columns], training))
    assert sorted(drawn) == [1, 2, 3, 4]
    for layer, ticks in drawn.items():
        x, y = ticks[:, 0].T
        turned = np.arctan2(x, y) % (2 * np.pi)  # Clockwise from the top.
        positions = rows.loc[rows["layer"] == layer, "position"]
        assert turned * WIDTH / (2 * np.pi) == pytest.approx(positions.to_numpy())
        thickness = (OUTER - INNER) / 4
        radii = np.linalg.norm(ticks, axis=2)
        assert radii[:, 0] == pytest.approx(INNER + (layer - 1) * thickness)
        assert radii[:, 1] == pytest.approx(INNER + layer * thickness)


def test_translations_stand_around_the_circle(training, profile):
    rows = shown(profile, training)
    axes = translation_rings(rows[profile.columns], training).axes[0]
    digits = rows.loc[rows["kind"] == "image", "pixels"].str.removeprefix("0x")
    image = np.array([list(bytes.fromhex(row)) for row in digits])
    assert len(axes.images) == WIDTH
    for shift, drawn in enumerate(axes.images):
        assert drawn.get_array().tolist() == np.roll(image, -shift, axis=1).tolist()
        left, right, bottom, top = drawn.get_extent()
        place = complex(left + right, bottom + top)
        turned = np.angle(1j / place * abs(place)) % (2 * np.pi)
        assert turned == pytest.approx(2 * np.pi * shift / WIDTH)
        assert (right - left) / (top - bottom) == pytest.approx(WIDTH / HEIGHT)


@pytest.mark.parametrize("width", [4, 6, 28, 32])
def test_images_do_not_overlap(training, profile, width):
    rows = shown(profile, training)[profile.columns]
    wider = rows.assign(pixels="0x" + "7f" * width)
    extents = [drawn.get_extent() for drawn in translation_rings(wider, training).axes[0].images]
    for one, (left, right, bottom, top) in enumerate(extents):
        for other_left, other_right, other_bottom, other_top in extents[:one]:
            apart = max(
                left - other_right, other_left - right, bottom - other_top, other_bottom - top
            )
            assert apart > 0


def test_first_network_that_has_fitted_is_shown(training, profile):
    unfit = training.assign(
        train_accuracy=training["train_accuracy"].where(
            training["ensemble"] > "mnist_subset-00000005", 0.5
        )
    )
    headline = translation_rings(profile, unfit).get_suptitle()
    about = unfit[unfit["ensemble"] == "mnist_subset-00000006"].iloc[0]
    assert headline == (
        f"All translations of one image, mnist_subset: depth {about['depth']}, "
        f"width {about['width']}, relu, seed 1\ntrain accuracy 100 %"
    )


def test_if_none_has_fitted_the_first_is_shown_with_a_remark(training, profile):
    headline = translation_rings(profile, training, fitted_accuracy=2).get_suptitle()
    assert headline.endswith("No network has fitted; this is the first (train accuracy 100 %)")


def test_transitions_are_counted(training, profile):
    axes = translation_rings(shown(profile, training)[profile.columns], training).axes[0]
    assert axes.texts[0].get_text() == "40\ntransitions"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "Hidden layer",
        "4 (outermost): 10",
        "3: 10",
        "2: 10",
        "1 (innermost): 10",
    ]


def test_layer_without_transitions_has_an_empty_ring(training, profile):
    rows = shown(profile, training)[profile.columns]
    drawn = rings(translation_rings(rows[rows["layer"] != 2], training))
    assert [len(drawn[layer]) for layer in (1, 2, 3, 4)] == [10, 0, 10, 10]


def test_nothing_to_show_is_stated(training, profile):
    for table in (profile[:0], profile[profile["kind"] == "image"], profile[profile["step"] == 0]):
        assert translation_rings(table, training).texts[0].get_text() == (
            "No network has transitions at its last step to show."
        )
