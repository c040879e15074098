from math import cos, pi, sin

import pytest
import torch

from generalization.regions.trajectories import (
    ellipses_through,
    equidistant_points,
    points_on_ellipses,
    random_ellipses,
    translation_loops,
)


def test_vertices_are_all_cyclic_translations_of_all_channels():
    images = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    loops = translation_loops(images)
    assert loops.shape == (2, 6, 3, 4, 5)
    for shift in range(6):
        assert torch.equal(loops[:, shift], images.roll(-shift, dims=-1))


def test_edges_of_a_loop_are_equally_long():
    images = torch.randn(3, 2, 4, 7, generator=torch.Generator().manual_seed(0)).double()
    lengths = translation_loops(images).diff(dim=1).flatten(2).norm(dim=2)
    assert torch.allclose(lengths, lengths[:, :1].expand_as(lengths), rtol=1e-14)


def test_points_divide_the_loop_into_equal_parts_and_close_it():
    loops = torch.tensor([[0.0, 3.0, -6.0, 0.0]]).unsqueeze(-1)  # three edges, in four parts
    points = equidistant_points(loops, 4, 0, 6).flatten()
    assert points.tolist() == [0, 2.25, -1.5, -4.5, 0, 2.25]


def test_points_are_among_twice_as_many_bit_by_bit():
    loops = translation_loops(torch.rand(2, 1, 3, 7, generator=torch.Generator().manual_seed(0)))
    coarse = equidistant_points(loops, 64, 0, 64)
    fine = equidistant_points(loops, 128, 0, 128)
    assert torch.equal(coarse, fine[:, ::2])


def test_what_is_no_image_is_refused():
    sentence = (
        r"^inputs must be images of shape \(samples, channels, height, width\), not \(5, 64\)\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        translation_loops(torch.zeros(5, 64))


def test_ellipses_pass_through_their_three_points():
    points = torch.randn(5, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    ellipses = ellipses_through(points)
    angles = torch.tensor([pi / 3, pi, 5 * pi / 3], dtype=torch.float64)
    assert torch.allclose(points_on_ellipses(ellipses, angles), points, rtol=0, atol=1e-14)


def test_ellipse_through_an_equilateral_triangle_is_its_circumcircle():
    triangle = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]]).double()
    center, *axes = ellipses_through(triangle.unsqueeze(0))[0]
    assert torch.allclose(center, torch.full_like(center, 2 / 3))
    radius_squared = 8 / 3  # of a triangle with sides √8: a third of their square
    products = torch.stack(axes) @ torch.stack(axes).T
    assert torch.allclose(products, radius_squared * torch.eye(2).double())


def test_points_on_ellipses_are_combinations_of_the_axes():
    ellipses = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).double()
    angles = torch.tensor([0.0, 0.3, pi / 2, 4.0], dtype=torch.float64)
    points = points_on_ellipses(ellipses, angles)
    for curve, (center, cosine, sine) in enumerate(ellipses):
        for place, angle in enumerate(angles.tolist()):
            expected = center + cosine * cos(angle) + sine * sin(angle)
            assert torch.allclose(points[curve, place], expected)


def test_random_ellipses_lie_around_0_as_far_out_as_normalized_images():
    ellipses = random_ellipses(200, (1, 6, 6), torch.Generator().manual_seed(0))
    assert ellipses.shape == (200, 3, 1, 6, 6)
    assert (ellipses[:, 0] == 0).all()
    squares = points_on_ellipses(ellipses, torch.linspace(0, 6, 7)).square().flatten(2).sum(2)
    # The standard error of a mean of 200 χ² of 36 degrees is 36 √(2/36/200), 1.7 %.
    assert torch.allclose(squares.mean(0), torch.tensor(36.0), rtol=0.06)
