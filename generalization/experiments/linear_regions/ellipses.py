"""Sensitivity along ellipses in input space, near training images and away from them."""

from collections.abc import Iterator, Mapping, Sequence
from math import pi

import pandas as pd
import torch
from jaxtyping import Float, Float64, Int64
from torch import Generator, Tensor

from generalization.measures.jacobian_norm import jacobian_norm
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.reading import reads_stacks
from generalization.regions.ellipse_crossings import ellipse_crossings
from generalization.regions.sampled_ellipses import sampled_crossings
from generalization.regions.trajectories import (
    ellipses_through,
    points_on_ellipses,
    random_ellipses,
)

# Points in a bin, where transitions have to be sampled.
SAMPLES_PER_BIN = 32


@reads_stacks
def ellipses(
    networks: FullyConnectedNetworks,
    train_inputs: Float[Tensor, "train_samples *features"],
    train_labels: Int64[Tensor, "train_samples"],
    generator: Generator,
    members: pd.DataFrame | None = None,
    *,
    ellipses: int = 16,
    angles: int = 192,
    of_each_seed: bool = False,
) -> pd.DataFrame:
    """Jacobian norm and density of transitions along ellipses (Novak et al. 2018, §4.1, Fig. 2).

    ``random`` ellipses lie around 0, away from data. The others pass through three training images,
    their anchors, at the angles π/3, π and 5π/3: images of three ``different`` classes, or
    three of the ``same``. All networks see the same ellipses, or, as in the paper (§A.5.1), those
    of one seed do.

    Transitions are all crossings of thresholds by hidden units in a bin, without sampling, in
    float64. The units of a tanh network have no linear regions but the threshold 0 by convention;
    its crossings are counted between 32 points per bin, so that a pair of them may be missed.

    Args:
        generator: Source of axes and anchors, on the CPU.
        members: Table with the ``seed`` of every network, for ellipses of each seed.
        ellipses: Number of ellipses of each kind.
        angles: Number of equal bins around an ellipse, a multiple of 6. Bin i has its center at
            2π i / angles, so that anchors, and the middles between them, are centers of bins.
        of_each_seed: Whether axes and anchors depend on the seed of a network.

    Returns:
        One row per network, kind, ellipse and bin: ``network``, ``kind``, ``ellipse`` (0 … of the
        kind, and of the seed if each has its own), ``angle`` (center of the bin, in radians),
        ``jacobian_norm`` (‖∂σ/∂xᵀ‖_F at the center, in probability per unit of input) and
        ``transition_density`` (transitions per radian in the bin, of all hidden layers).

    Raises:
        ValueError: If there is no ellipse, the angles are no multiple of 6, there are fewer than
            three classes, or no class has three images.
    """  # noqa: DOC502
    _require(ellipses, angles)
    tables = []
    for positions, source in _sources(len(networks), generator, members if of_each_seed else None):
        curves = {
            "random": random_ellipses(ellipses, train_inputs.shape[1:], source).to(train_inputs),
            "different": _through(train_inputs, _different(train_labels, ellipses, source)),
            "same": _through(train_inputs, _same(train_labels, ellipses, source)),
        }
        tables += _tables(networks[positions], positions, curves, angles)
    table = pd.concat(tables, ignore_index=True)
    return table.sort_values("network", kind="stable", ignore_index=True)


def _sources(
    networks: int, generator: Generator, members: pd.DataFrame | None
) -> Iterator[tuple[list[int], Generator]]:
    """Positions of networks that share ellipses, with the generator of these."""
    if members is None:
        yield list(range(networks)), generator
        return
    # The same for all networks of a dataset, whichever of them are in this stack.
    base = int(torch.randint(2**62, (), generator=generator))
    for seed, some in members.reset_index(drop=True).groupby("seed"):
        yield some.index.to_list(), Generator().manual_seed(base + int(seed))


def _tables(
    networks: FullyConnectedNetworks,
    positions: Sequence[int],
    curves: Mapping[str, Float[Tensor, "count 3 *features"]],
    angles: int,
) -> list[pd.DataFrame]:
    """Tables of networks at these positions, one per kind of ellipses and network."""
    return [
        pd.DataFrame({
            "network": position,
            "kind": kind,
            "ellipse": torch.arange(len(some)).repeat_interleave(angles),
            "angle": _centers(angles).repeat(len(some)),
            "jacobian_norm": norm.flatten(),
            "transition_density": _transition_density(network, some, angles).flatten().cpu(),
        })
        for kind, some in curves.items()
        for position, network, norm in zip(
            positions, networks, _jacobian_norms(networks, some, angles).cpu(), strict=True
        )
    ]


def _require(ellipses: int, angles: int) -> None:
    if ellipses < 1:
        raise ValueError(f"ellipses must be at least 1, not {ellipses!r}.")
    if angles < 6 or angles % 6:
        raise ValueError(f"angles must be a multiple of 6, not {angles!r}.")


def _centers(angles: int) -> Float64[Tensor, "angles"]:
    return torch.arange(angles, dtype=torch.float64) * (2 * pi / angles)


def _through(
    inputs: Float[Tensor, "train *features"], anchors: Int64[Tensor, "count 3"]
) -> Float[Tensor, "count 3 *features"]:
    return ellipses_through(inputs[anchors.to(inputs.device)])


def _different(
    labels: Int64[Tensor, "train"], count: int, generator: Generator
) -> Int64[Tensor, "count 3"]:
    """Positions of one image from each of three classes, for every ellipse.

    Raises:
        ValueError: If there are fewer than three classes.
    """
    # ASSUME: an ellipse through different classes has three classes drawn evenly, then an image of
    # each; one of the same class has a class drawn evenly, then three images of it.
    members = _members(labels)
    if len(members) < 3:
        raise ValueError(f"train_labels must be of at least 3 classes, not {len(members)}.")
    return torch.stack([
        torch.cat([
            _drawn(members[i], 1, generator) for i in _drawn(range(len(members)), 3, generator)
        ])
        for _ in range(count)
    ])


def _same(
    labels: Int64[Tensor, "train"], count: int, generator: Generator
) -> Int64[Tensor, "count 3"]:
    """Positions of three images of one class, for every ellipse.

    Raises:
        ValueError: If no class has three images.
    """
    members = [some for some in _members(labels) if len(some) >= 3]
    if not members:
        most = max(map(len, _members(labels)))
        raise ValueError(
            f"train_labels must hold a class at least 3 times, not {most} times at most."
        )
    chosen = torch.randint(len(members), (count,), generator=generator)
    return torch.stack([_drawn(members[i], 3, generator) for i in chosen])


def _members(labels: Int64[Tensor, "train"]) -> list[Int64[Tensor, "members"]]:
    """Positions of the images of every class, on the CPU."""
    labels = labels.cpu()
    return [(labels == label).nonzero().squeeze(1) for label in labels.unique()]


def _drawn(items, count: int, generator: Generator) -> Tensor:
    """Draw some of the items without replacement."""
    return torch.as_tensor(items)[torch.randperm(len(items), generator=generator)[:count]]


def _jacobian_norms(
    networks: FullyConnectedNetworks, ellipses: Float[Tensor, "count 3 *features"], angles: int
) -> Float64[Tensor, "networks count angles"]:
    """Jacobian norms at the centers of bins, computed one ellipse at a time."""
    centers = _centers(angles).to(ellipses.device)
    norms = [
        jacobian_norm(networks, points_on_ellipses(ellipse, centers)[0])
        for ellipse in ellipses.split(1)
    ]
    return torch.stack(norms, dim=1)


def _transition_density(
    network: FullyConnectedNetworks, ellipses: Float[Tensor, "count 3 *features"], angles: int
) -> Float64[Tensor, "count angles"]:
    """Crossings per radian in every bin of every ellipse; NaN if the network diverged."""
    shape = len(ellipses), angles
    if not all(parameter.isfinite().all() for parameter in network.parameters):
        return torch.full(shape, torch.nan, dtype=torch.float64)
    found = (
        ellipse_crossings(network, ellipses)
        if network.phi.piecewise_linear
        else sampled_crossings(network, ellipses, angles * SAMPLES_PER_BIN)
    )
    if not found:
        return torch.zeros(shape, dtype=torch.float64)
    curve, angle = (torch.cat(values) for values in zip(*found, strict=True))
    bins = (angle * (angles / (2 * pi))).round().long() % angles
    counts = (curve.long() * angles + bins).bincount(minlength=shape[0] * angles)
    return counts.view(shape) / (2 * pi / angles)
