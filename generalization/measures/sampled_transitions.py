"""Transitions between sampled points, the estimator of Novak et al. 2018."""

from collections.abc import Callable
from copy import deepcopy

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from generalization.devices import SAMPLES_PER_CHUNK, items_at_once, samples_at_once
from generalization.errors import NotFinite, warn_of_method, warn_of_no_value
from generalization.networks.activation_calls import ActivationCalls
from generalization.networks.activation_functions import MODULES_WITH_THRESHOLDS as KNOWN
from generalization.networks.activation_functions import unit_thresholds
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.regions.trajectories import equidistant_points, translation_loops
from generalization.samples import Images

# Masks of the units above a threshold: for each layer, for each of its thresholds.
Codes = list[list[Bool[Tensor, "inputs units"]]]


@reads_networks
def sampled_transitions(
    networks: Networks,
    inputs: Images,
    *,
    grid_points: int = 4096,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "networks samples"]:
    """Number of transitions between sampled points of each image's horizontal-translation loop.

    ``t(x) = Σ_i ‖c(z_i) − c(z_{i+1 mod k})‖₁`` over k equidistant grid points z_i (Novak et al.
    2018, §3, eq. 1): the estimator of ``transitions``, for any activation with thresholds. Two
    crossings of one unit between neighboring points cancel: sampling can miss transitions but never
    invents any. The k points are among the 2k points of a finer grid, which therefore never counts
    fewer. (The paper's 2²⁰ points are so close that float32 rounding may move a unit back and forth
    across its threshold.)

    The units of a module are the inputs of its activation modules (``torch.nn.ReLU``, LeakyReLU,
    PReLU, Tanh, ReLU6, Hardtanh, Hardsigmoid, RReLU, Softshrink) and of the functions of torch that
    do the same.

    Args:
        networks: R networks, or a module from images to logits (R = 1), in eval mode.
        grid_points: Number k of points on each loop; point i is i · width / k translations away.
        dtype: Precision of networks and inputs; the paper's is float32.

    Returns:
        R × N counts, in float64; NaN where the logits are not finite.

    Raises:
        ValueError: If the inputs are not images, if grid_points is less than 2, or if a module
            has no activation modules or one with unknown thresholds.
    """  # noqa: DOC502
    warn_of_method("sampled", f"sampled at {grid_points} points")
    return sampled_transitions_per_layer(
        networks, inputs, grid_points=grid_points, dtype=dtype
    ).sum(dim=-1)


@torch.no_grad()
def sampled_transitions_per_layer(
    networks: Networks,
    inputs: Images,
    *,
    grid_points: int = 4096,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "networks samples hidden_layers"]:
    """Count sampled transitions per hidden layer, or per activation module in order of use.

    Args:
        networks: R networks, or a module (R = 1).
        grid_points: Number of points on each loop.
        dtype: Precision of networks and inputs.

    Returns:
        R × N × hidden layers counts, in float64. Their sum is ``sampled_transitions``.

    Raises:
        ValueError: If grid_points is less than 2.
    """
    # ASSUME: 4,096 points instead of the paper's 2²⁰: they miss 0.1 % of the transitions of
    # networks 784-200×4-10 that fit MNIST, at 1/256 of the cost.
    if grid_points < 2:
        raise ValueError(f"grid_points must be at least 2, not {grid_points!r}.")
    inputs = inputs.to(dtype)
    if isinstance(networks, nn.Module):
        networks = deepcopy(networks).to(dtype).eval()
        coders, numbers = [_coder_of_module(networks)], inputs[0].numel()
    else:
        networks = networks.to(dtype)
        coders, numbers = map(_coder_of_network, networks), max(networks.widths)
    block = items_at_once("activations", numbers, inputs.device)
    if isinstance(networks, nn.Module):
        block = min(block, samples_at_once(SAMPLES_PER_CHUNK))
    block = max(1, block - 1)  # A block has one point more.
    counts = torch.stack([_count(coder, inputs, grid_points, block) for coder in coders])
    return nan_if_diverged(counts, networks, inputs)


@torch.no_grad()
def nan_if_diverged(
    counts: Int[Tensor, "networks samples hidden_layers"], networks: Networks, inputs: Images
) -> Float[Tensor, "networks samples hidden_layers"]:
    """Replace counts by NaN where logits are not finite: NaN units never cross a threshold."""
    finite = logits_of(networks, inputs).isfinite().all(dim=2, keepdim=True)
    warn_of_no_value("logits are not finite", (~finite).flatten(1).any(1).tolist())
    return counts.double().where(finite, torch.nan)


def _count(
    coder: Callable[[Tensor], Codes], inputs: Images, grid_points: int, block: int
) -> Int[Tensor, "samples hidden_layers"]:
    """Count code changes between neighboring points, block by block; blocks share end points."""
    counts = inputs.new_zeros(len(inputs), len(coder(inputs[:1])), dtype=torch.int32)
    images = max(1, block // grid_points)
    for some, count in zip(inputs.split(images), counts.split(images), strict=True):
        loops = translation_loops(some)
        for first in range(0, grid_points, block):
            last = min(first + block, grid_points) + 1
            sampled = equidistant_points(loops, grid_points, first, last)
            for layer, code in enumerate(coder(sampled.flatten(0, 1))):
                count[:, layer] += _changes(code, len(some))
    return counts


def _changes(code: list[Bool[Tensor, "inputs units"]], images: int) -> Int[Tensor, "images"]:
    """Count changes of a layer's code between points, over all units and thresholds."""
    curves = [above.unflatten(0, (images, -1)) for above in code]
    return sum(
        (above[:, 1:] != above[:, :-1]).sum(dim=(1, 2), dtype=torch.int32) for above in curves
    )


def _coder_of_network(network: FullyConnectedNetworks) -> Callable[[Tensor], Codes]:
    """Return the map from inputs to the codes of the hidden units of a stack of one."""
    return lambda inputs: [
        [preactivations.squeeze(0) > threshold for threshold in network.phi.thresholds]
        for preactivations in network.preactivations(inputs)[:-1]
    ]


def _coder_of_module(module: nn.Module) -> Callable[[Tensor], Codes]:
    """Return the map from inputs to the codes of a module.

    Raises:
        ValueError: If it has no activation modules, or one with unknown thresholds.
    """
    codes: Codes = []
    for name, part in module.named_modules():
        known = unit_thresholds(part)
        if not known and type(part).__module__ == nn.ReLU.__module__:
            raise ValueError(
                f"networks must have activation modules of known thresholds ({KNOWN}), "
                f"not {type(part).__name__} at {name!r}."
            )

    def add(preactivations: Tensor, thresholds: tuple[float, ...], name: str) -> None:
        # Before the layer works in place.
        if not thresholds:
            raise ValueError(
                f"networks must have activation functions of known thresholds ({KNOWN}), "
                f"not {name}."
            )
        if preactivations.isnan().any():
            raise NotFinite(
                f"networks must have preactivations that are numbers, not NaN before {name}."
            )
        units = preactivations.flatten(1)
        codes.append([units > threshold for threshold in thresholds])

    def coder(inputs: Tensor) -> Codes:
        codes.clear()
        with ActivationCalls(before=add).of(module):
            module(inputs)
        if not codes:
            raise ValueError(f"networks must have activation modules ({KNOWN}), not none.")
        return codes

    return coder
