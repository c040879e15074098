"""Cheap measures of the literature for one ensemble, and an exact trace beside sampled ones.

Cheap are those that share a job. They are computed in the order of the catalog, each with the
values of earlier ones that it names, as in a study. The limit is one forward pass of all points at
the rate of torch's sgemm: what any measure of the outputs costs at least.

Not cheap are searches (PAC-Bayes, worst-case flatness: tens of training errors, for each of ten
draws or ascent steps), ascents and Lanczos iterations (adaptive sharpness, the largest eigenvalue:
a backward pass per step), chains (the local learning coefficient), and distances to facets (the
Jacobians of all units at every input). Stiffness and disparity grow as the square of the number of
training samples, Takeuchi's criterion as its cube; they stay at their defaults.

Hutchinson's estimate of the trace of the Gauss–Newton matrix G is the mean of vᵀ G v over random
signs v, one for all points, each by one derivative along v; the other sampled estimate draws labels
from the network's own probabilities, E ‖∇ℓ_y‖².

Moments and Gram matrices of the gradients of convolutions are measured beside torch.func, which
forms the gradient of every sample, with errors against it in float64.

Beside curvlinops the Gauss–Newton matrix is measured for one network, with errors against autograd
in float64. It is no requirement of this project: ``pip install curvlinops-for-pytorch`` into an
environment of its own.
"""

import time
from copy import deepcopy
from inspect import signature
from pathlib import Path

import torch
from timing import print_table, sgemm_rate, take_turns
from torch.func import functional_call, grad, jacrev, vmap

from generalization.catalog import MEASURES, file_of, place_of
from generalization.derivatives.directional_derivatives import (
    directional_derivatives,
    layer_parameters,
)
from generalization.derivatives.gradient_factors import gradient_squares, loss_moments, loss_rows
from generalization.derivatives.gradient_gram import gradient_gram
from generalization.measures.fisher_rao_norm import fisher_rao_norm
from generalization.measures.gauss_newton_trace import gauss_newton_trace
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.networks.sequences import sequence_of
from generalization.networks.sharing import sharing_results
from generalization.randomness import generator_for
from generalization.signatures import imported, named_by

FILES = (
    "margins",
    "norms",
    "spectral_complexity",
    "path_norm",
    "gauss_newton_trace",
    "fisher_rao_norm",
    "gradient_norm",
    "stiffness",
    "takeuchi",
    "predictions",
    "features",
    "spectra",
)
WIDTHS, NETWORKS, POINTS = (784, 200, 200, 200, 200, 10), 8, 10_000


def ensemble() -> tuple[FullyConnectedNetworks, FullyConnectedNetworks, torch.Tensor, torch.Tensor]:
    """Networks that have learnt most of their labels, those before them, and their data."""
    generators = [generator_for("network", seed) for seed in range(NETWORKS)]
    initial = initialize_fully_connected(WIDTHS, "relu", generators)
    trained = initial.map(lambda part: 1.3 * part)
    inputs = torch.randn(2 * POINTS, WIDTHS[0], generator=generator_for("inputs"))
    return initial, trained, inputs, trained.logits(inputs)[0].argmax(1)


def cost_of_all(train_samples: int) -> None:
    """Print the core-seconds of every cheap measure, and its share of all."""
    initial, trained, inputs, labels = ensemble()
    offered = {
        "networks": trained,
        "trained_networks": trained,
        "initial_networks": initial,
        "inputs": inputs[:POINTS],
        "train_inputs": inputs[POINTS:],
        "train_labels": labels[POINTS:],
    }
    limit, seconds, known, shared = sgemm_rate(), {}, {}, {}
    for name, entry in MEASURES.items():
        if Path(file_of(name)).stem not in FILES or not entry.shares_a_job:
            continue
        measure = imported(place_of(name))
        takes = "train_samples" in signature(measure).parameters
        chosen = {"train_samples": train_samples} if takes and _is_linear(name) else {}
        begin = time.process_time()
        with sharing_results(shared):
            known[name] = measure(**named_by(measure, offered | known), **chosen)
        seconds[name] = time.process_time() - begin
    total = sum(seconds.values())
    weights = sum(weight[0].numel() for weight in trained.weights)
    forward = 2 * weights * NETWORKS * POINTS / limit
    print(
        f"\n{len(seconds)} measures of {NETWORKS} networks, {train_samples} training points where"
    )
    print(f"a number of them is a setting and the cost does not grow faster: {total:.2f} s;")
    print(f"one forward pass of {POINTS} points at {limit / 1e9:.0f} GFLOP/s: {forward:.2f} s")
    for name, value in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"  {name:<44} {value:8.3f} s  {value / total:6.1%}")


def _is_linear(name: str) -> bool:
    """Whether a measure's cost grows in proportion to the number of points."""
    return "stiffness" not in name and name not in {"gradient_disparity", "takeuchi_criterion"}


def hutchinson(networks: FullyConnectedNetworks, inputs: torch.Tensor, probes: int) -> torch.Tensor:
    """Mean of vᵀ G v over random signs v, for every network."""
    generator, estimates = generator_for("probes", probes), []
    for _ in range(probes):
        signs = [
            (torch.rand(part.shape, generator=generator) < 0.5).to(part) * 2 - 1
            for part in layer_parameters(networks)
        ]
        logits, along = directional_derivatives(networks, inputs, signs)
        sigma, along = logits.double().softmax(-1), along.double()
        mean = (sigma * along).sum(-1)
        estimates.append(((sigma * along.square()).sum(-1) - mean.square()).mean(1))
    return torch.stack(estimates).mean(0)


def by_drawn_labels(
    networks: FullyConnectedNetworks, inputs: torch.Tensor, draws: int
) -> torch.Tensor:
    """Mean of ‖∇ℓ_y‖² over labels drawn from the network's probabilities, for every network."""
    generator, estimates = generator_for("labels", draws), []
    for network in networks:
        sigma = network.logits(inputs)[0].softmax(-1)
        labels = torch.multinomial(sigma, draws, replacement=True, generator=generator)
        squares = [gradient_squares(network, inputs, loss_rows, some).mean(1) for some in labels.T]
        estimates.append(torch.stack(squares).mean(0))
    return torch.cat(estimates)


def compare_traces(points: int = 1000) -> None:
    """Print errors and times of sampled traces beside the exact one."""
    _, networks, inputs, _ = ensemble()
    inputs = inputs[:points]
    variants = {
        "exact": lambda: gauss_newton_trace(networks, inputs, train_samples=points).mean(1),
        "Hutchinson, 1 probe": lambda: hutchinson(networks, inputs, 1),
        "Hutchinson, 10 probes": lambda: hutchinson(networks, inputs, 10),
        "Hutchinson, 100 probes": lambda: hutchinson(networks, inputs, 100),
        "labels drawn once": lambda: by_drawn_labels(networks, inputs, 1),
        "labels drawn 10 times": lambda: by_drawn_labels(networks, inputs, 10),
    }
    seconds = take_turns(variants, repeats=3)
    print_table(f"trace of {NETWORKS} networks at {points} points", seconds, ours="exact")
    exact = gauss_newton_trace(networks.to(torch.float64), inputs.double(), train_samples=points)
    exact = exact.mean(1)
    for name, function in variants.items():
        error = ((function() - exact) / exact).square().mean().sqrt()
        print(f"  {name:<44} relative error {error:.1e}")


def compare_with_curvlinops(points: int = 200) -> None:
    """Print errors and times of curvlinops beside ours, for a network of moderate size."""
    try:
        from curvlinops import GGNLinearOperator, hutchinson_trace
    except ImportError:
        print("\nNot compared with curvlinops: pip install curvlinops-for-pytorch for that.")
        return
    widths = (64, 50, 50, 10)
    network = initialize_fully_connected(widths, "relu", [generator_for("network", 0)])
    inputs = torch.randn(points, widths[0], generator=generator_for("inputs"))
    labels = network.logits(inputs)[0].argmax(1)
    module, precise = sequence_of(network), sequence_of(network.to(torch.float64))
    weights = [one for one in module.parameters() if one.requires_grad]
    vector = torch.cat([one.detach().flatten() for one in weights])

    def operator() -> GGNLinearOperator:
        data, loss = [(inputs, labels)], torch.nn.CrossEntropyLoss()
        return GGNLinearOperator(module, loss, weights, data, check_deterministic=False)

    exact = {
        name: quantity.double()
        for name, quantity in by_autograd(precise, inputs.double(), labels).items()
    }
    variants = {
        "trace": (lambda: gauss_newton_trace(network, inputs, train_samples=points).mean()),
        "trace, curvlinops, 100 probes": (lambda: hutchinson_trace(operator(), num_matvecs=100)),
        "Fisher-Rao norm": (lambda: fisher_rao_norm(network, inputs, train_samples=points).mean()),
        "Fisher-Rao norm, curvlinops": (lambda: vector @ (operator() @ vector)),
        "Gram matrix": (lambda: gradient_gram(network, inputs, loss_rows, labels)[0]),
        "Gram matrix, autograd in float32": (lambda: by_autograd(module, inputs, labels, "Gram")),
    }
    print(f"\none network {widths} at {points} points")
    for name, function in variants.items():
        function()
        begin = time.process_time()
        found = torch.as_tensor(function()).detach().double()
        seconds = time.process_time() - begin
        truth = exact[name.split(",")[0]]
        error = (found - truth).norm() / truth.norm()
        print(f"  {name:<44} {seconds * 1e3:8.2f} ms   relative error {error:.1e}")


def compare_convolutions(points: int) -> None:
    """Print errors and times of moments and Gram matrices of convolutions beside autograd.

    Beside them is what one forward and one backward pass of the points cost.
    """
    torch.manual_seed(0)
    channels = 16, 32, 64
    layers: list[torch.nn.Module] = []
    for before, after in zip((1, *channels), channels, strict=False):
        layers += [torch.nn.Conv2d(before, after, 3, 2, 1), torch.nn.ReLU()]
    module = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(64 * 16, 10))
    inputs = torch.randn(points, 1, 28, 28, generator=generator_for("inputs"))
    labels = module(inputs).argmax(1)
    gradients = sample_gradients(deepcopy(module).double(), inputs.double(), labels)
    exact = {"moments": gradients.square().sum(1), "Gram matrix": gradients @ gradients.T}

    def passes() -> torch.Tensor:
        loss = torch.nn.functional.cross_entropy(module(inputs), labels)
        return torch.cat([one.flatten() for one in torch.autograd.grad(loss, module.parameters())])

    def of_samples() -> torch.Tensor:
        return sample_gradients(module, inputs, labels)

    def moments_of_samples() -> torch.Tensor:
        formed = of_samples()
        squares = formed.square()
        squares.sum(0), formed.mean(0).square().sum()
        return squares.sum(1)

    variants = {
        "moments": lambda: loss_moments(module, inputs, labels).squares[0],
        "moments, torch.func per sample": moments_of_samples,
        "Gram matrix": lambda: gradient_gram(module, inputs, loss_rows, labels)[0],
        "Gram matrix, torch.func per sample": lambda: of_samples() @ of_samples().T,
        "passes, forward and backward": passes,
    }
    sizes = [one.numel() for one in module.parameters()]
    print(f"\none network of 3 convolutions, {sum(sizes)} parameters, at {points} points")
    for name, seconds in take_turns(variants).items():
        told = ""
        if (truth := exact.get(name.split(",")[0])) is not None:
            error = (variants[name]().double() - truth).norm() / truth.norm()
            told = f"   relative error {error:.1e}"
        print(f"  {name:<44} {seconds * 1e3:8.2f} ms{told}")


def sample_gradients(
    module: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Return the gradients of the loss of every sample by torch.func, (samples, parameters)."""
    parameters = {name: one.detach() for name, one in module.named_parameters()}

    def loss(
        parameters: dict[str, torch.Tensor], x: torch.Tensor, label: torch.Tensor
    ) -> torch.Tensor:
        logits = functional_call(module, parameters, (x.unsqueeze(0),))[0]
        return torch.nn.functional.cross_entropy(logits, label)

    gradients = vmap(grad(loss), (None, 0, 0))(parameters, inputs, labels)
    return torch.cat([one.flatten(1) for one in gradients.values()], 1)


def by_autograd(
    module: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor, only: str = ""
) -> torch.Tensor | dict[str, torch.Tensor]:
    """Return the trace, the Fisher–Rao norm and the Gram matrix from gradients of every sample."""
    parameters = {name: one.detach() for name, one in module.named_parameters()}

    def logits(parameters: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return functional_call(module, parameters, (x.unsqueeze(0),))[0]

    flat = sample_gradients(module, inputs, labels)
    if only:
        return flat @ flat.T
    jacobians = vmap(jacrev(logits), (None, 0))(parameters, inputs)
    jacobian = torch.cat([one.flatten(2) for one in jacobians.values()], 2)
    sigma = module(inputs).detach().softmax(-1)
    vector = torch.cat([one.flatten() for one in parameters.values()])
    centered = jacobian - (sigma.unsqueeze(1) @ jacobian)
    trace = (sigma * centered.square().sum(2)).sum(1).mean()
    along = (sigma * (centered @ vector).square()).sum(1).mean()
    return {"trace": trace, "Fisher-Rao norm": along, "Gram matrix": flat @ flat.T}


if __name__ == "__main__":
    torch.set_num_threads(1)
    cost_of_all(1000)
    cost_of_all(POINTS)
    compare_traces()
    for points in (200, 2000):
        compare_convolutions(points)
    compare_with_curvlinops()
