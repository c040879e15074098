from itertools import product

import pytest
import torch
from oracles.slow_trainer import augmented
from torchvision.transforms import functional

from generalization.errors import InputError
from generalization.training.augmentation import AUGMENTATIONS, pixel_views

COUNTS = {"translate_flip": 9 * 9 * 2, "flips_rotations": 9 * 9 * 4 * 3}
CROPS = 9 * 9 * 2


def test_names_are_those_that_are_tested():
    assert {"none", "crop_flip", "random_crop", *COUNTS} == set(AUGMENTATIONS)


@pytest.mark.parametrize("augmentation", COUNTS)
def test_every_view_shows_every_pixel_once(augmentation):
    views = pixel_views(augmentation, 10, 10)
    assert views.shape == (COUNTS[augmentation], 100)
    assert torch.equal(views.sort(1).values, torch.arange(100).expand_as(views))


@pytest.mark.parametrize("augmentation", COUNTS)
def test_views_are_shifts_flips_and_turns_of_the_image(augmentation):
    images = torch.arange(2 * 12 * 12.0).view(1, 2, 12, 12).expand(COUNTS[augmentation], -1, -1, -1)
    views = pixel_views(augmentation, 12, 12)
    numbers = torch.arange(len(views))
    expected = augmented(images, numbers, augmentation)
    seen = images[0].flatten(1)[:, views].transpose(0, 1).view_as(images)
    assert torch.equal(seen, expected)


@pytest.mark.parametrize(
    ("augmentation", "different"), [("translate_flip", 81 * 2), ("flips_rotations", 81 * 8)]
)
def test_number_of_different_views(augmentation, different):
    # A square has 8 symmetries: flips and quarter turns.
    assert len(pixel_views(augmentation, 12, 12).unique(dim=0)) == different


def test_the_image_itself_is_among_the_views():
    views = pixel_views("translate_flip", 12, 9)
    assert (views == torch.arange(108)).all(1).sum() == 1


def test_none_has_no_views():
    assert pixel_views("none", 4, 5) is None


def test_images_that_are_not_square_do_not_turn():
    with pytest.raises(
        InputError,
        match=r"^augmentation must not be 'flips_rotations' for images of 28 × 24 pixels, "
        r"because only a square can be turned\.$",
    ):
        pixel_views("flips_rotations", 28, 24)


def symmetries_by_hand(image):
    """Flips and quarter turns of a square, by the origin of every pixel."""
    side, rows = range(len(image)), image.tolist()
    last = len(image) - 1
    return {
        "as it is": rows,
        "left and right": [[rows[y][last - x] for x in side] for y in side],
        "up and down": [[rows[last - y][x] for x in side] for y in side],
        "half turn": [[rows[last - y][last - x] for x in side] for y in side],
        "clockwise": [[rows[last - x][y] for x in side] for y in side],
        "counter-clockwise": [[rows[x][last - y] for x in side] for y in side],
        "main diagonal": [[rows[x][y] for x in side] for y in side],
        "other diagonal": [[rows[last - x][last - y] for x in side] for y in side],
    }


def test_turned_views_are_twice_as_likely_as_those_that_are_not():
    # Two flips make a half turn; a turn and a half turn make the other turn.
    image = torch.arange(12 * 12).view(12, 12)
    views = pixel_views("flips_rotations", 12, 12).view(81, 12, 12, 12)
    unmoved = views[4 * 9 + 4].tolist()
    counts = {name: unmoved.count(seen) for name, seen in symmetries_by_hand(image).items()}
    straight = ("as it is", "left and right", "up and down", "half turn")
    assert counts == {name: 1 if name in straight else 2 for name in counts}


@pytest.mark.parametrize(("height", "width"), [(12, 12), (6, 9)])
def test_crops_are_those_of_torchvision_image_by_image(height, width):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, height, width, generator=generator)
    views = pixel_views("crop_flip", height, width)
    with_black = torch.cat([image.flatten(1), torch.zeros(3, 1)], dim=1)
    seen = with_black[:, views].transpose(0, 1).view(CROPS, *image.shape)
    padded = functional.pad(image, [4])
    # The image moves down where the crop begins further up.
    crops = [
        functional.crop(padded, 4 - down, 4 - right, height, width)
        for down, right in product(range(-4, 5), repeat=2)
    ]
    expected = [view for crop in crops for view in (crop, functional.hflip(crop))]
    assert torch.equal(seen, torch.stack(expected))


def test_pixels_that_leave_on_one_side_come_back_on_the_other():
    views = pixel_views("translate_flip", 9, 9).view(9, 9, 2, 9, 9)
    corner = torch.zeros(81, dtype=torch.long)
    corner[0] = 1
    # By as many rows and columns as -4, …, 4; the first of two views is not flipped.
    for down, right in [(4, 1), (-1, 0), (0, -4), (-2, 3)]:
        seen = corner[views[down + 4, right + 4, 0].flatten()].view(9, 9)
        assert seen.nonzero().tolist() == [[down % 9, right % 9]]
        flipped = corner[views[down + 4, right + 4, 1].flatten()].view(9, 9)
        assert flipped.nonzero().tolist() == [[down % 9, 8 - right % 9]]
