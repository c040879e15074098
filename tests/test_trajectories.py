import pytest
import torch

from generalization.trajectories import equidistant_points, translation_loops


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
