"""Plain ``torch.nn.Module``s as stacks of one, so that measures accept either."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from generalization.devices import SAMPLES_PER_CHUNK, samples_at_once
from generalization.errors import InputError
from generalization.networks.bending import leaves
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.recurrent import weights_replaced
from generalization.refusals import with_article

# The networks of convolutional stacks are passed to measures as modules, one by one.
Networks = FullyConnectedNetworks | nn.Module

QUANTIZED = ("torch.ao.nn.quantized.", "torch.ao.nn.intrinsic.quantized.")
SIGMOIDS = {"sigmoid", "hardsigmoid", "expit", "special_expit"}
# Functions that leave probabilities what they are.
ARRANGING = {
    *("alias", "cat", "clamp", "clone", "concat", "concatenate", "contiguous", "double", "flatten"),
    *("float", "getitem", "permute", "reshape", "squeeze", "stack", "to", "transpose", "unbind"),
    *("unflatten", "unsqueeze", "view", "view_as"),
}
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@contextmanager
def outside_of_modes() -> Iterator[None]:
    """Compute as if neither ``torch.inference_mode`` nor ``torch.autocast`` were around."""
    off = partial(torch.autocast, enabled=False)
    with torch.inference_mode(False), off("cpu"), off("cuda"):
        yield


def number_of_networks(networks: Networks) -> int:
    """Return the number of networks; a module is one."""
    return 1 if isinstance(networks, nn.Module) else len(networks)


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[nn.Module]:
    """Put a module into eval mode, and restore the mode of each of its parts afterwards.

    Parts that are compiled in place are evaluated as they are written.

    Raises:
        InputError: If a module has no eval mode.
    """
    modes = [(part, part.training, part._compiled_call_impl) for part in module.modules()]
    try:
        module.eval()
    except NotImplementedError as error:
        raise InputError(
            "networks must have an eval mode, not be exported, as by torch.export."
        ) from error
    for part, _, compiled in modes:
        if compiled is not None:
            part._compiled_call_impl = None
    try:
        yield module
    finally:
        for part, training, compiled in modes:
            part.training = training
            if compiled is not None:
                part._compiled_call_impl = compiled


@contextmanager
def left_as_it_was(module: nn.Module) -> Iterator[nn.Module]:
    """Give parameters, buffers, modes, gradient flags and the random state back afterwards."""
    before = {
        name: (one, one.detach().clone(), one.requires_grad)
        for name, one in module.named_parameters()
    }
    devices = {one.device for one, *_ in before.values() if one.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices), kept_buffers(module), evaluation_mode(module):
            yield module
    finally:
        with torch.no_grad():
            for one, values, needed in before.values():
                _give_back(one, values)
                one.requires_grad_(needed)


@contextmanager
def kept_buffers(module: nn.Module) -> Iterator[None]:
    """Give buffers back their values, also where a forward pass puts another one in their place."""
    before = [
        (part, name, one, one.detach().clone())
        for part in module.modules()
        for name, one in part._buffers.items()
        if one is not None
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for part, name, one, values in before:
                part._buffers[name] = one
                _give_back(one, values)


def _give_back(tensor: Tensor, values: Tensor) -> None:
    """Write the values that a tensor had, if it has others."""
    if not torch.equal(tensor, values):
        tensor.copy_(values)


class Wrapping(nn.Module):
    """Wraps a module for a measure, whose errors speak of what is wrapped."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body


def kind_of(module: nn.Module) -> str:
    """Return the name of the class that the user gave."""
    while isinstance(module, Wrapping):
        module = module.body
    return type(module).__name__


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the module that ``torch.compile`` or data parallelism has wrapped."""
    parallel = nn.DataParallel, nn.parallel.DistributedDataParallel
    while True:
        name = "module" if isinstance(module, parallel) else "_orig_mod"
        known = isinstance(module, parallel) or type(module).__name__ == "OptimizedModule"
        if not known or module._forward_hooks or module._forward_pre_hooks:
            return module
        module = module._modules[name]


def is_of_torch(module: nn.Module) -> bool:
    """Return whether nothing but layers of torch.nn run in the forward pass of a module."""
    return all(
        type(part).__module__.startswith("torch.nn.modules.")
        and not (part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part))
        for part in module.modules()
    )


def owned_tensors(module: nn.Module) -> Iterator[Tensor]:
    """Yield the tensors that a module and its parts hold, in lists or not."""
    for part in module.modules():
        for value in vars(part).values():
            held = value.values() if isinstance(value, dict) else value
            many = held if isinstance(value, dict | list | tuple) else [value]
            yield from (one for one in many if isinstance(one, Tensor))


def refuse_empty(module: nn.Module) -> None:
    """Refuse parameters that have no numbers yet, lazy or on ``meta``, or can have no derivatives.

    Raises:
        InputError: If a parameter or a buffer holds no numbers, or was made in inference mode; if a
            parameter is complex, of integers or sparse, or weights are packed by quantization.
    """
    for part in module.modules():
        if type(part).__module__.startswith(QUANTIZED):
            raise InputError(
                "networks must have weights of floating-point numbers, not quantized ones as those "
                f"of {type(part).__name__}."
            )
    for name, one in module.named_parameters():
        if not is_lazy(one) and not (one.is_floating_point() and one.layout == torch.strided):
            raise InputError(
                "networks must have parameters that are dense and real floating-point numbers, not "
                f"{name!r} of {type(module).__name__}, which is of {one.dtype} and {one.layout}."
            )
    for name, one in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(one) or one.is_meta:
            kind = "lazy" if is_lazy(one) else "on the device meta"
            raise InputError(
                f"networks must have parameters that are initialized, not {name!r} of "
                f"{type(module).__name__}, which is {kind}."
            )
        if one.is_inference():
            raise InputError(
                f"networks must have parameters made outside of torch.inference_mode, not {name!r} "
                f"of {type(module).__name__}."
            )


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


class _Casts(TorchFunctionMode):
    """Notices that functions are called under autocast."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device, self.noticed = device, False

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.noticed |= torch.is_autocast_enabled(self.device)
        return function(*args, **(kwargs or {}))


@torch.no_grad()
def refuse_autocast(module: nn.Module, inputs: Tensor) -> None:
    """Refuse a module that computes in another precision than that of its parameters.

    Args:
        module: The module, in eval mode.
        inputs: One input or more.

    Raises:
        InputError: If it enters ``torch.autocast``.
    """
    if is_of_torch(module):
        return
    with _Casts(inputs.device.type) as casts, suppress(Exception):  # What fails says so itself.
        module(inputs)
    if casts.noticed:
        raise InputError(
            "networks must compute in the precision of their parameters, not in that of "
            f"torch.autocast as {with_article(kind_of(module))} does."
        )


class _Sigmoids(TorchFunctionMode):
    """Marks what sigmoids return, however it is arranged."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "").strip("_")
        given = [one for one in leaves((args, kwargs or {})) if isinstance(one, Tensor)]
        kept = name in ARRANGING and all(hasattr(one, "_is_sigmoid") for one in given)
        found = function(*args, **(kwargs or {}))
        for one in leaves(found):
            if isinstance(one, Tensor):
                vars(one).pop("_is_sigmoid", None)  # Functions may write to what they return.
                if name in SIGMOIDS or (given and kept):
                    one._is_sigmoid = True
        return found


@torch.no_grad()
def last_of_probabilities(module: nn.Module, inputs: Float[Tensor, "samples *features"]) -> str:
    """Return what makes the outputs of a module probabilities: softmax, sigmoid or, empty, nothing.

    Rows that sum to 1 are those of a softmax, of whatever function; sigmoids are seen as calls.

    Args:
        module: Module in eval mode, which gives one row of numbers per input.
    """
    with _Sigmoids():
        found = module(inputs)
    if hasattr(found, "_is_sigmoid"):
        return "sigmoid"
    sums = found.sum(1)
    positive = found.shape[1] > 1 and bool((found >= 0).all())
    return "softmax" if positive and torch.allclose(sums, torch.ones_like(sums)) else ""


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
    with weights_replaced(module, places):
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
