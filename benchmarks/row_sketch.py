"""Jacobians, curvatures and traces of many classes: all rows beside a few that are drawn.

Times are of the measure at a batch of images; errors are of its value, the mean over images, over
seeds, beside the standard error that it tells.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial

import torch
import torchvision
from timing import print_table, take_turns
from torch import Generator, Tensor, nn

from generalization.derivatives.row_counts import ROWS
from generalization.measures.curvature import curvature
from generalization.measures.gauss_newton_trace import gauss_newton_trace
from generalization.measures.jacobian_norm import jacobian_norm, logit_jacobian_norm
from generalization.measures.takeuchi import tic_of_diagonals, tic_of_traces
from generalization.standard_errors import collecting_standard_errors

MEASURES = {"softmax": jacobian_norm, "logits": logit_jacobian_norm}
OF_PARAMETERS = {
    "trace": gauss_newton_trace,
    "ratio of traces": lambda *of, **how: tic_of_traces(*of, labels_of(of[1]), **how),
    "ratios of diagonals": lambda *of, **how: tic_of_diagonals(*of, labels_of(of[1]), **how),
}
CURVATURE = {"curvature": partial(curvature, grid_points=32, most_work=0)}
DRAWS = 50


def labels_of(inputs: Tensor) -> Tensor:
    return torch.arange(len(inputs))


def convolutional_network(classes: int, channels: int = 16) -> nn.Sequential:
    """For images of 3 × 32 × 32."""
    return nn.Sequential(
        *(nn.Conv2d(3, channels, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(channels, 2 * channels, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(72 * channels, 128), nn.ReLU(), nn.Linear(128, classes)),
    )


def with_confidence(module: nn.Module, inputs: Tensor, confidence: float) -> nn.Module:
    """Scale the last layer such that the median of the largest probability is ``confidence``."""
    *_, last = (part for part in module.modules() if isinstance(part, nn.Linear))
    with torch.no_grad():
        last.bias.zero_()
        logits = module(inputs)
        low, high = 0.0, 1e6
        for _ in range(60):
            scale = (low + high) / 2
            found = (scale * logits).softmax(1).amax(1).median()
            low, high = (scale, high) if found < confidence else (low, scale)
        last.weight.mul_(scale)
    return module


def compare_speed(
    title: str,
    module: nn.Module,
    inputs: Tensor,
    repeats: int,
    measures: Mapping[str, Callable[..., Tensor]] = MEASURES,
) -> None:
    for name, measure in measures.items():
        seconds = take_turns(
            {
                f"{ROWS} rows": lambda measure=measure: measure(
                    module, inputs, generator=Generator().manual_seed(0)
                ),
                "all rows": lambda measure=measure: measure(module, inputs),
            },
            repeats=repeats,
            warmups=0,
        )
        print_table(f"{title}, {name}, one thread", seconds, ours=f"{ROWS} rows")


def compare_errors(title: str, module: nn.Module, inputs: Tensor) -> None:
    for name, measure in (MEASURES | OF_PARAMETERS).items():
        exact = measure(module, inputs).mean()
        values, errors = [], []
        for seed in range(DRAWS):
            with collecting_standard_errors() as told:
                found = measure(module, inputs, generator=Generator().manual_seed(seed))
            values.append(found.mean())
            errors.append(told[-1][0])
        ratios, errors = torch.stack(values) / exact - 1, torch.stack(errors) / exact
        inside = (ratios.abs() < 1.96 * errors).double().mean()
        print(
            f"  {title:<34} {name:<19} error {ratios.square().mean().sqrt():8.3%}   told "
            f"{errors.mean():8.3%}   mean {ratios.mean():+8.3%}   within 1.96 errors {inside:4.0%}"
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    began = time.perf_counter()
    images = torch.randn(16, 3, 32, 32)
    for classes in (200, 1000):
        module = convolutional_network(classes).eval()
        compare_speed(f"16 images, convolutions, {classes} classes", module, images, 3)
        compare_speed(
            f"4 images, convolutions, {classes} classes", module, images[:4], 1, OF_PARAMETERS
        )
        compare_speed(f"1 image, convolutions, {classes} classes", module, images[:1], 1, CURVATURE)
    print(f"\nErrors over {DRAWS} seeds, 8 images, {ROWS} rows")
    for classes in (200, 1000):
        for confidence in (0.05, 0.5, 0.95):
            module = convolutional_network(classes).eval()
            module = with_confidence(module, images, confidence)
            # In double precision, since the probabilities of some labels underflow in single.
            title = f"{classes} classes, confidence {confidence}"
            compare_errors(title, module.double(), images[:8].double())
    resnet = torchvision.models.resnet18(num_classes=1000).eval()
    compare_speed("1 image of 3×224×224, ResNet-18", resnet, torch.randn(1, 3, 224, 224), 1)
    print(f"\n{time.perf_counter() - began:.0f} s")
