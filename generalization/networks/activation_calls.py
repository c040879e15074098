"""Calls of activation functions inside a module, as modules, functions or methods of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.fx import GraphModule, Node, symbolic_trace
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from generalization.errors import InputError
from generalization.networks.activation_functions import Thresholds, activation_module
from generalization.networks.bending import (
    bends,
    is_feature,
    mark_feature,
    mark_results,
    writes,
)
from generalization.refusals import with_article

RELU = (functional.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)
TANH = (torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_, functional.tanh)
LEAKY = (functional.leaky_relu, functional.leaky_relu_, torch.prelu, functional.rrelu)
SMOOTH = (torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_, functional.gelu)
SMOOTH += (functional.silu, functional.elu, functional.celu, functional.selu, functional.mish)
SMOOTH += (functional.softplus, functional.softsign, functional.logsigmoid, functional.hardswish)
SMOOTH += (functional.threshold, functional.hardshrink, functional.tanhshrink)
SMOOTH += (torch.selu, torch.celu, functional.threshold_, functional.elu_, functional.celu_)
SMOOTH += (functional.selu_,)


def _hardtanh(_: Tensor, min_val: float = -1.0, max_val: float = 1.0, *__: Any) -> Thresholds:
    return (min_val, max_val)


def _softshrink(_: Tensor, lambd: float = 0.5) -> Thresholds:
    return (-lambd, lambd)


# From the arguments of a call to its thresholds; none if they are not known.
THRESHOLDS: dict[Callable[..., Tensor], Callable[..., Thresholds]] = {
    **dict.fromkeys((*RELU, *TANH, *LEAKY), lambda *_, **__: (0.0,)),
    **dict.fromkeys(SMOOTH, lambda *_, **__: ()),
    functional.relu6: lambda *_, **__: (0.0, 6.0),
    functional.hardsigmoid: lambda *_, **__: (-3.0, 3.0),
    functional.hardtanh: lambda *values, inplace=False, **named: _hardtanh(*values, **named),
    functional.hardtanh_: _hardtanh,
    functional.softshrink: _softshrink,
}
# Of these, forms that are not followed, such as those of torch.ops, are refused.
ACTIVATION_NAMES = {function.__name__.strip("_") for function in THRESHOLDS}
BENDING_LAYERS = (nn.GLU, nn.Softmax, nn.Softmin, nn.Softmax2d, nn.LogSoftmax, nn.Bilinear)
BENDING_LAYERS += (nn.RNNBase, nn.RNNCellBase, nn.LPPool1d, nn.LPPool2d)
# Modules that do what functions or methods of these names do in a traced module.
AS_MODULE = {"relu": nn.ReLU, "relu_": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}

# Functions that give activations another shape, in which each may stand several times.
RESHAPED = {"expand", "expand_as", "flatten", "reshape", "reshape_as", "squeeze", "unflatten"}
RESHAPED |= {"unsqueeze", "view", "view_as"}


class ActivationCalls(TorchFunctionMode):
    """Shows all calls of activation functions that are made inside.

    Functions that bend features are refused outside of activation functions: their hidden layers
    would be missing without a word. A gate of whole channels is none of them, if it is what an
    activation function returns and multiplies what another one does: the units of both are seen.

    Args:
        before: Is given preactivations, thresholds, and the name of the function.
        after: Is given activations.
    """

    def __init__(
        self,
        before: Callable[[Tensor, Thresholds, str], None] = lambda *_: None,
        after: Callable[[Tensor], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self.before, self.after = before, after
        self.inside = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        given = (*args, *kwargs.values())
        if not self.inside:
            self._refuse(function, name, given)
        # Applied to weights alone, it makes no hidden layer.
        of_features = not self.inside and any(map(is_feature, given))
        thresholds = THRESHOLDS.get(function) if of_features else None
        if thresholds is None:
            found = function(*args, **kwargs)
        else:
            self.before(args[0], thresholds(*args, **kwargs), name)
            found = function(*args, **kwargs)
            self._show(found)
        if thresholds is None and writes(name) and isinstance(given[0], Tensor):
            given[0]._activations = 0
        if name in RESHAPED or (name == "__getitem__" and found.numel() == given[0].numel()):
            found._activations = _activations(given[0])
        mark_results(name, given, found)
        return found

    def _refuse(self, function: Callable[..., Any], name: str, args: tuple[Any, ...]) -> None:
        """Refuse a function that bends features without an activation function.

        Raises:
            InputError: If it is one.
        """
        is_unknown = function not in THRESHOLDS and name.strip("_") in ACTIVATION_NAMES
        if (bends(name, args, is_feature) and not _is_gate(name, args)) or (
            is_unknown and any(map(is_feature, args))
        ):
            raise InputError(
                "networks must have activation functions of torch.nn or torch.nn.functional, not "
                f"{name} of features, whose hidden layers are not known."
            )

    def _show(self, activations: Tensor) -> None:
        """Show what an activation function returns."""
        activations._activations = activations.numel()
        self.after(activations)

    @contextmanager
    def of(self, module: nn.Module) -> Iterator[None]:
        """Show the calls of a module; an activation module counts once, whatever it calls."""
        hooks = [
            module.register_forward_pre_hook(self._begin),
            module.register_forward_hook(self._refuse_what_is_not_seen),
        ]
        for part in module.modules():
            entry = activation_module(part)
            if entry:
                hooks += [
                    part.register_forward_pre_hook(self._enter),
                    part.register_forward_hook(self._leave),
                ]
        try:
            with self:
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _begin(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        for one in inputs:
            mark_feature(one)

    def _enter(self, module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        self.inside += 1
        if self.inside == 1:
            thresholds = activation_module(module).thresholds(module)
            self.before(arguments[0], thresholds, type(module).__name__)

    def _leave(self, _: nn.Module, __: tuple[Tensor, ...], activations: Tensor) -> None:
        if self.inside == 1:
            self._show(activations)
        self.inside -= 1

    def _refuse_what_is_not_seen(self, module: nn.Module, _: Any, logits: Any) -> None:
        """Refuse modules that compute without functions of torch, such as an autograd.Function.

        Raises:
            InputError: If no function of torch has made the logits of the inputs.
        """
        if isinstance(logits, Tensor) and not is_feature(logits):
            raise InputError(
                "networks must compute their logits by functions of torch from the first to the "
                f"last, not by others as {with_article(type(module).__name__)} does, whose hidden "
                "layers are not known."
            )


def _is_gate(name: str, args: tuple[Any, ...]) -> bool:
    """Return whether a function multiplies activations by activations of whole channels."""
    counts = {_activations(one) for one in args}
    return name.strip("_") in {"mul", "multiply"} and all(counts) and len(counts) == 2


def _activations(value: Any) -> int:
    """Return the number of activations that a tensor holds, each of them once or more often."""
    return getattr(value, "_activations", 0)


class _MaximumCalls(TorchFunctionMode):
    """Notices max-pooling, by modules or functions."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.found |= "max_pool" in getattr(function, "__name__", "")
        return function(*args, **(kwargs or {}))


@torch.no_grad()
def pools_maxima(module: nn.Module, inputs: Float[Tensor, "samples *features"]) -> bool:
    """Return whether a module in eval mode applies max-pooling to inputs."""
    with _MaximumCalls() as calls:
        module(inputs)
    return calls.found


def hides_activations(layer: nn.Module) -> bool:
    """Return whether a layer may apply activation functions inside that are not seen from outside.

    A layer of ``torch.nn`` without parts does not; any other is traced, and if it cannot be, may.
    """
    parts = [part for name, part in layer.named_children() if name != "parametrizations"]
    if activation_module(layer) or (type(layer).__module__.startswith("torch.nn") and not parts):
        return isinstance(layer, BENDING_LAYERS)
    traced = _traced(layer)
    if traced is None:
        return True
    features = _features(traced)
    return any(_is_activation(traced, node, features) for node in traced.graph.nodes)


def as_sequence(module: nn.Module) -> nn.Sequential | None:
    """Return the layers that a module applies one after the other; None if it does anything else.

    The layers are the module's own; functions become layers where they are activation functions
    without settings, or flatten.
    """
    traced = None if _has_hooks_on_containers(module) else _traced(module)
    if traced is None:
        return None
    above, layers = None, []
    for node in traced.graph.nodes:
        if node.op == "output":
            return nn.Sequential(*layers) if node.args == (above,) else None
        if above is not None:
            layer = _layer(traced, node)
            if layer is None or node.all_input_nodes != [above] or len(above.users) != 1:
                return None
            layers.append(layer)
        elif node.op != "placeholder":
            return None
        above = node
    return None


def _traced(module: nn.Module) -> GraphModule | None:
    try:
        return symbolic_trace(module)
    except Exception:  # Whatever a user's code does with a tensor that is none.
        return None


def _has_hooks_on_containers(module: nn.Module) -> bool:
    """Return whether hooks would not run if only the innermost parts did."""
    containers = [part for part in module.modules() if next(part.children(), None) is not None]
    return any(part._forward_hooks or part._forward_pre_hooks for part in containers)


def _is_activation(traced: GraphModule, node: Node, features: set[Node]) -> bool:
    if node.op == "call_module":
        return hides_activations(part := traced.get_submodule(node.target)) or bool(
            activation_module(part)
        )
    if not node.op.startswith("call"):
        return False
    known = getattr(Tensor, node.target, None) if node.op == "call_method" else node.target
    name = node.target if node.op == "call_method" else getattr(known, "__name__", "")
    given = (*node.args, *node.kwargs.values())

    def depends(one: Any) -> bool:
        return isinstance(one, Node) and one in features

    is_named = known in THRESHOLDS or name.strip("_") in ACTIVATION_NAMES
    return bends(name, given, depends) or (is_named and any(map(depends, given)))


def _features(traced: GraphModule) -> set[Node]:
    """Return the nodes of a graph that depend on its inputs."""
    found: set[Node] = set()
    for node in traced.graph.nodes:
        if node.op == "placeholder" or not found.isdisjoint(node.all_input_nodes):
            found.add(node)
    return found


def _layer(traced: GraphModule, node: Any) -> nn.Module | None:
    """Return a layer that does what a node of a graph does; None if it is not known."""
    if node.op == "call_module":
        return traced.get_submodule(node.target)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    settings = (*node.args[1:], *(v for key, v in node.kwargs.items() if key != "inplace"))
    if name == "flatten" and settings == (1,):
        return nn.Flatten()
    if name == "dropout" and node.kwargs.get("training") is False:
        return nn.Identity()
    return AS_MODULE[name]() if name in AS_MODULE and settings in {(), (False,), (True,)} else None
