"""Training 8 networks as stacks, beside the ordinary loop over the 8 in ``torch.nn``.

Limits: 5 to 6 times as fast at 64-100-100-10 with batches of 128; 1.5 to 1.6 times and 70 % of the
sgemm rate at 784-200-200-200-10 with batches of 256.
"""

from functools import partial
from itertools import islice, pairwise

import torch
from timing import print_table, take_turns
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from generalization.datasets.dataset import Dataset
from generalization.hyperparameters import Hyperparameters
from generalization.training.course import Course
from generalization.training.denormals import denormals_flushed
from generalization.training.initialization import widths_for
from generalization.training.sizes import networks_at_once
from generalization.training.stacks import Training

SEEDS = range(1, 9)
DEVICE = torch.device("cpu")
SQUARE = 1024


def random_data(features: int, train: int) -> Dataset:
    """Random labels, so that no network reaches its stopping criterion within a few epochs."""
    generator = torch.Generator().manual_seed(0)
    return Dataset(
        name="random",
        classes=10,
        train_inputs=torch.randn(train, 1, 1, features, generator=generator),
        train_labels=torch.randint(10, (train,), generator=generator),
        test_inputs=torch.zeros(1, 1, 1, features),
        test_labels=torch.zeros(1, dtype=torch.long),
    )


@torch.no_grad()
@denormals_flushed()
def train_stacks(data: Dataset, hyperparameters: Hyperparameters, size: int, steps: int) -> None:
    """What ``train_ensemble`` does at every step and every end of an epoch."""
    training = Training(data, hyperparameters, SEEDS, DEVICE)
    training.evaluated_steps = set()
    for first in range(0, len(SEEDS), size):
        stack = training.begin(range(first, min(first + size, len(SEEDS))))
        course = Course.of((), len(SEEDS), stack.networks)
        for _ in islice(training.train(stack, course), steps):
            pass


def train_one_by_one(
    data: Dataset, hyperparameters: Hyperparameters, epochs: int, *, loader: bool
) -> None:
    """What users of torch write; without a loader, batches are sliced from a shuffled tensor."""
    inputs, labels = data.train_inputs.flatten(1), data.train_labels
    size = hyperparameters.batch_size
    for _ in SEEDS:
        layers = []
        for fan_in, fan_out in pairwise(widths_for(data, hyperparameters)):
            layers += [nn.Linear(fan_in, fan_out, bias=False), nn.ReLU()]
        network, criterion = nn.Sequential(*layers[:-1]), nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(
            network.parameters(), lr=hyperparameters.learning_rate, momentum=0.9
        )
        for _ in range(epochs):
            if loader:
                batches = DataLoader(TensorDataset(inputs, labels), size, shuffle=True)
            else:
                order = torch.randperm(len(labels))
                batches = ((inputs[rows], labels[rows]) for rows in order.split(size))
            for batch_inputs, batch_labels in batches:
                optimizer.zero_grad()
                criterion(network(batch_inputs), batch_labels).backward()
                optimizer.step()


def compare(
    features: int, width: int, depth: int, *, train: int, batch_size: int, epochs: int
) -> None:
    data = random_data(features, train)
    hyperparameters = Hyperparameters(
        dataset="random", width=width, depth=depth, batch_size=batch_size
    )
    steps = epochs * train // batch_size
    widths = widths_for(data, hyperparameters)
    size = networks_at_once(len(SEEDS), widths, hyperparameters, DEVICE)
    a, b, out = torch.randn(3, SQUARE, SQUARE)
    ours = f"stacks of {size}"
    seconds = take_turns(
        {
            ours: partial(train_stacks, data, hyperparameters, size, steps),
            "Sequential, DataLoader, optim.SGD": partial(
                train_one_by_one, data, hyperparameters, epochs, loader=True
            ),
            "Sequential, sliced batches, optim.SGD": partial(
                train_one_by_one, data, hyperparameters, epochs, loader=False
            ),
            "sgemm": lambda: [torch.mm(a, b, out=out) for _ in range(10)],
        },
        repeats=5,
    )
    limit = 10 * 2 * SQUARE**3 / seconds.pop("sgemm")
    # Forward, gradient of the weights, gradient of the inputs; the last not at the first layer.
    products = 3 * sum(fan_in * fan_out for fan_in, fan_out in pairwise(widths))
    flops = len(SEEDS) * steps * 2 * batch_size * (products - widths[0] * widths[1])
    shape = "-".join(map(str, widths))
    title = f"{shape}, batches of {batch_size}, {steps} steps of {len(SEEDS)} networks"
    print_table(title, seconds, ours=ours, flops=flops, limit=limit)


if __name__ == "__main__":
    # One thread, as a job of a study has, and all cores, as torch takes by default.
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        print(f"\n{threads} thread{'s' if threads > 1 else ''}")
        compare(features=64, width=100, depth=3, train=1280, batch_size=128, epochs=25)
        compare(features=784, width=200, depth=4, train=5120, batch_size=256, epochs=2)
