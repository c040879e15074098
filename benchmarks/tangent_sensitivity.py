"""Tangent sensitivity: ours beside what autograd offers, and the float32 error.

The peers take one point at a time, as the author's code does: the tensor of second derivatives of
a single point has hundreds of megabytes, so that batches of points would not fit a cache, nor soon
the memory. Their seconds are multiplied up to as many points.
"""

from dataclasses import replace
from itertools import pairwise

import torch
from threadpoolctl import threadpool_limits
from timing import print_table, sgemm_rate, take_turns
from torch import Tensor, nn
from torch.func import functional_call, grad, jacfwd

from generalization.measures.tangent_sensitivity import (
    estimated_tangent_sensitivity,
    tangent_sensitivity,
)
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)

POINTS = 1024


def as_module(networks: FullyConnectedNetworks) -> nn.Sequential:
    layers = []
    for weight in networks.weights:
        layers += [nn.Linear(*weight.shape[:0:-1], bias=False), nn.ReLU()]
        layers[-2].weight.data = weight[0]
    return nn.Sequential(*layers[:-1])


def by_backward_passes(module: nn.Module, point: Tensor, features: int) -> Tensor:
    """A backward pass through the backward pass for each feature, as the author does."""
    parameters = list(module.parameters())
    point = point.clone().requires_grad_()
    gradient = torch.autograd.grad(module(point).sum(), point, create_graph=True)[0]
    square = torch.zeros(())
    for derivative in gradient.flatten()[:features]:
        blocks = torch.autograd.grad(derivative, parameters, retain_graph=True, allow_unused=True)
        square += sum(block.square().sum() for block in blocks if block is not None)
    return square.sqrt()


def by_jacfwd(module: nn.Module, point: Tensor) -> Tensor:
    """The whole tensor of second derivatives, then its norm."""
    parameters = dict(module.named_parameters())

    def gradient(x: Tensor) -> dict[str, Tensor]:
        return grad(lambda parameters: functional_call(module, parameters, (x,)).sum())(parameters)

    blocks = jacfwd(gradient)(point).values()
    return torch.stack([block.norm() for block in blocks]).norm()


def products(networks: FullyConnectedNetworks, inputs: Tensor, *, active: bool) -> float:
    """Floating point operations of the hidden Jacobians: of active units, or of all."""
    layers = [layer[0] > 0 for layer in networks.preactivations(inputs)[:-1]]
    counts = [
        layer.sum(1).double() if active else torch.full((len(inputs),), layer.shape[1]).double()
        for layer in layers
    ]
    rank = min(networks.widths[:2])
    return 2 * rank * sum((above * below).sum().item() for below, above in pairwise(counts))


def compare(widths: tuple[int, ...]) -> None:
    networks = initialize_fully_connected(widths, "relu", [torch.Generator().manual_seed(0)])
    module, inputs = as_module(networks), torch.randn(POINTS, widths[0])
    seconds = take_turns({"ours": lambda: tangent_sensitivity(networks, inputs)})
    seconds |= take_turns({
        "ours, all outputs apart": lambda: tangent_sensitivity(networks, inputs, reduction="full"),
        "ours, as a module": lambda: tangent_sensitivity(module, inputs),
    })
    smooth, few = replace(networks, activation="tanh"), inputs[:64]
    estimates = take_turns(
        {
            "ours, tanh, 32 probes": lambda: tangent_sensitivity(smooth, few, torch.Generator()),
            "ours, any module, 32 probes": lambda: estimated_tangent_sensitivity(
                module, few, torch.Generator()
            ),
        },
        repeats=1,
    )
    seconds |= {name: value * POINTS / len(few) for name, value in estimates.items()}
    peers = take_turns(
        {
            "a backward pass per feature": lambda: by_backward_passes(module, inputs[0], widths[0]),
            "jacfwd(grad)": lambda: by_jacfwd(module, inputs[0]),
        },
        repeats=3,
    )
    seconds |= {name: value * POINTS for name, value in peers.items()}
    limit = sgemm_rate()
    print_table(
        f"{POINTS} points, {'-'.join(map(str, widths))}, one thread",
        seconds,
        ours="ours",
        flops=products(networks, inputs, active=True),
        limit=limit,
    )
    dense = products(networks, inputs, active=False) / seconds["ours"] / limit
    exact = tangent_sensitivity(networks.to(torch.float64), inputs.double())
    error = (tangent_sensitivity(networks, inputs) / exact - 1).abs()
    print(
        f"  {seconds['ours'] / POINTS * 1e6:.0f} µs a point; products of all units would have to "
        f"run at {dense:.1%} of sgemm\n"
        f"  float32: median error {error.median():.0e}, {(error > 2e-6).sum()} of {POINTS} points "
        "in the linear region next door"
    )


def marginal_seconds(networks: FullyConnectedNetworks, points: int) -> float:
    """Seconds of one more point, without what a network costs once."""
    inputs = torch.randn(2 * points, networks.widths[0])
    seconds = take_turns(
        {
            "half": lambda: tangent_sensitivity(networks, inputs[:points]),
            "all": lambda: tangent_sensitivity(networks, inputs),
        },
        repeats=3,
    )
    return (seconds["all"] - seconds["half"]) / points


def cost_of_a_point(width: int, depth: int, points: int, measured_depths: tuple[int, int]) -> None:
    """Print seconds per point of hidden layers as wide as that.

    Every hidden layer but the first costs the same. Two shallower networks are timed, if the
    network itself takes too long, and the others follow by a straight line.
    """
    seconds, flops = [], []
    for measured in measured_depths:
        widths = (3072, *[width] * measured, 10)
        networks = initialize_fully_connected(widths, "relu", [torch.Generator().manual_seed(0)])
        seconds.append(marginal_seconds(networks, points))
        inputs = torch.randn(2 * points, 3072)
        flops.append(products(networks, inputs, active=True) / len(inputs))
    less, more = measured_depths
    layers = (depth - more) / (more - less)
    total = seconds[1] + layers * (seconds[1] - seconds[0])
    work = flops[1] + layers * (flops[1] - flops[0])
    print(
        f"\n3072-{width}×{depth}-10: {total * 1e3:.0f} ms a point, from {less} and {more} hidden "
        f"layers; {work / total / sgemm_rate():.0%} of torch's sgemm"
    )


def compare_convolutions(points: int = 8) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        *[nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)],
        *[nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)],
        *[nn.Flatten(), nn.Linear(2048, 10)],
    ).eval()
    inputs, few = torch.randn(points, 3, 32, 32), 32
    seconds = take_turns(
        {
            "ours": lambda: tangent_sensitivity(module, inputs),
            "32 probes": lambda: estimated_tangent_sensitivity(module, inputs, torch.Generator()),
            "a backward pass per feature": lambda: by_backward_passes(module, inputs[:1], few),
        },
        repeats=3,
    )
    seconds["a backward pass per feature"] *= points * inputs[0].numel() / few
    print_table(f"{points} points, two convolutions of 3 × 32 × 32", seconds, ours="ours")


if __name__ == "__main__":
    torch.set_num_threads(1)
    threadpool_limits(1)  # NumPy's products have threads of their own.
    torch.manual_seed(0)
    compare((784, 200, 200, 200, 200, 10))
    compare((784, 100, 100, 100, 10))
    compare_convolutions()
    cost_of_a_point(1000, 10, points=8, measured_depths=(2, 10))
    cost_of_a_point(3000, 20, points=3, measured_depths=(2, 4))
