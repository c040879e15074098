"""Calls of everything in the catalog on one small case, to count what it costs and what changes it.

Args:
    name: Function of the catalog.
    case: Networks and points.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from inspect import signature
from typing import Any

import pandas as pd
import torch
from examples import QUICK
from torch import Tensor

from generalization.audit.cases import Case, small_case
from generalization.audit.pairs_of_networks import mean_over_others
from generalization.catalog import ENSEMBLE_MEASURES, PROFILES, SIMILARITIES, place_of
from generalization.networks.hidden_layers import hidden_activations
from generalization.signatures import imported, named_by
from generalization.units.cloud_spectra import cloud_images, noisy_copies

CLOUDS = {"images_per_class": 1, "noise_stds": (0.1,), "copies": 4}


@cache
def of_small_networks() -> Case:
    """Return a random and a trained network, and their points."""
    return small_case(networks=1)


def function_of(name: str) -> Callable[..., Any]:
    """Return a function that asks for what a case offers; a measure of pairs is their mean."""
    function = imported(place_of(name))
    if name in ENSEMBLE_MEASURES:
        return mean_over_others(function)
    if name not in PROFILES:
        return function
    # Fewer points and draws than by default.
    names = signature(function).parameters
    quick = {key: value for key, value in QUICK.items() if key in names}
    return partial(function, **(CLOUDS if name == "noise_clouds" else quick))


def offered(case: Case, seed: int = 0) -> dict[str, Any]:
    """Return all that a measure, a profile or a similarity may name.

    Args:
        seed: Seed of random numbers.
    """
    members = pd.DataFrame({"seed": range(len(case)), "step": 0, "final": True})
    return {
        **case.offered(seed),
        "members": members,
        "recorded": partial(_recorded, case, torch.Generator().manual_seed(seed)),
    }


def layers(case: Case) -> dict[str, Tensor]:
    """Return the last hidden layers of the first and the last network, as a similarity has them."""
    last = hidden_activations(case.networks, case.train_inputs)[-1]
    return {"a": last[0], "b": last[-1]}


def call(name: str, case: Case, seed: int = 0) -> Any:
    """Call a function of the catalog.

    Args:
        seed: Seed of random numbers.
    """
    function = function_of(name)
    return function(**(layers(case) if name in SIMILARITIES else _named(function, case, seed)))


def _named(function: Callable[..., Any], case: Case, seed: int) -> dict[str, Any]:
    given = named_by(function, offered(case, seed))
    keywords = function.keywords if isinstance(function, partial) else {}
    return {key: value for key, value in given.items() if key not in keywords}


def _recorded(case: Case, generator: torch.Generator, some: slice) -> tuple[Tensor, list[Tensor]]:
    """Return noisy copies of images and their activations, as a record of a study has them."""
    points = case.train_inputs, case.train_labels, case.inputs, case.labels
    images, _ = cloud_images(*points, CLOUDS["images_per_class"])
    state = generator.get_state()
    copies = noisy_copies(images, generator, CLOUDS["noise_stds"], CLOUDS["copies"])
    generator.set_state(state)  # Every slice is of the same copies.
    chosen = copies.flatten(0, 2)[some]
    return chosen, hidden_activations(case.networks, chosen)
