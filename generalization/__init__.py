"""Measures of trained networks, and how well they predict generalization.

The public names: ``measure`` and ``compare``, ``check_measure``, and every measure, profile and
similarity of the catalog as a function, ``generalization.jacobian_norm``. Everything else may move.

Pure functions: nothing in this package knows the workflow, its configuration or its results.

An argument is explained once, in the narrowest scope that all its users share: the function, its
module, its folder, or here. An argument named after a table, profile or similarity of the catalog
is that table of the study; ``training``, ``measures`` and ``ensemble_measures`` hold the rows of
``collect_training``, ``collect_measures`` and ``collect_ensemble_measures``.

Args:
    kept: Networks of an ensemble, at every step at which they were kept.
    data: Data that they were trained and tested on.
    networks: A stack of R networks or, where the annotation is ``Networks``, a ``torch.nn.Module``
        that maps inputs to logits and, if hidden layers are needed, can be taken apart by
        ``layer_maps``.
    network: A stack of one.
    inputs: N inputs, in the dtype of the weights.
    labels: Class of each input.
    train_inputs: N training inputs, in the dtype of the weights.
    train_labels: Labels that the networks were trained on, corrupted or not.
    train_samples: Number of training inputs to use, from the first on; all if there are fewer.
    widths: Number of units of the input, of each hidden layer, and of the logits.
    hyperparameters: Hyper-parameters that the networks share.
    pixel_deviations: Pixels per unit of input, for each input.
    pixel_noise_std: Standard deviation σ of the noise, in pixels, which range from 0 to 1.
    generator: Source of randomness.
    draws: Number of noise draws per input.
    reduction: Outputs to differentiate, see ``tangent_sensitivity``.
    ensembles: Ensemble of each network, from 0 to E − 1.
    fitted_accuracy: Train accuracy at or above which a network counts as fitted.
    primary: Statistic by which measures are judged, a setting of the study.
    resampling: Generator, number of resamples and confidence level of the intervals.
    axes: Axes to draw on.
    color: Hyper-parameter shown by color, see ``told_apart``.
    marker: Hyper-parameter shown by marker.
    path: Path of the file.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Import a public name when it is used, so that jobs import only what they need.

    Raises:
        AttributeError: If the name is not public.
    """
    if name in {"compare", "measure"}:
        return getattr(import_module("generalization.own_networks"), name)
    if name == "check_measure":
        return import_module("generalization.audit.check_measure").check_measure
    if name == "__all__":
        return __dir__()
    catalog = None if name.startswith("_") else import_module("generalization.catalog")
    if catalog and name in catalog.FUNCTIONS:
        module, function = catalog.place_of(name).split(":")
        return getattr(import_module(module), function)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}.")


def __dir__() -> list[str]:
    """List the public names."""
    return [
        "check_measure",
        "compare",
        "measure",
        *import_module("generalization.catalog").FUNCTIONS,
    ]
