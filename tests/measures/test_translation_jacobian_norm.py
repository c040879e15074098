import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks, softmax_jacobian_norms
from torch.testing import assert_close

from generalization.measures import jacobian_norm as module_under_test
from generalization.measures.jacobian_norm import jacobian_norm, translation_jacobian_norm


def images(count=5):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 2, 3, 4, generator=generator, dtype=torch.float64)


def on_loop(image, points):
    """Points around the loop by their definition, one by one."""
    for point in range(points):
        shift, fraction = divmod(4 * point / points, 1)
        here, there = (torch.roll(image, -int(shift) - step, dims=-1) for step in (0, 1))
        yield (1 - fraction) * here + fraction * there


@pytest.mark.parametrize("points", [1, 3, 8, 10])
def test_mean_over_the_loop(points):
    networks = random_networks((24, 9, 4), count=2)
    values = translation_jacobian_norm(networks, images(), grid_points=points)
    for member in range(2):
        module = PlainNetwork(networks, member)
        expected = [
            softmax_jacobian_norms(module, torch.stack(list(on_loop(image, points)))).mean()
            for image in images()
        ]
        assert_close(values[member], torch.stack(expected))


def test_module_is_a_stack_of_one():
    networks = random_networks((24, 9, 4))
    expected = translation_jacobian_norm(networks, images())
    assert_close(translation_jacobian_norm(PlainNetwork(networks), images()), expected)


def test_how_many_images_at_a_time_changes_nothing(monkeypatch):
    networks = random_networks((24, 9, 4), count=2)
    expected = translation_jacobian_norm(networks, images(), grid_points=6)
    monkeypatch.setattr(module_under_test, "NUMBERS_AT_A_TIME", 2 * 6 * 24)
    assert_close(translation_jacobian_norm(networks, images(), grid_points=6), expected)


@pytest.mark.parametrize("points", [4, 12])
def test_translated_image_has_the_same_loop(points):
    networks = random_networks((24, 9, 4))
    values = translation_jacobian_norm(networks, images(), grid_points=points)
    translated = translation_jacobian_norm(networks, images().roll(1, -1), grid_points=points)
    assert_close(translated, values)


def test_image_that_translations_do_not_change():
    networks = random_networks((24, 9, 4))
    flat = images()[..., :1].expand(-1, -1, -1, 4)
    assert_close(translation_jacobian_norm(networks, flat), jacobian_norm(networks, flat))


def test_no_points_are_refused():
    with pytest.raises(ValueError, match=r"^grid_points must be at least 1, not 0\.$"):
        translation_jacobian_norm(random_networks((24, 4)), images(), grid_points=0)


def test_what_is_no_image_is_refused():
    with pytest.raises(ValueError, match=r"^inputs must be images of shape .*, not \(5, 24\)\.$"):
        translation_jacobian_norm(random_networks((24, 4)), images().flatten(1))
