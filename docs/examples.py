"""Examples of all functions of the catalog, made from their signatures; each runs in milliseconds.

Args:
    name: Function of the catalog.
"""

from __future__ import annotations

from inspect import Parameter, signature

from generalization.catalog import ENSEMBLE_MEASURES, MEASURES, PROFILES, SIMILARITIES, place_of
from generalization.signatures import imported

MODULE = """\
layers = torch.nn.Linear(16, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
network = torch.nn.Sequential(torch.nn.Flatten(), *layers)"""
# Spectra are fitted to layers with 50 singular values or more.
WIDE_MODULE = MODULE.replace("16, 8", "64, 60").replace("8, 3", "60, 3")
STACK = """\
generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
networks = initialize_fully_connected((16, 8, 8, 3), "relu", generators)"""
# Argument → how an example makes it. A module is called `network`, a stack `networks`.
MADE = {
    "inputs": "inputs = torch.randn(12, 1, 4, 4)",
    "labels": "labels = torch.arange(12) % 3",
    "train_inputs": "train_inputs = torch.randn(12, 1, 4, 4)",
    "train_labels": "train_labels = {classes}",
    "initial_networks": "initial = copy.deepcopy({networks})",
    "pixel_deviations": "pixel_deviations = torch.ones(12, dtype=torch.float64)",
    "generator": "generator = torch.Generator().manual_seed(0)",
    "shared_generator": "generator = torch.Generator().manual_seed(0)",
    "members": 'members = pd.DataFrame({{"seed": [1, 2], "step": 0, "final": True}})',
    "logits_a": "logits_a = torch.randn(2, 12, 3)",
    "logits_b": "logits_b = torch.randn(2, 12, 3)",
    "train_accuracy_a": "train_accuracy_a = torch.tensor([1.0, 0.9], dtype=torch.float64)",
    "train_accuracy_b": "train_accuracy_b = torch.tensor([0.8, 0.9], dtype=torch.float64)",
    "features_a": "features_a = torch.randn(2, 12, 5)",
    "features_b": "features_b = torch.randn(2, 12, 5)",
    "a": "a = torch.randn(100, 5)",
    "b": "b = a[:, :3] + torch.randn(100, 3)",
    "recorded": """\
copies = noisy_copies(torch.cat([train_inputs[:3], inputs[:3]]), generator, (0.1,), 4).flatten(0, 2)
recorded = lambda some: (copies[some], hidden_activations(networks, copies[some]))""",
    "evaluated_steps": "steps = torch.tensor([[0.0, 1, 2, 4, 8]], dtype=torch.float64)",
    "evaluated_losses": "losses = torch.tensor([[2.3, 1, 0.3, 0.05, 0.005]], dtype=torch.float64)",
    "hyperparameters": 'hyperparameters = Hyperparameters(dataset="digits")',
}
CALLED = {
    "initial_networks": "initial",
    "shared_generator": "generator",
    "evaluated_steps": "steps",
    "evaluated_losses": "losses",
}
# Where an entry of `MADE` comes from.
IMPORTS = {
    "initialize_fully_connected": "generalization.networks.fully_connected",
    "Hyperparameters": "generalization.hyperparameters",
    "noisy_copies": "generalization.units.cloud_spectra",
    "hidden_activations": "generalization.networks.hidden_layers",
}
# Fewer points and draws than by default: the networks are small.
QUICK = {
    "grid_points": 16,
    "probes": 4,
    "random_samples": 20,
    "draws": 2,
    "steps": 4,
    "samples": 8,
    "orders": 2,
}
QUICK_OF = {
    "noise_clouds": {"images_per_class": 1, "noise_stds": (0.1,), "copies": 4},
}


def example_of(name: str) -> str:
    """Return an example as a program that ends with the expression to look at."""
    parameters = signature(imported(place_of(name))).parameters
    drawn = {"generator"} if name == "mean_tangent_sensitivity" else set()
    needed = [
        one for one, it in parameters.items() if it.default is Parameter.empty or one in drawn
    ]
    stacked = reads_stacks(name)
    networks = "networks" if stacked else "network"
    module = WIDE_MODULE if name in MEASURES and MEASURES[name].file == "spectra" else MODULE
    made = [STACK if stacked else module] if set(needed) & NETWORKS else []
    classes = "torch.arange(12) % 3" if stacked else "network(train_inputs).argmax(1)"
    if "train_labels" in needed and "train_inputs" not in needed:
        made.append(MADE["train_inputs"])
    made += [
        MADE[one].format(networks=networks, classes=classes)
        for one in needed
        if one not in NETWORKS
    ]
    called = dict.fromkeys(NETWORKS, networks) | CALLED
    chosen = {key: value for key, value in QUICK.items() if key in parameters}
    chosen |= QUICK_OF.get(name, {})
    given = [
        f"{one}={called.get(one, one)}"
        if parameters[one].kind is Parameter.KEYWORD_ONLY or one in drawn
        else called.get(one, one)
        for one in needed
    ]
    given += [f"{key}={value}" for key, value in chosen.items()]
    made.append(f"found = g.{name}({', '.join(given)})")
    last = {**dict.fromkeys(SIMILARITIES, "found.value"), **dict.fromkeys(PROFILES, "found.head()")}
    shown = last.get(name, "found")
    return "\n".join([*_imports("\n".join(made)), "", "torch.manual_seed(0)", *_once(made), shown])


NETWORKS = {"networks", "trained_networks"}


def reads_stacks(name: str) -> bool:
    """Return whether an example needs a stack of networks of a study instead of a module."""
    entry = {**MEASURES, **PROFILES}.get(name)
    return name in PROFILES or (
        name not in SIMILARITIES
        and name not in ENSEMBLE_MEASURES
        and (entry.fully_connected_only or entry.drawn_alone)
    )


def _once(lines: list[str]) -> list[str]:
    """Return lines without repetitions, those that others need first."""
    order = {"copies": 1, "found": 2}
    return sorted(dict.fromkeys(lines), key=lambda line: order.get(line.split(" ")[0], 0))


def _imports(made: str) -> list[str]:
    """Return the imports that lines need."""
    standard = [f"import {one}" for one in ("copy",) if f"{one}." in made]
    pandas = ["import pandas as pd"] if "pd." in made else []
    own = [f"from {place} import {one}" for one, place in IMPORTS.items() if f"{one}(" in made]
    return [*standard, *pandas, "import torch", "", "import generalization as g", *sorted(own)]


def result_of(program: str) -> object:
    """Run an example and return the value of its last line."""
    *lines, last = program.split("\n")
    names: dict[str, object] = {}
    exec("\n".join(lines), names)
    return eval(last, names)
