import numpy as np
import pandas as pd
import pytest

from generalization.experiments.linear_regions.boundary_contrasts import (
    COLUMNS,
    boundary_contrasts,
    contrasts_of_networks,
)
from generalization.experiments.linear_regions.boundary_densities import contrast, distances
from generalization.statistics.resampling import Resampling

PLACES = np.array([(0.4, 0.5), (-0.8, 0.0), (0.4, -0.7)])
GRID = 64


def resampling(level=0.95):
    return Resampling(np.random.default_rng(0), level=level)


def made_rows(pixels, **network):
    """A made-up bitmap and images, as the profile has them."""
    digits = ["0x" + row.tobytes().hex() for row in np.packbits(pixels, axis=1)]
    shown = [
        {"kind": "image", "image": image, "row": row, "u": u, "v": v, "pixels": "0x00ff"}
        for image, (u, v) in enumerate(PLACES)
        for row in range(2)
    ]
    found = pd.DataFrame({"kind": "boundary", "row": range(GRID), "pixels": digits})
    return pd.concat([found, pd.DataFrame(shown)]).assign(**network)


def bitmap(ratio):
    """Boundaries, random and rare, but more or fewer of them near the images."""
    near = distances(GRID, PLACES) <= 0.25
    chance = np.where(near, 0.1 * ratio, 0.1)
    return np.random.default_rng(0).random((GRID, GRID)) < chance


def study(ratios):
    """Ensemble → for each seed the ratios of the bitmaps at steps 0 and 8."""
    rows, training = [], []
    for ensemble, seeds in ratios.items():
        for seed, steps in enumerate(seeds):
            for step, ratio in zip((0, 8), steps, strict=True):
                network = {"ensemble": ensemble, "seed": seed, "step": step}
                rows.append(made_rows(bitmap(ratio), **network))
                training.append(network | {"final": step == 8})
    # Networks of which the profile knows nothing do no harm.
    training.append({"ensemble": "other", "seed": 0, "step": 0, "final": True})
    return pd.concat(rows), pd.DataFrame(training)


def slow_contrast(pixels, distance):
    near = everywhere = near_found = found = 0
    for row in range(GRID):
        for column in range(GRID):
            u, v = -1 + 2 * column / (GRID - 1), 1 - 2 * row / (GRID - 1)
            here = any(np.hypot(u - x, v - y) <= distance for x, y in PLACES)
            near, near_found = near + here, near_found + (here and pixels[row, column])
            everywhere, found = everywhere + 1, found + pixels[row, column]
    return near_found / near / (found / everywhere)


@pytest.mark.parametrize("distance", [0.1, 0.25, 3])
def test_contrast_is_that_of_the_definition(distance):
    pixels = bitmap(3)
    assert contrast(pixels, PLACES, distance=distance) == pytest.approx(
        slow_contrast(pixels, distance)
    )


def test_contrast_of_boundaries_everywhere_is_one():
    assert contrast(np.ones((GRID, GRID), bool), PLACES) == 1


def test_contrast_does_not_know_up_from_down():
    pixels = bitmap(3)
    assert contrast(pixels[::-1], PLACES * [1, -1]) == pytest.approx(contrast(pixels, PLACES))
    assert contrast(pixels[::-1], PLACES) != pytest.approx(contrast(pixels, PLACES))


def test_nothing_near_the_images_is_half_a_pixel():
    pixels = distances(GRID, PLACES) > 0.5
    near = (distances(GRID, PLACES) <= 0.1).sum()
    assert contrast(pixels, PLACES) == pytest.approx(0.5 / near / pixels.mean())


def test_no_boundary_has_no_contrast():
    assert np.isnan(contrast(np.zeros((GRID, GRID), bool), PLACES))
    assert np.isnan(contrast(np.ones((GRID, GRID), bool), PLACES, distance=1e-9))


def test_estimate_is_the_geometric_mean_over_networks():
    boundaries, training = study({"a": [(1, 0.2), (1, 0.4)], "b": [(2, 0.3)]})
    networks = contrasts_of_networks(boundaries, training, distance=0.2)
    assert len(networks) == 6
    table = boundary_contrasts(boundaries, training, resampling=resampling(), distance=0.2)
    assert list(table) == COLUMNS
    for row, step in zip(table.to_dict("records"), (0, 8), strict=True):
        contrasts = networks.loc[networks["step"] == step, "estimate"]
        assert row["trained"] == (step == 8)
        assert row["estimate"] == pytest.approx(contrasts.prod() ** (1 / 3))
        assert contrasts.min() <= row["low"] <= row["estimate"] <= row["high"] <= contrasts.max()
        assert (row["networks"], row["ensembles"]) == (3, 2)
        assert row["note"] == "2 of the 3 ensembles that an interval needs"
    assert table["estimate"][0] > 1 > table["high"][1]


def test_higher_level_is_a_wider_interval():
    boundaries, training = study({"a": [(1, 0.2), (1, 0.4), (1, 0.6), (1, 0.8), (1, 1)]})
    widths = [
        boundary_contrasts(boundaries, training, resampling=resampling(level)).eval("high - low")[1]
        for level in (0.5, 0.95)
    ]
    assert 0 < widths[0] < widths[1]


def test_one_network_has_no_interval():
    boundaries, training = study({"a": [(1, 0.5)]})
    table = boundary_contrasts(boundaries, training, resampling=resampling())
    assert table["estimate"].notna().all()
    assert table[["low", "high"]].isna().all(axis=None)
    assert (table["note"] == "no interval of one network").all()


def test_networks_without_a_boundary_are_left_out_and_counted():
    boundaries, training = study({"a": [(1, 0.5), (1, 0.5)]})
    empty = made_rows(np.zeros((GRID, GRID), bool), ensemble="b", seed=0, step=8)
    training.loc[len(training)] = {"ensemble": "b", "seed": 0, "step": 8, "final": True}
    with_empty = pd.concat([boundaries, empty])
    table, before = (
        boundary_contrasts(rows, training, resampling=resampling())
        for rows in (with_empty, boundaries)
    )
    few = "1 of the 3 ensembles that an interval needs"
    assert table["note"].tolist() == [few, f"1 of 3 networks have no boundary; {few}"]
    assert table.drop(columns="note").equals(before.drop(columns="note"))


def test_untrained_networks_only():
    boundaries, training = study({"a": [(1, 0.5), (1, 0.5)]})
    table = boundary_contrasts(
        boundaries[boundaries["step"] == 0], training, resampling=resampling()
    )
    assert table["networks"].tolist() == [2, 0]
    few = "1 of the 3 ensembles that an interval needs"
    assert table["note"].tolist() == [few, "no network is left"]


def test_distance_that_is_none_is_refused():
    boundaries, training = study({"a": [(1, 0.5)]})
    with pytest.raises(ValueError, match=r"^distance must be positive, not 0\.$"):
        boundary_contrasts(boundaries, training, resampling=resampling(), distance=0)
