"""Curves through input space along which networks are watched."""

import torch
from jaxtyping import Float
from torch import Tensor


def translation_loops(
    images: Float[Tensor, "samples channels height width"],
) -> Float[Tensor, "samples vertices channels height width"]:
    """Closed polygons through all horizontal cyclic translations of each image.

    The trajectory of Novak et al. 2018, §3 and Fig. App.9: straight lines in pixel space join each
    translation to the next, and the last to the image. A translation keeps distances, so all edges
    of a polygon are equally long.

    Args:
        images: All channels are translated together, along the last axis.

    Returns:
        The width + 1 vertices of every polygon. The first and the last are the image itself.

    Raises:
        ValueError: If the inputs are not images.
    """
    if images.dim() != 4:
        raise ValueError(
            "inputs must be images of shape (samples, channels, height, width), "
            f"not {tuple(images.shape)}."
        )
    # ASSUME: as many translations as the image is wide; the paper states 28, the width of MNIST.
    twice = torch.cat((images, images), dim=-1)
    return twice.unfold(-1, images.shape[-1], 1).movedim(-2, 1)


def equidistant_points(
    loops: Float[Tensor, "samples vertices *features"], points: int, first: int, last: int
) -> Float[Tensor, "samples chosen *features"]:
    """Some of the points that divide closed polygons of equally long edges into equal parts.

    Point ``i`` lies ``i / points`` of the way around from the first vertex; its edge and its place
    there follow in integers. So each point is among those of twice as many, to the last bit if
    ``points`` is a power of two.

    Args:
        loops: Vertices of every polygon; the last is the first once more.
        points: Number of points on every polygon.
        first: Number of the first point that is wanted.
        last: Number of the first one after it that is not. Point ``points`` is point 0 again.

    Returns:
        Points ``first`` to ``last - 1`` of every polygon.
    """
    edges = loops.shape[1] - 1
    position = torch.arange(first, last, device=loops.device) % points * edges
    edge, fraction = position // points, (position % points / points).to(loops.dtype)
    fraction = fraction.view(-1, *[1] * (loops.dim() - 2))
    return loops.index_select(1, edge).lerp_(loops.index_select(1, edge + 1), fraction)
