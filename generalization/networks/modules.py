"""Plain ``torch.nn.Module``s as stacks of one, so that measures accept either."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from generalization.devices import SAMPLES_PER_CHUNK, samples_at_once
from generalization.errors import InputError
from generalization.networks.fully_connected import FullyConnectedNetworks

# The networks of convolutional stacks are passed to measures as modules, one by one.
Networks = FullyConnectedNetworks | nn.Module

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def number_of_networks(networks: Networks) -> int:
    """Return the number of networks; a module is one."""
    return 1 if isinstance(networks, nn.Module) else len(networks)


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[nn.Module]:
    """Put a module into eval mode, and restore the mode of each of its parts afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield module
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def left_as_it_was(module: nn.Module) -> Iterator[nn.Module]:
    """Give parameters, buffers, modes and gradient flags back their values afterwards."""
    named = dict(module.named_parameters()) | dict(module.named_buffers())
    before = {name: (one.detach().clone(), one.requires_grad) for name, one in named.items()}
    try:
        with evaluation_mode(module):
            yield module
    finally:
        with torch.no_grad():
            for name, one in named.items():
                values, needed = before[name]
                if not torch.equal(one, values):
                    one.copy_(values)
                one.requires_grad_(needed)


def refuse_statistics_of_batches(module: nn.Module) -> None:
    """Refuse modules that normalize by the statistics of a batch, which couple its points.

    Raises:
        InputError: If a batch normalization has no running statistics.
    """
    for part in module.modules():
        if isinstance(part, BATCH_NORMS) and part.running_mean is None:
            raise InputError(
                "networks must normalize batches by running statistics, since those of a batch "
                f"couple its points, not by {type(part).__name__} without."
            )


def logits_at(
    module: nn.Module, parameters: Mapping[str, Tensor], inputs: Float[Tensor, "samples *features"]
) -> Float[Tensor, "samples classes"]:
    """Compute the logits of a module with other parameters, which have the names of its own.

    A parameter that the module has at several places is replaced at all of them, each once:
    ``functional_call`` leaves the replacement behind in a layer that the module holds twice.

    Args:
        parameters: Some or all of ``module.named_parameters()``.
    """
    own = dict(module.named_parameters())
    replaced = {id(own[name]): value for name, value in parameters.items()}
    places = {
        f"{prefix}.{name}" if prefix else name: replaced[id(parameter)]
        for prefix, part in module.named_modules()
        for name, parameter in part._parameters.items()
        if id(parameter) in replaced
    }
    return functional_call(module, places, (inputs,), tie_weights=False)


def module_logits(
    module: nn.Module, inputs: Float[Tensor, "samples *features"]
) -> Float[Tensor, "samples classes"]:
    """Compute the logits of a module in its current mode.

    Raises:
        ValueError: If the module does not return one row of logits per input.
    """
    logits = module(inputs)
    if logits.dim() != 2 or len(logits) != len(inputs):
        raise ValueError(
            "networks must map inputs to logits of shape (samples, classes), "
            f"not {tuple(inputs.shape)} to {tuple(logits.shape)}."
        )
    return logits


@torch.no_grad()
def logits_of(
    networks: Networks, inputs: Float[Tensor, "samples *features"]
) -> Float[Tensor, "networks samples classes"]:
    """Compute the logits of every network in eval mode, in chunks of inputs.

    Args:
        networks: A stack, or a module that maps inputs to logits.

    Returns:
        One row of logits per network and input, in the dtype of the weights.
    """
    chunks = inputs.split(samples_at_once(SAMPLES_PER_CHUNK))
    if isinstance(networks, nn.Module):
        with evaluation_mode(networks) as module:
            return torch.cat([module_logits(module, chunk) for chunk in chunks]).unsqueeze(0)
    return torch.cat([networks.logits(chunk) for chunk in chunks], dim=1)
