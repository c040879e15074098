import numpy as np
import pandas as pd
import pytest
import scipy.stats

from generalization.experiments.linear_regions.boundary_contrasts import (
    COLUMNS,
    boundary_contrasts,
    contrasts_of_networks,
)
from generalization.experiments.linear_regions.boundary_densities import (
    contrast,
    distances,
    unevenness,
)
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


def bitmap(ratio, plane=0):
    """Boundaries, random and rare, but more or fewer of them near the images."""
    near = distances(GRID, PLACES) <= 0.25
    chance = np.where(near, 0.1 * ratio, 0.1)
    return np.random.default_rng(plane).random((GRID, GRID)) < chance


def study(ratios, planes=2, shared=None):
    """Ensemble → for each seed the ratios of the bitmaps at steps 0 and 8.

    ``shared`` multiplies the ratios on each plane, before and after training.
    """
    rows, training = [], []
    for ensemble, seeds in ratios.items():
        for seed, steps in enumerate(seeds):
            for step, ratio in zip((0, 8), steps, strict=True):
                network = {"ensemble": ensemble, "seed": seed, "step": step}
                for plane in range(planes):
                    here = ratio * (shared[plane] if shared else 1)
                    rows.append(made_rows(bitmap(here, plane), plane=plane, **network))
                reached = {"train_accuracy": 0.75 + 0.25 * seed if step else 0.125}
                training.append(network | {"final": step == 8, "dataset": "mnist"} | reached)
    # Networks of which the profile knows nothing do no harm.
    other = {"ensemble": "other", "seed": 0, "step": 0, "final": True, "dataset": "mnist"}
    other["train_accuracy"] = 0.0
    training.append(other)
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


def rows_of(boundaries, training, statistic="near_images", level=0.95, distance=0.2):
    table = boundary_contrasts(
        boundaries, training, resampling=resampling(level), distance=distance
    )
    assert list(table) == COLUMNS
    return table[table["statistic"] == statistic].set_index("trained")


OVER = ["over_untrained", "over_untrained_low", "over_untrained_high"]


def test_estimate_is_the_geometric_mean_over_ensembles_and_planes():
    boundaries, training = study({"a": [(1, 0.2), (1, 0.4)], "b": [(2, 0.3)]})
    networks = contrasts_of_networks(boundaries, training, distance=0.2)
    assert len(networks) == 12
    table = rows_of(boundaries, training)
    for trained, row in table.iterrows():
        chosen = networks[(networks["step"] > 0) == trained]
        means = np.log(chosen["near_images"]).groupby(chosen["ensemble"]).mean()
        assert row["estimate"] == pytest.approx(np.exp(means.mean()))
        assert row["low"] < row["estimate"] < row["high"]
        assert (row["networks"], row["ensembles"], row["shared"]) == (3, 2, 2)
        assert row["note"] == (
            "2 of the 5 ensembles that a verdict needs; 2 of the 5 shared inputs that a verdict "
            "needs"
        )
    assert table.loc[False, "estimate"] > 1 > table.loc[True, "estimate"]


def test_sparser_boundaries_after_training_are_an_effect_of_it():
    """Planes differ by a factor of 3, which cancels in the contrast to the same before training."""
    planes = [0.5, 0.7, 1.0, 1.2, 1.5, 1.5]
    boundaries, training = study({name: [(1, 0.3)] for name in "abcdef"}, 6, planes)
    row = rows_of(boundaries, training).loc[True]
    assert row["note"] == ""
    assert row["over_untrained_high"] < 0.6
    assert row["over_untrained_high"] / row["over_untrained_low"] < row["high"] / row["low"]


def test_images_in_sparse_places_are_no_effect_of_training():
    """Sparse near the images with certainty, and just as sparse before training."""
    ratios = {name: [(0.3 + jitter / 50, 0.3)] for jitter, name in enumerate("bcadef", -2)}
    boundaries, training = study(ratios, 6)
    row = rows_of(boundaries, training).loc[True]
    assert row["high"] < 1
    assert row["over_untrained_low"] < 1 < row["over_untrained_high"]


def test_planes_are_a_sample_of_their_own():
    boundaries, training = study({name: [(1, 1)] for name in "abcdef"}, 6, [0.2, 0.4, 1, 1, 2, 2])
    row = rows_of(boundaries, training).loc[True]
    networks = contrasts_of_networks(boundaries, training, distance=0.2)
    values = np.log(networks.query("ensemble == 'a' and step == 8")["near_images"])
    half = scipy.stats.t.ppf(0.975, 5) * values.std() / 6**0.5
    assert np.log(row["high"] / row["low"]) == pytest.approx(2 * half)


def test_unevenness_is_that_of_cells_written_out():
    pixels = bitmap(3)
    pixels[:8, :8] = False
    cells = [
        np.log((pixels[i : i + 8, j : j + 8].sum() + 0.5) / 64)
        for i in range(0, GRID, 8)
        for j in range(0, GRID, 8)
    ]
    assert unevenness(pixels) == pytest.approx(np.std(cells))
    assert unevenness(np.ones((GRID, GRID), bool)) == 0
    assert np.isnan(unevenness(np.zeros((GRID, GRID), bool)))


def test_boundaries_that_become_uneven_are_distinguished_from_those_that_were():
    grown, training = study({name: [(1, 5)] for name in "abcdef"}, 6)
    were, _ = study({name: [(5 + i / 10, 5)] for i, name in enumerate("abcdef", -3)}, 6)
    grown, were = (rows_of(rows, training, "unevenness").loc[True] for rows in (grown, were))
    assert grown["over_untrained_low"] > 1
    assert were["over_untrained_low"] < 1 < were["over_untrained_high"]


def test_rows_say_which_train_accuracy_networks_reached():
    table = boundary_contrasts(*study({"a": [(1, 1), (1, 1)]}), resampling=resampling())
    reached = table.groupby("trained")["train_accuracy"].unique()
    assert reached[True].tolist() == [0.875] and reached[False].tolist() == [0.125]


def test_datasets_stay_apart():
    boundaries, training = study({"a": [(1, 0.5)], "b": [(1, 0.2)]})
    training.loc[training["ensemble"] == "b", "dataset"] = "digits"
    table = boundary_contrasts(boundaries, training, resampling=resampling())
    assert table.groupby("dataset")["networks"].unique().to_dict() == {"mnist": [1], "digits": [1]}


def test_higher_level_is_a_wider_interval():
    boundaries, training = study({name: [(1, 0.2 * i)] for i, name in enumerate("abc", 1)})
    widths = [
        rows_of(boundaries, training, level=level).eval("high - low")[True] for level in (0.5, 0.95)
    ]
    assert 0 < widths[0] < widths[1]


@pytest.mark.parametrize("planes", [1, 2])
def test_one_network_or_plane_has_no_interval(planes):
    ensembles = {"a": [(1, 0.5)]} if planes > 1 else {"a": [(1, 0.5)], "b": [(1, 0.3)]}
    boundaries, training = study(ensembles, planes)
    table = rows_of(boundaries, training)
    assert table["estimate"].notna().all()
    assert table[["low", "high"]].isna().all(axis=None)


def test_networks_without_a_boundary_are_left_out_and_counted():
    boundaries, training = study({"a": [(1, 0.5), (1, 0.5)]})
    empty = made_rows(np.zeros((GRID, GRID), bool), ensemble="b", seed=0, step=8, plane=0)
    about = {"ensemble": "b", "seed": 0, "step": 8, "final": True, "dataset": "mnist"}
    training.loc[len(training)] = about
    with_empty = pd.concat([boundaries, empty])
    table, before = (rows_of(rows, training) for rows in (with_empty, boundaries))
    few = "1 of the 5 ensembles that a verdict needs; 2 of the 5 shared inputs that a verdict needs"
    assert table["note"].tolist() == [few, f"1 of 3 networks have no boundary; {few}"]
    assert table.drop(columns="note").equals(before.drop(columns="note"))


def test_untrained_networks_only():
    boundaries, training = study({"a": [(1, 0.5), (1, 0.5)]})
    table = rows_of(boundaries[boundaries["step"] == 0], training)
    assert table["networks"].to_dict() == {False: 2}
    assert table[OVER].isna().all(axis=None)


def test_distance_that_is_none_is_refused():
    boundaries, training = study({"a": [(1, 0.5)]})
    with pytest.raises(ValueError, match=r"^distance must be positive, not 0\.$"):
        boundary_contrasts(boundaries, training, resampling=resampling(), distance=0)
