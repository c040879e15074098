"""Curves through input space along which networks are evaluated."""

from collections.abc import Sequence
from math import sqrt

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def translation_loops(
    images: Float[Tensor, "samples channels height width"],
) -> Float[Tensor, "samples vertices channels height width"]:
    """Return the closed polygons through all horizontal cyclic translations of each image.

    The trajectory of Novak et al. 2018, §3 and Fig. App.9: straight lines in pixel space join each
    translation to the next, and the last to the image. Translations preserve distances, so all
    edges of a polygon have equal length.

    Args:
        images: Images, whose channels are translated together along the last axis.

    Returns:
        The width + 1 vertices of each polygon; the first and the last are the image itself.

    Raises:
        ValueError: If the inputs are not images.
    """
    if images.dim() != 4:
        raise ValueError(
            "inputs must be images of shape (samples, channels, height, width), "
            f"not {tuple(images.shape)}."
        )
    # ASSUME: one translation per pixel of the image width; the paper states 28, the width of MNIST.
    twice = torch.cat((images, images), dim=-1)
    return twice.unfold(-1, images.shape[-1], 1).movedim(-2, 1)


def equidistant_points(
    loops: Float[Tensor, "samples vertices *features"], points: int, first: int, last: int
) -> Float[Tensor, "samples chosen *features"]:
    """Return points ``first`` to ``last - 1`` of equidistant points on closed equilateral polygons.

    Point ``i`` lies ``i / points`` of the way around from the first vertex. Its edge is computed in
    integers, so that each point is also a point of the grid twice as fine, to the last bit if
    ``points`` is a power of two.

    Args:
        loops: Vertices of each polygon, the first one repeated as last.
        first: Index of the first point.
        last: Index after the last point; point ``points`` is point 0.

    Returns:
        Points of each polygon.
    """
    edges = loops.shape[1] - 1
    position = torch.arange(first, last, device=loops.device) % points * edges
    edge, fraction = position // points, (position % points / points).to(loops.dtype)
    fraction = fraction.view(-1, *[1] * (loops.dim() - 2))
    return loops.index_select(1, edge).lerp_(loops.index_select(1, edge + 1), fraction)


def random_ellipses(
    count: int, shape: Sequence[int], generator: Generator
) -> Float[Tensor, "count 3 *features"]:
    """Draw random ellipses around the origin, unrelated to data.

    The entries of both axes are standard normal (Novak et al. 2018, §A.5.2), so that the mean
    squared norm of a point on them is that of an image of mean 0 and variance 1.

    Args:
        count: Number of ellipses.
        shape: Shape of an input.
        generator: Source of the axes, on the CPU.

    Returns:
        Center, cosine axis and sine axis of each ellipse, in float32 on the CPU.
    """
    ellipses = torch.randn(count, 3, *shape, generator=generator)
    ellipses[:, 0] = 0
    return ellipses


def ellipses_through(
    points: Float[Tensor, "count 3 *features"],
) -> Float[Tensor, "count 3 *features"]:
    """Return the ellipses through three points each, at the angles π/3, π and 5π/3.

    The affine map from an equilateral triangle to the three points maps its circumcircle to
    ``z(θ) = c + a cos θ + b sin θ`` (Novak et al. 2018, §A.5.2). From ``z(π) = c - a = p_2`` and
    ``z(π/3), z(5π/3) = c + a/2 ± b √3/2 = p_1, p_3`` follow ``c = (p_1 + p_2 + p_3) / 3``,
    ``a = c - p_2`` and ``b = (p_1 - p_3) / √3``. Collinear points give a degenerate ellipse.

    Args:
        points: Three points per ellipse, in the order of their angles.

    Returns:
        Center, cosine axis and sine axis of each ellipse.
    """
    first, second, third = points.unbind(1)
    center = (first + second + third) / 3
    return torch.stack((center, center - second, (first - third) / sqrt(3)), dim=1)


def points_on_ellipses(
    ellipses: Float[Tensor, "count 3 *features"], angles: Float[Tensor, "angles"]
) -> Float[Tensor, "count angles *features"]:
    """Return the points ``c + a cos θ + b sin θ`` of ellipses.

    Args:
        angles: Angles θ in radians.

    Returns:
        Points at these angles on each ellipse, in the dtype of the ellipses.
    """
    angles = angles.double()
    coefficients = torch.stack((torch.ones_like(angles), angles.cos(), angles.sin()), dim=1)
    return torch.einsum("ap,cp...->ca...", coefficients.to(ellipses), ellipses)
