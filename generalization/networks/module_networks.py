"""Stacks of networks that a function of a user builds, which any code of torch may compute.

Args:
    architecture: Function that builds the networks.
    training: Whether in training mode.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from generalization.errors import InputError
from generalization.networks.coupling import is_coupled
from generalization.networks.differentiability import refuse_foreign_parameters
from generalization.networks.foreign_architecture import ForeignArchitecture
from generalization.networks.modules import (
    last_of_probabilities,
    refuse_autocast,
    refuse_empty,
    refuse_statistics_of_batches,
)
from generalization.networks.recurrent import weights_replaced
from generalization.networks.stacked_networks import TensorStack
from generalization.own_code import resolved
from generalization.refusals import named_refusals

PROBES = 4  # Inputs of the trial runs that tell what a module does.


@dataclass(frozen=True)
class Template:
    """A network of an architecture, through which the tensors of all others are computed.

    Attributes:
        module: The network, whose own parameters and buffers are never used.
        parameters: Names of the trained tensors.
        places: Place in the module → name of the tensor there; tied tensors have several places.
        buffers: Names of the tensors that no gradient trains.
        widths: Numbers of an input, of the output of every part that has no parts, and of logits.
        draws: Whether it draws random numbers in training mode.
        couples: Whether it couples the samples of a batch, or keeps statistics, in training mode.
        apart: Why the networks of a stack cannot be computed together; empty if they can.
    """

    module: nn.Module
    parameters: tuple[str, ...]
    places: Mapping[str, str]
    buffers: tuple[str, ...]
    widths: tuple[int, ...]
    draws: bool
    couples: bool
    apart: str

    def __call__(self, tensors: Mapping[str, Tensor], images: Tensor, *, training: bool) -> Tensor:
        """Compute logits with other tensors, in which statistics of batches are updated.

        Args:
            tensors: Parameters and buffers by name.
            images: Inputs in the shape that the module is built for.
        """
        given = {place: tensors[name] for place, name in self.places.items()}
        self.module.train(training)
        # Tied tensors are replaced at all of their places: functional_call would leave the
        # replacement behind in a layer that the module holds twice.
        with weights_replaced(self.module, given):
            logits = functional_call(self.module, given, (images,), tie_weights=False)
        if training:
            for place, name in self.places.items():
                if name in self.buffers and given[place] is not tensors[name]:
                    tensors[name].copy_(given[place])  # Assigned, not updated in place.
        return logits


def built(architecture: ForeignArchitecture) -> nn.Module:
    """Call the function of a user.

    Raises:
        InputError: If it cannot be imported, refuses its arguments, or builds no module.
    """
    make = resolved(architecture.place, "architecture")
    try:
        module = make(architecture.image, architecture.classes, **architecture.keywords)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"architecture must build {architecture}, but: {reason}.") from error
    if not isinstance(module, nn.Module):
        raise InputError(
            f"{architecture.place} must return a torch.nn.Module, not a {type(module).__name__}."
        )
    return module


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed everything that modules draw from, and leave it as it was.

    Args:
        seed: Seed of torch, of numpy and of Python.
        device: Device on which random numbers are drawn, too.
    """
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = [device] if device is not None and device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002


@cache
def template_of(architecture: ForeignArchitecture) -> Template:
    """Build a network of an architecture, and find out in trial runs what it does.

    Raises:
        InputError: If it does not map images to logits.
    """
    with torch.no_grad(), seeded(0):
        module = built(architecture)
        names = {id(tensor): name for name, tensor in named_tensors(module).items()}
        trained = [name for name, one in module.named_parameters() if one.requires_grad]
        places = {
            f"{prefix}.{name}" if prefix else name: names[id(tensor)]
            for prefix, part in module.named_modules()
            for name, tensor in (*part._parameters.items(), *part._buffers.items())
            if tensor is not None
        }
        if not trained:
            raise InputError(f"{architecture} must have parameters to train, not none.")
        images = torch.randn(PROBES, *architecture.image)
        with named_refusals(str(architecture)):
            _refuse_layers(module.eval(), images)
        given = {
            "module": module,
            "parameters": tuple(trained),
            "places": places,
            "buffers": tuple(name for name in names.values() if name not in trained),
            "widths": (architecture.features, *_widths(architecture, module, images)),
        }
        return Template(
            **given, **_behavior(Template(**given, draws=0, couples=0, apart=""), images)
        )


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by name, each once."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _widths(architecture: ForeignArchitecture, module: nn.Module, images: Tensor) -> list[int]:
    """Return the numbers per sample that come out of the parts of a module, the logits last.

    Raises:
        InputError: If it does not map images to logits, or has no training mode.
    """
    found: list[int] = []

    def count(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            found.append(output.numel() // len(images))

    leaves = [part for part in module.modules() if not next(part.children(), None)]
    hooks = [part.register_forward_hook(count) for part in leaves]
    try:
        logits = module.eval()(images.to(_dtype(module)))
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{architecture} must map images to logits, but: {reason}.") from error
    finally:
        for hook in hooks:
            hook.remove()
    expected = (len(images), architecture.classes)
    if not isinstance(logits, Tensor) or logits.shape != expected:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise InputError(f"{architecture} must return logits of shape {expected}, not {shape}.")
    _refuse_outputs(architecture, module, images.to(logits.dtype))
    return [*found, architecture.classes]


def _refuse_layers(module: nn.Module, images: Tensor) -> None:
    """Refuse layers before training that measures refuse afterwards."""
    refuse_empty(module)
    images = images.to(_dtype(module))
    refuse_statistics_of_batches(module)
    refuse_foreign_parameters(module, images)
    refuse_autocast(module, images)


def _refuse_outputs(architecture: ForeignArchitecture, module: nn.Module, images: Tensor) -> None:
    """Refuse outputs before training that measures refuse afterwards.

    Raises:
        InputError: If outputs are probabilities, or depend on the other images.
    """
    last = last_of_probabilities(module, images)
    if last:
        raise InputError(
            f"{architecture} must return logits, not probabilities: drop the last {last}."
        )
    if is_coupled(module, images):
        raise InputError(
            f"{architecture} must return logits of single images in eval mode, not logits that "
            "change with the other images."
        )


def _dtype(module: nn.Module) -> torch.dtype:
    return next(one.dtype for one in module.parameters())


def _behavior(template: Template, images: Tensor) -> dict[str, Any]:
    """Find out by trial runs in training mode what forbids to compute networks together."""
    own = named_tensors(template.module)
    images = images.to(_dtype(template.module))

    def run(part: Tensor) -> tuple[Tensor, dict[str, Tensor], bool]:
        tensors = {name: one.detach().clone() for name, one in own.items()}
        with seeded(1):
            before = _random_state()
            logits = template(tensors, part, training=True)
            return logits, tensors, _random_state() != before

    logits, after, draws = run(images)
    couples = any(not torch.equal(after[name], own[name]) for name in template.buffers)
    if not draws and not couples:
        halves = torch.cat([run(half)[0] for half in images.split(PROBES // 2)])
        couples = not torch.allclose(logits, halves, rtol=1e-3, atol=1e-5)
    if draws:
        apart = "it draws random numbers"
    elif couples:
        apart = "it computes statistics of batches"
    else:
        apart = _refused_by_vmap(template, images, logits)
    return {"draws": draws, "couples": couples, "apart": apart}


def _random_state() -> tuple[Any, ...]:
    """Return the state of everything that ``seeded`` seeds, on the CPU."""
    numpy = np.random.get_state(legacy=True)  # noqa: NPY002
    return (
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
        numpy[1].tobytes(),
        numpy[2:],
    )


def _refused_by_vmap(template: Template, images: Tensor, logits: Tensor) -> str:
    """Say why networks cannot be computed by one ``vmap``; nothing if they can."""
    own = named_tensors(template.module).items()
    stacked = {name: torch.stack([one, one]).detach() for name, one in own}
    leaves = [stacked[name].requires_grad_() for name in template.parameters]
    try:
        with torch.enable_grad():
            found = together(template, stacked, torch.stack([images, images]), training=True)
            torch.autograd.grad(found.sum(), leaves, allow_unused=True)
    except Exception as error:
        return f"vmap refuses it: {' '.join(str(error).split())[:200].rstrip('.')}"
    same = torch.allclose(found, logits.expand_as(found), rtol=1e-3, atol=1e-4)
    return "" if same else "vmap computes other logits"


def together(
    template: Template,
    tensors: Mapping[str, Tensor],
    images: Tensor,
    *,
    training: bool,
    shared: bool = False,
) -> Float[Tensor, "networks samples classes"]:
    """Compute the logits of all networks of a stack at once.

    Args:
        template: A network of their architecture.
        tensors: Stacked tensors by name.
        images: Inputs of each network.
        shared: Whether all networks have the same inputs, which then have no axis of networks.
    """

    def of_one(own: dict[str, Tensor], seen: Tensor) -> Tensor:
        return template(own, seen, training=training)

    return vmap(of_one, in_dims=(0, None if shared else 0))(dict(tensors), images)


@dataclass(frozen=True)
class ModuleNetworks(TensorStack):
    """Networks that a function of a user builds, with a leading network axis on every tensor.

    Attributes:
        architecture: The function and its arguments.
        tensors: Parameters and buffers by their names in ``torch.nn.Module``.
    """

    architecture: ForeignArchitecture
    tensors: dict[str, Tensor]

    @property
    def template(self) -> Template:
        """A network of the architecture."""
        return template_of(self.architecture)

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """Trained tensors."""
        return tuple(self.tensors[name] for name in self.template.parameters)

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """Trained tensors, of which layers are not known."""
        return self.parameters

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers per sample: input, whatever parts of the module return, logits."""
        return self.template.widths

    @property
    def needs_whole_batches(self) -> bool:
        """Whether a batch cannot be processed in parts."""
        return self.template.couples or self.template.draws

    def __len__(self) -> int:
        return len(self.parameters[0])

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> ModuleNetworks:
        """Return a stack of the same architecture with other ``tensors``."""
        return replace(self, tensors=dict(tensors))

    def folded(self) -> ModuleNetworks:
        """Return the stack: nothing is known of its normalizations."""
        return self

    def images(self, inputs: Float[Tensor, "*axes"], axes: int) -> Tensor:
        """Return inputs with all axes but the first ones in the shape of an image."""
        return inputs.reshape(*inputs.shape[:axes], *self.architecture.image).to(
            self.parameters[0].dtype
        )

    def of_one(self, position: int) -> dict[str, Tensor]:
        """Return views of the tensors of one network."""
        return {name: tensor[position] for name, tensor in self.tensors.items()}

    def are_computed_together(self) -> bool:
        """Whether one call computes all networks; see ``reason_apart``."""
        return len(self) > 1 and not reason_apart(self.architecture, self.parameters[0].device)

    @torch.no_grad()
    def logits(
        self, inputs: Float[Tensor, "samples *features"]
    ) -> Float[Tensor, "networks samples classes"]:
        """Compute the logits of every network in eval mode."""
        images, template = self.images(inputs, 1), self.template
        if self.are_computed_together():
            return together(template, self.tensors, images, training=False, shared=True)
        members = range(len(self))
        return torch.stack([template(self.of_one(i), images, training=False) for i in members])

    def modules(self) -> list[nn.Module]:
        """Return every network as a module in eval mode that shares no memory with the stack."""
        return [self._module(self.of_one(position)) for position in range(len(self))]

    @torch.no_grad()
    def _module(self, tensors: Mapping[str, Tensor]) -> nn.Module:
        device = self.parameters[0].device
        module = deepcopy(self.template.module).to(device=device, dtype=self.parameters[0].dtype)
        for name, own in named_tensors(module).items():
            own.copy_(tensors[name])
        return module.eval()


def reason_apart(architecture: ForeignArchitecture, device: torch.device) -> str:
    """Say why networks of a stack are computed one after the other; nothing if together."""
    template = template_of(architecture)
    if template.apart:
        return template.apart
    parts = template.module.modules()
    if device.type == "cpu" and any(isinstance(one, nn.modules.conv._ConvNd) for one in parts):
        return "it has convolutions, which are slower together on a CPU"
    return ""


def initialize_modules(architecture: ForeignArchitecture, seeds: Sequence[int]) -> ModuleNetworks:
    """Build networks as their module initializes them, each under its own seed of 63 bits.

    Raises:
        InputError: If the layers depend on the seed.
    """
    states = []
    template = template_of(architecture)
    for seed in seeds:
        with torch.no_grad(), seeded(seed):
            states.append(named_tensors(built(architecture)))
        if states[-1].keys() != set(template.places.values()):
            raise InputError(f"{architecture} must build the same layers for every seed.")
    return ModuleNetworks(
        architecture,
        {name: torch.stack([state[name].detach() for state in states]) for name in states[0]},
    )


def check_shapes(architecture: ForeignArchitecture, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse tensors of a file that the architecture does not have.

    Args:
        architecture: As the file describes it.
        shapes: Name of a tensor → its shape in one network.

    Raises:
        ValueError: If a name or a shape differs.
    """
    known = named_tensors(template_of(architecture).module)
    own = {name: tuple(one.shape) for name, one in known.items()}
    for name in sorted(own.keys() | shapes):
        if own.get(name) != shapes.get(name):
            raise ValueError(
                f"{name} must have the shape {own.get(name)} that {architecture} gives it, not "
                f"{shapes.get(name)}"
            )
