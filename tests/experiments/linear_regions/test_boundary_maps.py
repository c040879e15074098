import numpy as np
import pandas as pd
import pytest

from generalization.experiments.linear_regions.boundary_densities import contrast
from generalization.experiments.linear_regions.boundary_maps import boundary_maps, coarse
from generalization.figures.svg_file import save_figure

PLACES = np.array([(0.4, 0.7), (-0.8, 0.0), (0.4, -0.7)])
GRAY = np.arange(12, dtype=np.uint8).reshape(4, 3) * 20


def bitmap(step, seed, grid):
    return np.random.default_rng([step, seed]).random((grid, grid)) < 0.2


def made_profile(grid=16, seeds=(1, 2), steps=(0, 8)):
    rows = []
    for seed in seeds:
        for step in steps:
            network = {"ensemble": "a", "seed": seed, "step": step}
            for row, bits in enumerate(np.packbits(bitmap(step, seed, grid), axis=1)):
                digits = "0x" + bits.tobytes().hex()
                rows.append(network | {"kind": "boundary", "row": row, "pixels": digits})
            for image, (u, v) in enumerate(PLACES):
                place = {"kind": "image", "image": image, "u": u, "v": v}
                for row, grays in enumerate(GRAY + image):
                    digits = "0x" + grays.tobytes().hex()
                    rows.append(network | place | {"row": row, "pixels": digits})
    first = pd.DataFrame(rows).assign(plane=0)
    # Another plane, which is not drawn.
    return pd.concat([first, first.assign(plane=1, pixels=first["pixels"][::-1].to_numpy())])


def made_training(accuracies=(0.5, 1.0)):
    about = {"dataset": "digits", "depth": 3, "width": 20, "activation": "relu6"}
    return pd.DataFrame([
        {"ensemble": "a", "seed": seed, "step": step, "final": step == 8, **about}
        | {"train_accuracy": accuracy if step else 0.1}
        for seed, accuracy in zip((1, 2), accuracies, strict=True)
        for step in (0, 8)
    ])


def test_panels_show_the_bitmaps_of_the_network_that_has_fitted():
    figure = boundary_maps(made_profile(), made_training())
    for axes, step, when in zip(figure.axes, (0, 8), ("Before", "After"), strict=True):
        square = axes.images[0]
        assert (square.get_array() == bitmap(step, 2, 16)).all()
        assert square.get_extent() == [-1, 1, -1, 1]
        assert square.origin == "upper"
        assert axes.get_title("left") == f"{when} training"
        near = contrast(bitmap(step, 2, 16), PLACES)
        assert axes.get_xlabel() == f"Near the images {near:.2f} × as dense as in the whole square"
    assert figure.get_suptitle() == (
        "Boundaries of the last hidden layer, digits: depth 3, width 20, relu6, seed 2\n"
        "train accuracy 100 %"
    )


def test_images_are_next_to_the_circles_around_their_places():
    axes = boundary_maps(made_profile(), made_training(), distance=0.05).axes[1]
    circles = [patch for patch in axes.patches if hasattr(patch, "radius")]
    for number, (place, circle) in enumerate(zip(PLACES, circles, strict=True)):
        assert circle.center == pytest.approx(place)
        assert circle.radius == 0.05
        inset = axes.images[1 + number]
        assert (inset.get_array() == GRAY + number).all()
        left, right, bottom, top = inset.get_extent()
        assert place[0] + 0.05 < left < place[0] + 0.1
        assert right < 1
        assert (bottom + top) / 2 == pytest.approx(place[1])
        # Pixels are square.
        assert (top - bottom) / (right - left) == pytest.approx(4 / 3)


def test_the_first_network_is_shown_if_none_has_fitted():
    figure = boundary_maps(made_profile(), made_training((0.5, 0.6)))
    assert (figure.axes[1].images[0].get_array() == bitmap(8, 1, 16)).all()
    assert figure.get_suptitle().endswith(
        "seed 1\nNo network has fitted; this is the first (train accuracy 50 %)"
    )


def test_no_boundary_is_stated():
    profile = made_profile()
    empty = (profile["step"] == 8) & (profile["kind"] == "boundary")
    profile.loc[empty, "pixels"] = "0x0000"
    figure = boundary_maps(profile, made_training())
    assert figure.axes[1].get_xlabel() == "No boundary in the square"


@pytest.mark.parametrize("steps", [(), (0,), (8,)])
def test_nothing_to_show_is_stated(steps):
    profile = made_profile().query("step in @steps")
    assert boundary_maps(profile, made_training()).texts[0].get_text() == (
        "No network has boundaries before and after training to show."
    )


@pytest.mark.parametrize("fields", [1, 3, 4, 7, 10, 100])
def test_coarse_squares_are_means_of_pixels(fields):
    pixels = bitmap(0, 0, 10)
    size = int(np.ceil(10 / fields))
    seen = coarse(pixels, fields)
    assert len(seen) <= fields
    for row, column in np.ndindex(seen.shape):
        block = pixels[row * size : (row + 1) * size, column * size : (column + 1) * size]
        assert seen[row, column] == pytest.approx(block.mean())


def test_file_is_small_whatever_is_drawn(tmp_path):
    # Noise is what can be compressed least.
    save_figure(
        tmp_path / "boundaries.svg", boundary_maps(made_profile(grid=1024), made_training())
    )
    assert (tmp_path / "boundaries.svg").stat().st_size < 1.5e6
