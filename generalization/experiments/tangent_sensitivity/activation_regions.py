"""Activation regions of test points: active units, patterns and distances to the border."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from generalization.devices import SAMPLES_PER_CHUNK, samples_at_once
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.reading import reads_stacks
from generalization.regions.activation_patterns import (
    Pattern,
    activation_pattern,
    facet_distances,
    log_membership,
    margins,
)

COLUMNS = ["units", "active", "pattern", "log_membership", "margin", "margin_layer", "inradius"]


@reads_stacks
@torch.no_grad()
def activation_regions(
    networks: FullyConnectedNetworks, inputs: Float[Tensor, "samples *features"]
) -> pd.DataFrame:
    """Activation region of each test point (Daróczy 2020, §2, §3.1, §9, Figs 1 and 4).

    Preactivations, and products of weights, are in the dtype of the weights, all else is float64.

    Returns:
        One row per network and point: ``network``, ``point`` (0 … N − 1) and

        ``units``
            Number of hidden units of the network.
        ``active``
            Number of them with slope 1; for ReLU, z > 0.
        ``active_1``, ``active_2`` …
            Number of active units of each hidden layer.
        ``pattern``
            Hash of the activation pattern, 16 hexadecimal digits after ``0x``: points of one
            network have equal hashes if they are in the same region.
        ``log_membership``
            Value of ``log_membership`` of the point in its own region.
        ``margin``, ``margin_layer``
            Minimum |z − t| over hidden units and thresholds t, and the hidden layer (1 …) of the
            unit that attains it.
        ``inradius``
            Radius of the largest ball around the point inside its region, see
            ``facet_distances``, in units of the input.

        Without hidden units there is one region: ``margin`` and ``inradius`` are infinite,
        ``margin_layer`` is 0. Tanh has no regions: all columns but ``units`` are empty.
    """
    tables = [
        _of_chunk(network, chunk).assign(
            network=position, point=number * SAMPLES_PER_CHUNK + np.arange(len(chunk))
        )
        for position, network in enumerate(networks)
        for number, chunk in enumerate(inputs.split(samples_at_once(SAMPLES_PER_CHUNK)))
    ]
    table = pd.concat(tables, ignore_index=True)
    layers = [name for name in table if name.startswith("active_")]
    return table.reindex(columns=["network", "point", *COLUMNS[:2], *layers, *COLUMNS[2:]])


def _of_chunk(network: FullyConnectedNetworks, inputs: Tensor) -> pd.DataFrame:
    """Columns of a stack of one at some points."""
    units = np.full(len(inputs), sum(network.widths[1:-1]))
    if not network.phi.piecewise_linear:
        return pd.DataFrame({"units": units})
    phi, preactivations = network.phi, network.preactivations(inputs)[:-1]
    pattern = activation_pattern(preactivations, phi.thresholds)
    active = [phi.derivative(phi.function(z))[0].sum(-1).long() for z in preactivations]
    membership = log_membership(preactivations, pattern, phi.thresholds)
    margin, layer = _least(margins(preactivations, phi.thresholds), inputs)
    columns = {
        "active": sum(active, start=torch.zeros_like(layer)),
        **{f"active_{number}": count for number, count in enumerate(active, start=1)},
        "log_membership": membership.expand(1, len(inputs))[0],
        "margin": margin,
        "margin_layer": layer,
        "inradius": _least(facet_distances(network, preactivations), inputs)[0],
    }
    table = pd.DataFrame({name: values.cpu().numpy() for name, values in columns.items()})
    return table.assign(units=units, pattern=_hashes(pattern, len(inputs)))


def _least(layers: Sequence[Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Minimum over all units of a stack of one, and its layer from 1; infinity and 0 if none."""
    none = torch.full((len(inputs),), torch.inf, dtype=torch.float64, device=inputs.device)
    return torch.stack([none, *(layer[0].amin(-1) for layer in layers)]).min(0)


def _hashes(pattern: Pattern, points: int) -> list[str]:
    """Hashes, one per point. Two regions of 1000 share one with a probability of 3e-14."""
    empty = torch.empty(points, 0, dtype=torch.uint8)
    codes: UInt8[Tensor, "samples units"] = torch.cat(
        [empty, *(layer[0].cpu() for layer in pattern)], dim=-1
    )
    return ["0x" + blake2b(row.tobytes(), digest_size=8).hexdigest() for row in codes.numpy()]
