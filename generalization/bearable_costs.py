"""Settings at which measures of a network that no study has planned take a bearable time.

What is cheap, or has been given the setting, is computed as asked. Otherwise a measure takes fewer
points, probes or steps, by a rule of the architecture and the number of inputs, not of the machine.

Args:
    size: Size of the network and of the call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

from torch import Tensor, nn

from generalization.derivatives.row_counts import ROWS, computed_rows
from generalization.errors import InputError
from generalization.networks.modules import logits_of
from generalization.regions.module_loop_costs import (
    evaluation_work,
    is_module_curvature_followed,
    is_module_followed,
    loop_resolution,
)

MEASURES = "generalization.measures"
# Work is in operations of large products of matrices, this many a second; all that follow are for
# one input.
RATE = 1e11
# ASSUME: loops are followed exactly where this takes 5 s an image, and otherwise sampled at 4,096
# points, or as many fewer as take 1 s; if one point per translation takes longer, of fewer images.
MOST_FOLLOWED_WORK = 5e11
MOST_SAMPLED_WORK = 1e11
# ASSUME: other measures take 0.2 s an input for every repeat, of at least 16 inputs.
MOST_WORK = 2e10
FEWEST_INPUTS = 16
MOST_WORK_ALONE = 1.5e13  # ASSUME: a single input may take 150 s.
# Evaluations per point of a grid, and per point and row of the Jacobian.
ON_LOOPS = {"transitions": (1.5, 0), "sampled_transitions": (1, 0), "curvature": (1.2, 2.4)}


class Size(NamedTuple):
    """Size of a network and of a call.

    Attributes:
        evaluation: Work of the logits of one input.
        parameters: Number of parameters.
        classes: Number of logits.
        features: Numbers of an input.
        inputs: Number of inputs.
    """

    evaluation: float
    parameters: int
    classes: int
    features: int
    inputs: int


class Loop(NamedTuple):
    """How the loops of a measure are followed or sampled.

    Attributes:
        settings: All that are given or chosen.
        work: Work for one image; 0 if it is bearable, or asked for.
    """

    settings: dict[str, Any]
    work: float


class Reduced(NamedTuple):
    """How a costly measure is made bearable.

    Attributes:
        setting: The setting that is reduced; ``inputs`` for the points themselves.
        fewest: The least that it is reduced to; with fewer the measure says nothing.
        work: Work for each of the setting.
        times: How many times as long as others it may take.
    """

    setting: str
    fewest: int
    work: Callable[[Size], float]
    times: int = 1


def _passes(forward: float, parameters: float) -> Callable[[Size], float]:
    """Return the work of evaluations of all inputs and of operations on all parameters."""
    return lambda size: forward * size.inputs * size.evaluation + parameters * size.parameters


def _eigenvalues(size: Size) -> float:
    """Return the work of the Gram matrix of all gradients of logits, and of its eigenvalues."""
    rows = min(TAKEUCHI_SAMPLES, size.inputs) * (size.classes - 1)
    return 20 * rows**3 + 2 * rows * size.evaluation


def _bounds(kind: str) -> list[str]:
    """Return the names of a flatness and of the bounds by it."""
    of = "" if kind == "pac_bayes" else "worst_case_"
    kinds = {f"{kind}_", f"magnitude_aware_{of}"}
    return [f"{one}{rest}" for one in kinds for rest in BOUNDS]


TAKEUCHI_SAMPLES = 50  # By default.
BOUNDS = ("flatness", "from_initialization", "from_origin")
# Fitted to seconds of a residual network of 11 million parameters on 16 images of 3×32×32. A vision
# transformer of 80,000, whose operations are small, takes 1.4 (tangent sensitivity) to 4.1 times
# (noise, a level of which is sought among some 30) as long.
NOISE = Reduced("draws", 1, _passes(30, 12_000))
WORST_CASE = Reduced("ascent_steps", 4, _passes(120, 50_000))
REDUCED = {
    "gaussian_jacobian_norm": Reduced(
        "random_samples", 32, lambda size: (1 + 2 * computed_rows(size.classes)) * size.evaluation
    ),
    "translation_jacobian_norm": Reduced(
        "grid_points",
        8,
        lambda size: size.inputs * (1 + 2 * computed_rows(size.classes)) * size.evaluation,
        times=10,  # Its points stand for one another.
    ),
    "tangent_sensitivity": Reduced(
        "probes", 1, lambda size: size.inputs * (8 * size.evaluation + 1700 * size.parameters)
    ),
    "mean_tangent_sensitivity": Reduced("probes", 1, _passes(20, 1800)),
    "noise_to_signal_slope": Reduced("inputs", 1, lambda size: 3 * size.features * size.evaluation),
    # A sum over samples, of which fewer would be another number: all that it takes, or none.
    "takeuchi_criterion": Reduced(
        "train_samples", TAKEUCHI_SAMPLES, lambda size: _eigenvalues(size) / TAKEUCHI_SAMPLES
    ),
    "adaptive_sharpness": Reduced("ascent_steps", 4, _passes(4, 2600)),
    "local_learning_coefficient": Reduced("chain_steps", 100, _passes(8, 3700)),
    **dict.fromkeys(_bounds("pac_bayes"), NOISE),
    **dict.fromkeys(_bounds("worst_case"), WORST_CASE),
}


def bearable(
    name: str, function: Callable[..., Tensor], module: nn.Module, offered: Mapping[str, Any]
) -> tuple[Callable[..., Tensor], Mapping[str, Any], str]:
    """Return a measure, what it is given, and a note of what was reduced.

    Functions of the user, and settings that are given, are left as they are.

    Args:
        name: Name of a measure.
        function: Measure with its settings.
        module: Network that is measured.
        offered: Arguments by the names that measures give them.

    Raises:
        InputError: If so few as are bearable would say nothing.
    """  # noqa: DOC502
    unchanged = function, offered, ""
    if not is_ours(name, function) or name not in {*ON_LOOPS, *REDUCED}:
        return unchanged
    loop = None
    try:
        size = _size(module, offered["inputs"])
        if name in ON_LOOPS:
            loop = _loop(name, function.keywords, module, offered["inputs"], size)
    except Exception:
        return unchanged  # The measure says what is wrong with the module or with a setting.
    if loop:
        return _on_loops(function, loop, size, offered)
    return _reduced(REDUCED[name], function, size, offered)


def is_ours(name: str, function: Callable[..., Tensor]) -> bool:
    """Return whether a function is the measure of a name, with settings, and none of the user."""
    measure = getattr(function, "func", function)
    place, named = getattr(measure, "__module__", ""), getattr(measure, "__name__", "")
    return place.startswith(f"{MEASURES}.") and named == name


def _size(module: nn.Module, inputs: Tensor) -> Size:
    return Size(
        evaluation=evaluation_work(module, inputs),
        parameters=sum(one.numel() for one in module.parameters()),
        classes=logits_of(module, inputs[:1]).shape[-1],
        features=inputs[0].numel(),
        inputs=len(inputs),
    )


def _loop(
    name: str, given: Mapping[str, Any], module: nn.Module, inputs: Tensor, size: Size
) -> Loop:
    """Choose the settings of a measure on loops; those that are given are kept."""
    alone, per_row = ON_LOOPS[name]
    rows = computed_rows(size.classes, given.get("rows", ROWS))
    work = (alone + per_row * rows) * size.evaluation
    settings = {"grid_points": loop_resolution(work, inputs.shape[-1], MOST_SAMPLED_WORK)}
    is_followed = {
        "transitions": is_module_followed,
        "curvature": partial(is_module_curvature_followed, rows=rows),
    }.get(name)
    if is_followed:
        settings["most_work"] = MOST_FOLLOWED_WORK
    settings |= given
    bearable = "grid_points" in given or (
        is_followed and is_followed(module, inputs, settings["most_work"])
    )
    return Loop(settings, 0.0 if bearable else settings["grid_points"] * work)


def _on_loops(
    function: partial[Tensor], loop: Loop, size: Size, offered: Mapping[str, Any]
) -> tuple[Callable[..., Tensor], Mapping[str, Any], str]:
    function = partial(function, **loop.settings)
    if not loop.work:
        return function, offered, ""
    count = math.floor(MOST_SAMPLED_WORK * max(size.inputs, FEWEST_INPUTS) / loop.work)
    if count:
        return function, *_first_inputs(count, size, offered)
    raise InputError(
        f"grid_points must be given where they are costly, about {loop.work / RATE:.2g} s an image "
        f"at {loop.settings['grid_points']}, not left out."
    )


def _first_inputs(
    count: int, size: Size, offered: Mapping[str, Any]
) -> tuple[Mapping[str, Any], str]:
    """Return arguments with the first inputs only, and a note that says so."""
    if count >= size.inputs:
        return offered, ""
    few = {key: offered[key][:count] for key in ("inputs", "pixel_deviations")}
    return {**offered, **few}, f"at the first {count} of {size.inputs} inputs"


def _reduced(
    how: Reduced, function: partial[Tensor], size: Size, offered: Mapping[str, Any]
) -> tuple[Callable[..., Tensor], Mapping[str, Any], str]:
    most = how.times * MOST_WORK * max(size.inputs, FEWEST_INPUTS)
    count = math.floor(most / how.work(size))
    if how.setting == "inputs":
        if how.work(size) > max(most, MOST_WORK_ALONE):
            raise InputError(
                f"inputs must take at most {MOST_WORK_ALONE / RATE:.2g} s each, not about "
                f"{how.work(size) / RATE:.2g} s, as those of so many features do."
            )
        return function, *_first_inputs(max(how.fewest, count), size, offered)
    default = signature(function).parameters[how.setting].default
    if how.setting in function.keywords or count >= default:
        return function, offered, ""
    if count < how.fewest:
        seconds = how.work(size) / RATE
        raise InputError(
            f"{how.setting} must be given where they are costly, about {seconds:.2g} s each, and "
            f"{default} by default, not left out."
        )
    words = how.setting.replace("_", " ")
    return partial(function, **{how.setting: count}), offered, f"{count} of {default} {words}"
