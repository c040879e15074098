import pytest
import torch
from oracles.slow_trainer import augmented

from generalization.errors import InputError
from generalization.training.augmentation import AUGMENTATIONS, pixel_permutations

COUNTS = {"translate_flip": 9 * 9 * 2, "flips_rotations": 9 * 9 * 4 * 3}


def test_names_are_those_that_are_tested():
    assert {"none", *COUNTS} == set(AUGMENTATIONS)


@pytest.mark.parametrize("augmentation", COUNTS)
def test_every_view_shows_every_pixel_once(augmentation):
    views = pixel_permutations(augmentation, 10, 10)
    assert views.shape == (COUNTS[augmentation], 100)
    assert torch.equal(views.sort(1).values, torch.arange(100).expand_as(views))


@pytest.mark.parametrize("augmentation", COUNTS)
def test_views_are_shifts_flips_and_turns_of_the_image(augmentation):
    images = torch.arange(2 * 12 * 12.0).view(1, 2, 12, 12).expand(COUNTS[augmentation], -1, -1, -1)
    views = pixel_permutations(augmentation, 12, 12)
    numbers = torch.arange(len(views))
    expected = augmented(images, numbers, augmentation)
    seen = images[0].flatten(1)[:, views].transpose(0, 1).view_as(images)
    assert torch.equal(seen, expected)


@pytest.mark.parametrize(
    ("augmentation", "different"), [("translate_flip", 81 * 2), ("flips_rotations", 81 * 8)]
)
def test_number_of_different_views(augmentation, different):
    # The flips and quarter turns of a square are 8.
    assert len(pixel_permutations(augmentation, 12, 12).unique(dim=0)) == different


def test_the_image_itself_is_among_the_views():
    views = pixel_permutations("translate_flip", 12, 9)
    assert (views == torch.arange(108)).all(1).sum() == 1


def test_none_has_no_views():
    assert pixel_permutations("none", 4, 5) is None


def test_images_that_are_not_square_do_not_turn():
    with pytest.raises(
        InputError,
        match=r"^augmentation must not be 'flips_rotations' for images of 28 × 24 pixels, "
        r"because only a square can be turned\.$",
    ):
        pixel_permutations("flips_rotations", 28, 24)
