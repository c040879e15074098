"""Transitions between linear regions along the horizontal translations of an image."""

import math
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import Module

from generalization.errors import InputError, warn_of_method
from generalization.measures.sampled_transitions import (
    nan_if_diverged,
    sampled_transitions_per_layer,
)
from generalization.networks.activation_calls import pools_maxima
from generalization.networks.activation_functions import MODULES_WITH_THRESHOLDS as KNOWN
from generalization.networks.activation_functions import unit_thresholds
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, refuse_statistics_of_batches
from generalization.networks.reading import reads_networks
from generalization.regions.crossing_costs import MOST_MODULE_WORK, is_followed
from generalization.regions.module_loop_costs import is_module_followed
from generalization.regions.module_polylines import (
    crossings_per_activation,
    numbers_per_point,
)
from generalization.regions.polylines import around_translations, crossings_per_layer
from generalization.samples import Images


@reads_networks
def transitions(
    networks: Networks,
    inputs: Images,
    *,
    dtype: torch.dtype = torch.float32,
    grid_points: int = 4096,
    most_work: float = MOST_MODULE_WORK,
) -> Float[Tensor, "networks samples"]:
    """Number of transitions around the horizontal-translation loop of each image, without sampling.

    ``t(x) = ∮ ‖∂c(z) / ∂z‖₁ dz`` around the closed polygon through all horizontal translations of
    x. The code c holds, for each hidden unit, the number of thresholds below its preactivation
    (Novak et al. 2018, §3, eq. 1, where 2²⁰ points approximate the integral). Passing a whole
    linear region in one jump counts twice. Along a polygon a piecewise-linear network is piecewise
    affine, so that threshold crossings can be solved for, see ``crossings_per_layer``.

    Modules that are sequences of piecewise-linear layers are treated in the same way, where a unit
    is the input of an activation at one position of one channel. Max-pooling has no thresholds: its
    switches from one entry of a window to another are not counted, and a module that bends by them
    alone is refused. They add breakpoints to the layers above, which are solved for as well, see
    ``crossings_per_activation``.

    The cost of this grows with the cube of the width and the square of the depth. Where
    ``loop_costs`` makes it more than ``MOST_WORK`` per image or, of a module, ``module_loop_costs``
    more than ``most_work``, transitions are counted between ``grid_points`` points by
    ``sampled_transitions``, and a warning says how many it misses.

    Tanh has no linear regions, only the threshold 0 by convention (ibid., footnote 2), and no bound
    on the number of crossings of a unit. Its transitions are counted by ``sampled_transitions``,
    which may miss some but never invents any. The same applies to all other modules, such as those
    with tanh or skip connections.

    float32 is sufficient. Where a unit almost touches its threshold, rounding decides on a pair of
    crossings: of 96 loops of a network that fits MNIST, with about 4,000 transitions each, one
    differs by 2 from float64.

    Args:
        networks: R networks, with or without biases, or a module from images to logits (R = 1), in
            eval mode.
        grid_points: Number of points on a loop where transitions are sampled; otherwise unused.
        most_work: Operations per image, at 10¹¹ a second, up to which crossings of a module are
            solved for.

    Returns:
        R × N counts, in float64; NaN where the logits are not finite.

    Raises:
        InputError: If a module normalizes by the statistics of a batch, or has no hidden units but
            max-pooling.
        ValueError: If the inputs are not images, or if a module has to be sampled and has an
            activation module that ``sampled_transitions`` does not know.
    """  # noqa: DOC502
    return transitions_per_layer(
        networks, inputs, dtype=dtype, grid_points=grid_points, most_work=most_work
    ).sum(dim=-1)


def transitions_per_layer(
    networks: Networks,
    inputs: Images,
    *,
    dtype: torch.dtype = torch.float32,
    grid_points: int = 4096,
    most_work: float = MOST_MODULE_WORK,
) -> Float[Tensor, "networks samples hidden_layers"]:
    """Count the transitions of each hidden layer, whose sum is ``transitions``.

    Args:
        networks: R networks, with or without biases, or a module (R = 1).
        grid_points: Number of points where transitions are sampled, see ``transitions``.
        most_work: Work up to which crossings of a module are solved for, see ``transitions``.

    Returns:
        R × N × (depth − 1) counts, in float64; for a module, one count per activation in order.
    """
    if isinstance(networks, Module):
        refuse_statistics_of_batches(networks)
    if not _can_be_followed(networks, inputs, most_work):
        # ASSUME: tanh and very large networks are compared with others by a sampled count, within
        # about 1 % of its limit.
        return _sampled(networks, inputs, grid_points, dtype)
    inputs = inputs.to(dtype)
    if isinstance(networks, Module):
        networks = deepcopy(networks).to(dtype).eval()
        _refuse_maxima_alone(networks, inputs)
        counts = _module_counts(networks, inputs).unsqueeze(0)
    else:
        networks = networks.to(dtype)
        counts = torch.stack([_stack_counts(network, inputs) for network in networks])
    return nan_if_diverged(counts, networks, inputs)


def _refuse_maxima_alone(module: Module, inputs: Images) -> None:
    """Refuse a sequence of layers that bends only by max-pooling, of which 0 would be counted.

    Raises:
        InputError: If it does.
    """
    if not any(map(unit_thresholds, module.modules())) and pools_maxima(module, inputs[:1]):
        raise InputError(
            f"networks must have activation modules ({KNOWN}), not max-pooling alone, whose "
            "switches are no transitions."
        )


def _can_be_followed(networks: Networks, inputs: Images, most_work: float) -> bool:
    """Return whether threshold crossings along a loop can be solved for at a bearable cost."""
    if isinstance(networks, Module):
        return is_module_followed(networks, inputs, most_work)
    return is_followed(networks.widths, inputs.shape[-1], networks.activation)


FEW = 10  # Images on which the error of sampling is estimated.


def _sampled(
    networks: Networks, inputs: Images, grid_points: int, dtype: torch.dtype
) -> Float[Tensor, "networks samples hidden_layers"]:
    """Count between points, and warn of the share of transitions that this misses.

    What is missed is inversely proportional to the number of points: it is about the difference to
    half as many.
    """
    count = partial(sampled_transitions_per_layer, networks, dtype=dtype)
    counts = count(inputs, grid_points=grid_points)
    fewer = count(inputs[:FEW], grid_points=max(2, grid_points // 2)).sum(dim=(1, 2))
    missed = 1 - fewer / counts[:, :FEW].sum(dim=(1, 2))
    for network, share in enumerate(missed.tolist()):
        how = f"sampled at {grid_points} points"
        how += f", about {share:.1%} below the exact count" * math.isfinite(share)
        warn_of_method("sampled", how, [other == network for other in range(len(missed))])
    return counts


def _stack_counts(
    network: FullyConnectedNetworks, inputs: Images
) -> Int[Tensor, "samples hidden_layers"]:
    """Return the counts of a stack of one."""
    count = partial(crossings_per_layer, network)
    return around_translations(count, inputs, max(network.widths))


def _module_counts(module: Module, inputs: Images) -> Int[Tensor, "samples activations"]:
    """Return the counts of a sequence of layers."""
    count = partial(crossings_per_activation, module)
    return around_translations(count, inputs, numbers_per_point(module, inputs))
