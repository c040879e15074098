"""How measures and profiles read what they are given: the only door for a user's module.

A module is read in eval mode, in one precision of at least 32 bits, with attention by kernels that
have all derivatives. It is not changed: where another precision is needed, a copy is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import wraps
from inspect import BoundArguments, Parameter, signature
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.overrides import TorchFunctionMode

from generalization.errors import Approximated, InputError, NotFinite
from generalization.given_data import usable
from generalization.networks.coupling import (
    as_many_as_compared,
    differ,
    is_coupled,
    some_points,
)
from generalization.networks.differentiability import (
    ComingBack,
    Read,
    reading,
    refusal,
    refuse_foreign_parameters,
    refuse_held_parameters,
)
from generalization.networks.folding import folded_module
from generalization.networks.integer_inputs import with_real_inputs
from generalization.networks.modules import (
    Wrapping,
    evaluation_mode,
    kept_buffers,
    kind_of,
    last_of_probabilities,
    logits_of,
    outside_of_modes,
    refuse_autocast,
    refuse_empty,
    refuse_statistics_of_batches,
    unwrapped,
)
from generalization.networks.recurrent import STEP_BY_STEP
from generalization.networks.sharing import once
from generalization.networks.stacked_networks import StackedNetworks
from generalization.refusals import named_refusals, with_article

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

NETWORKS = ("networks", "trained_networks", "initial_networks")
INPUTS = ("inputs", "train_inputs")
LABELS = ("labels", "train_labels")
PRECISE = (torch.float32, torch.float64)
# Normalizations of the former kind.
HOOKS = {WeightNorm: remove_weight_norm, SpectralNorm: remove_spectral_norm}


class LogitsOf(Wrapping):
    """A module that gives an object, of which its ``logits`` are read."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits."""
        return self.body(inputs).logits


def reads_networks(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Give a measure or a profile networks that it can read, or refuse them.

    Stacks get their normalizations folded into the weights where the argument is ``networks``. A
    module has the weights that it computes with, whatever they are made of. Its outputs are checked
    at a few inputs: logits of shape (samples, classes) that do not depend on other inputs and are
    no probabilities; at all that the function reads, they must be finite. Where it differentiates
    them, see ``needs_derivatives``.

    Args:
        function: A function with an argument ``networks`` or ``trained_networks``.
    """
    return _reader(function, _as_it_is)


def reads_parameters(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Give a measure networks as ``reads_networks`` does, modules with what their weights are of.

    Lengths of weights are left out, which would count twice beside the weights themselves.

    Args:
        function: A function of the parameters that training moves.
    """
    return _reader(function, _as_it_is, _WeightNorm)


def reads_weights(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Give a measure networks as ``reads_networks`` does, modules with their normalizations folded.

    That a normalization cannot be folded is warned of as ``Approximated``.

    Args:
        function: A function of the weights of ``networks``, whose normalizations count as weights.
    """
    return _reader(function, _folded)


def _reader(
    function: Callable[Parameters, Result],
    prepared: Callable[[nn.Module, Any], nn.Module],
    kind: type[nn.Module] = ParametrizationList,
) -> Callable[Parameters, Result]:
    """Wrap a function.

    Args:
        function: The function to wrap.
        prepared: Function from a module and some inputs, or None, to the module whose weights are
            read; it is applied to ``networks`` and ``initial_networks``.
        kind: Parametrizations that are replaced by the weights they make.
    """
    named = signature(function)

    @wraps(function)
    def read(*arguments: Parameters.args, **settings: Parameters.kwargs) -> Result:
        bound = named.bind(*arguments, **settings)
        given = bound.arguments
        # As of modules: distances from initialization are of weights that are folded alike.
        for one in ("networks", "initial_networks") if prepared is _folded else ("networks",):
            if isinstance(given.get(one), StackedNetworks):
                given[one] = given[one].folded()
        modules = [one for one in NETWORKS if isinstance(given.get(one), nn.Module)]
        if not modules:
            return function(*bound.args, **bound.kwargs)
        with named_refusals(function.__name__) as name:
            return read_modules(name, modules, bound)

    def read_modules(name: str, modules: list[str], bound: BoundArguments) -> Result:
        given = bound.arguments
        for one in modules:
            given[one] = unwrapped(given[one])
            refuse_empty(given[one])
            if not _points(given, named.parameters):
                refuse_held_parameters(given[one])
        _prepare(given, modules)
        with kernels_with_all_derivatives(), _evaluated([given[one] for one in modules]):
            read = []
            for one in modules:
                module, by_arrays = _readable(name, given[one], given, named.parameters)
                if _is_made(module, kind):
                    module = once(_without_parametrizations, module, kind)
                inputs = next((given[i] for i in INPUTS if i in given), None)
                if one != "initial_networks":
                    read.append(Read(module, inputs, by_arrays))
                given[one] = prepared(module, inputs) if "networks" in given else module
            modules_read = [given[one] for one in modules]
            with (
                _functions_with_all_derivatives(modules_read),
                as_many_as_compared(modules_read, _points(given, named.parameters)),
                reading(read),
            ):
                try:
                    return function(*bound.args, **bound.kwargs)
                except Exception as error:
                    sentence = refusal(name, modules_read, error)
                    if sentence:
                        raise InputError(sentence) from error
                    raise

    return read


def _prepare(given: dict[str, Any], modules: Sequence[str]) -> None:
    """Replace data that torch cannot differentiate, and modules that take integers."""
    for one in (*INPUTS, *LABELS):
        if isinstance(given.get(one), Tensor):
            with outside_of_modes():
                given[one] = usable(one, given[one])
    for one in INPUTS:
        if isinstance(given.get(one), Tensor):
            read, given[one] = with_real_inputs([given[name] for name in modules], given[one])
            given.update(zip(modules, read, strict=True))


def _as_it_is(module: nn.Module, inputs: Any) -> nn.Module:
    return module


def _folded(module: nn.Module, inputs: Any) -> nn.Module:
    """Fold the normalizations of a module, and warn of those that remain."""
    folded, left = once(folded_module, module)
    if folded is not module and isinstance(inputs, Tensor) and len(inputs):
        with torch.no_grad():
            logits, own = folded(inputs[:2]), module(inputs[:2])
        if differ(own, logits):
            kind = with_article(type(module).__name__)
            folded, left = module, f"batch normalizations of {kind} are unknown"
    if left:
        warnings.warn(Approximated(left, (True,)), stacklevel=5)
    return folded


def reads_stacks(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Give a measure or a profile a stack of networks, or refuse the module that it is given.

    Args:
        function: One that reads layers of a stack.
    """
    named = signature(function)

    @wraps(function)
    def read(*arguments: Parameters.args, **settings: Parameters.kwargs) -> Result:
        bound = named.bind(*arguments, **settings)
        for one in NETWORKS:
            if isinstance(bound.arguments.get(one), nn.Module):
                raise InputError(
                    f"{function.__name__} needs a stack of networks, which it reads layer by "
                    f"layer, not {with_article(type(bound.arguments[one]).__name__)}."
                )
        if isinstance(bound.arguments.get("networks"), StackedNetworks):
            bound.arguments["networks"] = bound.arguments["networks"].folded()
        return function(*bound.args, **bound.kwargs)

    return read


@contextmanager
def kernels_with_all_derivatives() -> Iterator[None]:
    """Compute attention by products: fused kernels lack second derivatives and batching rules.

    Modes that leave out derivatives or digits are left.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with outside_of_modes(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class _WithAllDerivatives(TorchFunctionMode):
    """Compute functions that torch cannot batch or differentiate twice by others that it can."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return REPLACED.get(function, function)(*args, **(kwargs or {}))


def _hardsigmoid(values: Tensor, inplace: bool = False) -> Tensor:
    return functional.relu6(values + 3) / 6


def _prelu(values: Tensor, weight: Tensor) -> Tensor:
    if weight.numel() > 1:
        weight = weight.view(-1, *[1] * (values.dim() - 2))
    return torch.where(values > 0, values, weight * values)


def _rrelu(
    values: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """In eval mode: the slope is the mean."""
    return functional.leaky_relu(values, (lower + upper) / 2)


def _weight_norm(direction: Tensor, length: Tensor, dim: int = 0) -> Tensor:
    others = [axis for axis in range(direction.dim()) if axis != dim % direction.dim()]
    norms = torch.linalg.vector_norm(direction, dim=others, keepdim=True)
    return direction * (length / norms)


REPLACED = {
    **STEP_BY_STEP,
    functional.hardsigmoid: _hardsigmoid,
    torch.prelu: _prelu,
    functional.rrelu: _rrelu,
    torch._weight_norm: _weight_norm,
}


@contextmanager
def _functions_with_all_derivatives(modules: list[nn.Module]) -> Iterator[None]:
    """Enter ``_WithAllDerivatives`` where modules may need it."""
    needing = (nn.Hardsigmoid, nn.PReLU, nn.RReLU, nn.RNNBase, nn.RNNCellBase)
    parts = [part for module in modules for part in module.modules()]
    foreign = (not type(part).__module__.startswith("torch.nn.modules") for part in parts)
    # A hook may compute weights from others.
    needs = any(isinstance(part, needing) or part._forward_pre_hooks for part in parts)
    if any(foreign) or needs:
        with _WithAllDerivatives():
            yield
    else:
        yield


def _is_made(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Return whether weights of a module, or of a part, are made of others by parametrizations."""
    parts = list(module.modules())
    return any(isinstance(part, kind) for part in parts) or any(map(_made_by_hooks, parts))


def _made_by_hooks(part: nn.Module) -> list[tuple[str, Callable[[nn.Module, str], nn.Module]]]:
    """Return the names of weights that hooks make before every forward pass, and what ends it."""
    found = []
    for hook in part._forward_pre_hooks.values():
        if isinstance(hook, prune.BasePruningMethod):
            found.append((hook._tensor_name, prune.remove))
        for kind, remove in HOOKS.items():
            if isinstance(hook, kind):
                found.append((hook.name, remove))
    return found


def _without_parametrizations(module: nn.Module, kind: type[nn.Module]) -> nn.Module:
    """Return a copy whose weights are what the parametrizations make of their parameters.

    Args:
        kind: ``ParametrizationList`` for all of them, or the one by which others are left.
    """
    for part in module.modules():
        for name, _ in _made_by_hooks(part):  # What they made last may have a graph: no copies.
            setattr(part, name, getattr(part, name).detach())
    module = deepcopy(module)
    for part in list(module.modules()):
        for name, remove in _made_by_hooks(part):
            remove(part, name)
        if not is_parametrized(part) or not any(isinstance(one, kind) for one in part.modules()):
            continue
        made = {
            name: getattr(part, name).detach().clone(memory_format=torch.contiguous_format)
            for name in part.parametrizations
        }
        del part.parametrizations
        # ``remove_parametrizations`` would change the class, which the module shares with its copy.
        part.__class__ = type(part).__base__
        for name, value in made.items():
            part.register_parameter(name, nn.Parameter(value))
    return module


@contextmanager
def _evaluated(modules: list[nn.Module]) -> Iterator[None]:
    """Put modules into eval mode for the time."""
    if not modules:
        yield
        return
    with evaluation_mode(modules[0]), kept_buffers(modules[0]), _evaluated(modules[1:]):
        yield


def _readable(
    name: str, module: nn.Module, given: dict[str, Any], parameters: Mapping[str, Parameter]
) -> tuple[nn.Module, bool]:
    """Return a module, or a copy, that can be read; convert inputs to its precision.

    Args:
        name: Name of the measure, for error messages.
        module: In eval mode.
        given: All arguments of the measure; floating-point inputs are replaced.
        parameters: All that it takes: ``dtype`` is that of the module if it is double.

    Returns:
        The module, and whether arrays compute a part of it, which torch cannot differentiate.
    """
    module, dtype = once(in_one_precision, module)
    for one in INPUTS:
        if isinstance(given.get(one), Tensor) and given[one].is_floating_point() and dtype:
            given[one] = given[one].to(dtype)
    if dtype == torch.float64 and "dtype" in parameters:
        given.setdefault("dtype", dtype)
    points = _points(given, parameters)
    if not points:
        return module, False
    inputs = max(points, key=len)
    refuse_statistics_of_batches(module)
    before = [(name, one, _changes(one)) for name, one in module.named_buffers()]
    first = inputs[:1].detach().clone().requires_grad_(inputs.is_floating_point())
    with _evaluated_at(name, module, first):
        output, by_arrays = _first_output(module, first)
    _refuse_changes(module, before)
    once(refuse_foreign_parameters, module, inputs[:1])
    once(refuse_autocast, module, inputs[:1])
    if hasattr(output, "logits"):
        module, output = once(LogitsOf, module), output.logits
    with torch.no_grad():
        _check_logits(name, module, inputs, any(one in given for one in LABELS))
        _check_labels(name, output.shape[-1], given)
        for one in points:
            _check_finite(name, module, one)
    return module, by_arrays


def _points(given: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> list[Tensor]:
    """Return the inputs that a measure reads, of training inputs the first ones, unless none."""
    count = None
    if "train_samples" in parameters:
        count = given.get("train_samples", parameters["train_samples"].default)
    read = {"inputs": None, "train_inputs": count}
    points = [given[one][:most] for one, most in read.items() if isinstance(given.get(one), Tensor)]
    return [one for one in points if len(one)]


def _first_output(module: nn.Module, inputs: Tensor) -> tuple[Any, bool]:
    """Compute what a module gives, and tell whether arrays compute a part of it.

    Raises:
        RuntimeError: If torch cannot compute it.
    """
    try:
        with torch.enable_grad(), ComingBack(module, inputs) as arrays:
            output = module(inputs)
        return output, arrays.noticed
    except RuntimeError as error:
        if "Can't call numpy()" not in str(error):
            raise
    with torch.no_grad():
        return module(inputs.detach()), True


@contextmanager
def _evaluated_at(name: str, module: nn.Module, inputs: Tensor) -> Iterator[None]:
    """Say of which module, at which inputs, an evaluation within fails.

    Raises:
        InputError: If it does.
        MemoryError: If there is too little memory.
        OutOfMemoryError: If a GPU has too little memory.
    """
    try:
        yield
    except (InputError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        said = str(error).strip().split("\n")[0].rstrip(".")
        raise InputError(
            f"{name} needs networks that map a batch of inputs to logits, not "
            f"{with_article(kind_of(module))}, which fails at inputs of shape "
            f"{tuple(inputs.shape)} ({said})."
        ) from error


def _changes(tensor: Tensor) -> int:
    """Return how often a tensor was written to; those of inference mode do not count it."""
    return 0 if tensor.is_inference() else tensor._version


def _refuse_changes(module: nn.Module, before: list[tuple[str, Tensor, int]]) -> None:
    """Refuse modules that change their buffers, since no two evaluations of them are the same.

    Raises:
        InputError: If a buffer is another one, or was written to.
    """
    after = dict(module.named_buffers())
    for name, one, version in before:
        if after.get(name) is not one or _changes(one) != version:
            raise InputError(
                f"networks must leave their buffers as they are in eval mode, not change {name} "
                f"as {with_article(type(module).__name__)} does."
            )


def _check_labels(name: str, classes: int, given: dict[str, Any]) -> None:
    """Refuse labels without a logit.

    Raises:
        InputError: If one is negative or not less than the number of classes.
    """
    for one in LABELS:
        if isinstance(given.get(one), Tensor) and given[one].numel():
            low, high = given[one].min().item(), given[one].max().item()
            if low < 0 or high >= classes:
                raise InputError(
                    f"{name} needs labels from 0 to {classes - 1}, one for each logit, not from "
                    f"{low} to {high}."
                )


def in_one_precision(module: nn.Module) -> tuple[nn.Module, torch.dtype | None]:
    """Return a module with parameters and buffers of one precise type, and this type."""
    tensors = (*module.parameters(), *module.buffers())
    dtypes = {one.dtype for one in tensors if one.is_floating_point()}
    if not dtypes:
        return module, None
    wanted = torch.float64 if torch.float64 in dtypes else torch.float32
    return (module if dtypes == {wanted} else deepcopy(module).to(wanted)), wanted


def _check_logits(name: str, module: nn.Module, inputs: Tensor, labelled: bool) -> None:
    """Refuse outputs that are not logits of single inputs.

    Raises:
        InputError: If they have another shape, depend on other inputs, or are probabilities.
    """
    two = inputs[:2]
    with _evaluated_at(name, module, two):
        logits = module(two)
    if not isinstance(logits, Tensor):
        raise InputError(
            f"{name} needs networks that return logits, not {with_article(type(logits).__name__)}."
        )
    if logits.dim() != 2 or len(logits) != len(two):
        raise InputError(
            f"{name} needs networks that map inputs to logits of shape (samples, classes), "
            f"not {tuple(two.shape)} to {tuple(logits.shape)}."
        )
    if labelled and logits.shape[1] == 1:
        raise InputError(f"{name} needs networks with one logit per class, not with one logit.")
    with _evaluated_at(name, module, some_points(module, inputs)):
        coupled = once(is_coupled, module, inputs)
    if coupled:
        raise InputError(
            f"{name} needs networks whose logits are those of single inputs in eval mode, not of "
            f"{with_article(type(module).__name__)} whose logits change with the other inputs."
        )
    last = last_of_probabilities(module, two)
    if last:
        raise InputError(
            f"{name} needs networks that return logits, not probabilities: drop the last {last}."
        )


def _check_finite(name: str, module: nn.Module, inputs: Tensor) -> None:
    """Refuse networks that have no logits at some inputs.

    Raises:
        NotFinite: If some are NaN or infinite.
    """
    with _evaluated_at(name, module, inputs):
        lost = once(_not_finite, module, inputs)
    if lost:
        raise NotFinite(
            f"{name} needs networks with finite logits, not {with_article(kind_of(module))}, whose "
            f"logits are not finite at {lost} of {len(inputs)} inputs."
        )


def _not_finite(module: nn.Module, inputs: Tensor) -> int:
    """Return at how many inputs logits are not finite."""
    return int((~logits_of(module, inputs)[0].isfinite().all(1)).sum())
