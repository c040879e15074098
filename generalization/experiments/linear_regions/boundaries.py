"""Boundaries of the last hidden layer's linear regions, on the plane through three images."""

from math import cos, pi, sin

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from generalization.devices import items_at_once
from generalization.experiments.linear_regions.bitmaps import gray_levels, packed
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.reading import reads_stacks
from generalization.regions.trajectories import ellipses_through

COLUMNS = ["network", "plane", "kind", "image", "row", "u", "v", "pixels"]
RADIUS = 0.8  # of the triangle around the middle of the plane, Novak et al. 2018, §A.5.3
# Where the three images lie on the plane, each as (u, v).
VERTICES = tuple((RADIUS * cos(angle), RADIUS * sin(angle)) for angle in (pi / 3, pi, 5 * pi / 3))


@reads_stacks
def boundaries(
    networks: FullyConnectedNetworks,
    train_inputs: Float[Tensor, "train_samples channels height width"],
    train_labels: Int64[Tensor, "train_samples"],
    *,
    grid: int = 1024,
    planes: int = 1,
) -> pd.DataFrame:
    """Boundaries of the last hidden layer's regions on the plane through three training images.

    The plane is the square [−1, 1]² in which the images are the vertices of an equilateral triangle
    around 0, each at a distance of 0.8 (Novak et al. 2018, Fig. 3 and §A.5.3). A pixel belongs to a
    boundary if the code of a unit, the number of its thresholds below its preactivation, differs at
    the pixel to the right or below. (The threshold of tanh is 0, by convention.) Planes are the
    same for all networks that are trained on the same data.

    Products are float32, as in the paper, if the weights are. Rounding changes a pixel only if a
    unit is within about 1e-6 of its range from its threshold there, while from pixel to pixel it
    changes by about 2 / grid of its range.

    Args:
        grid: Number of pixels along each side of the square, at least 2.
        planes: Number of planes, through different images, see ``three_images``.

    Returns:
        Columns ``COLUMNS``. For every network and ``plane`` (0 …) there is one row per row of the
        square, from the top (v = 1) down, of ``kind`` boundary: its ``pixels`` have one bit each, 1
        on a boundary, from the left (u = −1) to the right. And for each ``image`` (0, 1, 2) there
        is one row per row of it, of ``kind`` image: its ``pixels`` have one byte each, the gray
        level; u, v is where the image lies. ``pixels`` are whole bytes in hexadecimal digits, the
        most significant bit first, after ``0x``, so that they are not read as a number. A network
        that diverged has no boundary.

    Raises:
        ValueError: If the grid is too small, there is no plane, or the labels are of fewer than
            three classes, or of fewer images of one than there are planes.
    """
    if planes < 1:
        raise ValueError(f"planes must be at least 1, not {planes!r}.")
    tables = []
    for plane in range(planes):
        images = three_images(train_inputs, train_labels, plane)
        shown = [_image_rows(image, *place) for image, place in zip(images, VERTICES, strict=True)]
        shown = pd.concat(shown, keys=range(3), names=["image"]).reset_index("image")
        for position, network in enumerate(networks_on_plane(networks, images.flatten(1))):
            found = pd.DataFrame({
                "kind": "boundary",
                "pixels": packed(boundary_pixels(network, grid).cpu().numpy()),
            })
            found["row"] = range(grid)
            tables.append(pd.concat([found, shown]).assign(network=position, plane=plane))
    table = pd.concat(tables, ignore_index=True)[COLUMNS]
    table = table.sort_values("network", kind="stable", ignore_index=True)
    return table.astype({"image": "Int64"})


def three_images(
    inputs: Float[Tensor, "train *features"], labels: Int64[Tensor, "train"], plane: int = 0
) -> Float[Tensor, "three *features"]:
    """Image number p of each of three classes, which plane p passes through.

    Args:
        inputs: Training images.
        labels: Their classes, as the networks saw them.
        plane: Number p of the plane; the first passes through the first images.

    Returns:
        Three images.

    Raises:
        ValueError: If there are fewer than three classes, or no more than p images of one of them.
    """
    # ASSUME: plane p of boundaries passes through the images number p of the three labels that
    # follow those of the plane before, from the smallest on, the same for all networks; the paper
    # takes "three arbitrary input points".
    classes = labels.unique()
    if len(classes) < 3:
        raise ValueError(f"train_labels must be of at least 3 classes, not {len(classes)}.")
    chosen = [(labels == classes[(3 * plane + i) % len(classes)]).nonzero() for i in range(3)]
    fewest = min(map(len, chosen))
    if fewest <= plane:
        raise ValueError(f"planes must be at most the {fewest} images of a class, not {plane + 1}.")
    return torch.stack([inputs[places[plane, 0]] for places in chosen])


def networks_on_plane(
    networks: FullyConnectedNetworks, points: Float[Tensor, "three features"]
) -> FullyConnectedNetworks:
    """Networks as functions of the place (u, v, 1) on the plane through three points.

    With the ellipse c + a cos θ + b sin θ of ``ellipses_through``, x(u, v) = c + (u a + v b) / 0.8
    takes ``VERTICES`` to the points. It is linear in (u, v, 1), so that a first layer W₁ x becomes
    one of three inputs, whose weights are W₁ a / 0.8, W₁ b / 0.8 and W₁ c. They are rounded once,
    after sums in float64, and nothing below depends on the number of features.

    Args:
        networks: A stack, with or without biases.
        points: Three points in input space, flattened.

    Returns:
        Stack with the new first layer.
    """
    center, cosine, sine = ellipses_through(points.double().unsqueeze(0)).squeeze(0)
    frame = torch.stack((cosine / RADIUS, sine / RADIUS, center), dim=1)
    first, *others = networks.weights
    return FullyConnectedNetworks(
        weights=((first.double() @ frame).to(first), *others),
        activation=networks.activation,
        biases=networks.biases,
    )


@torch.inference_mode()
def boundary_pixels(network: FullyConnectedNetworks, grid: int) -> Bool[Tensor, "grid grid"]:
    """Mask of the pixels whose code differs from that of the next one to the right or below.

    Args:
        network: A stack of one of ``networks_on_plane``. A linear one has no boundary.
        grid: Number of pixels along each side; the outer ones lie on the edges of the square.

    Returns:
        Rows from v = 1 down to −1, columns from u = −1 to 1.

    Raises:
        ValueError: If the grid is too small.
    """
    if grid < 2:
        raise ValueError(f"grid must be at least 2, not {grid!r}.")
    along = torch.linspace(-1, 1, grid, dtype=torch.float64).to(network.weights[0])
    found = torch.zeros(grid, grid, dtype=torch.bool, device=along.device)
    if network.depth == 1:
        return found
    rows = items_at_once("operation", grid * max(network.widths), along.device)
    last = None  # Codes of the row above a block, compared with those of the block's first row.
    for first, v in zip(range(0, grid, rows), along.flip(0).split(rows), strict=True):
        codes = _codes(network, _places(along, v)).unflatten(0, (len(v), grid))
        found[first : first + len(v), :-1] |= (codes[:, 1:] != codes[:, :-1]).any(2)
        found[first : first + len(v) - 1] |= (codes[1:] != codes[:-1]).any(2)
        if last is not None:
            found[first - 1] |= (codes[0] != last).any(1)
        last = codes[-1]
    return found


def _places(u: Float[Tensor, "columns"], v: Float[Tensor, "rows"]) -> Float[Tensor, "places 3"]:
    """Places (u, v, 1) of every pixel, row by row."""
    v, u = torch.cartesian_prod(v, u).unbind(1)
    return torch.stack((u, v, torch.ones_like(u)), dim=1)


def _codes(
    network: FullyConnectedNetworks, places: Float[Tensor, "places 3"]
) -> Bool[Tensor, "places units_and_thresholds"]:
    """Codes of the last hidden layer: whether each unit exceeds each of its thresholds."""
    units = places
    for layer in range(network.depth - 2):
        units = network.phi.in_place(network.affine(layer, units))
    units = network.affine(network.depth - 2, units).squeeze(0)
    return torch.cat([units > threshold for threshold in network.phi.thresholds], dim=1)


def _image_rows(image: Float[Tensor, "channels height width"], u: float, v: float) -> pd.DataFrame:
    """Rows of the gray levels of an image."""
    pixels = packed(gray_levels(image.cpu().numpy()))
    return pd.DataFrame({
        "kind": "image",
        "row": range(len(pixels)),
        "u": u,
        "v": v,
        "pixels": pixels,
    })
