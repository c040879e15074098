"""Training 8 convolutional networks by a loop, beside other ways to train a stack of them.

Of images of 28 × 28 pixels and more, the loop in ``torch.nn`` took 1.04 to 1.5 times as long where
this was recorded, grouped convolution and ``torch.vmap`` 1.8 to 4.4 times. Of 8 × 8 pixels a loop
with channels first wins.
"""

from collections.abc import Callable
from functools import partial

import torch
from timing import print_table, take_turns
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.nn.functional import conv2d, cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from generalization.datasets.dataset import Dataset
from generalization.hyperparameters import Hyperparameters
from generalization.networks.architectures import Architecture, Linear, Pooling
from generalization.networks.convolutional import POOL, ConvolutionalNetworks, through_layers
from generalization.networks.sequences import sequence_of
from generalization.training.course import Course
from generalization.training.denormals import denormals_flushed
from generalization.training.initialization import architecture_for, initial_networks
from generalization.training.stacks import Training

SEEDS = range(1, 9)
MOMENTUM = 0.9
SQUARE = 1024

# From weights of a stack, images (networks, samples, …) and labels to the gradients of the weights.
Gradients = Callable[[Architecture, list[Tensor], Tensor, Tensor], list[Tensor]]


def random_data(image: tuple[int, int, int], train: int) -> Dataset:
    """Random labels, so that no network reaches its stopping criterion within a few epochs."""
    generator = torch.Generator().manual_seed(0)
    return Dataset(
        name="random",
        classes=10,
        train_inputs=torch.randn(train, *image, generator=generator),
        train_labels=torch.randint(10, (train,), generator=generator),
        test_inputs=torch.zeros(1, *image),
        test_labels=torch.zeros(1, dtype=torch.long),
    )


@torch.no_grad()
@denormals_flushed()
def ours(data: Dataset, hyperparameters: Hyperparameters) -> None:
    """What ``train_ensemble`` does at every step and every end of an epoch."""
    training = Training(data, hyperparameters, SEEDS, torch.device("cpu"))
    training.evaluated_steps = set()
    stack = training.begin(range(len(SEEDS)))
    course = Course.of((), len(SEEDS), stack.networks)
    for _ in training.train(stack, course):
        if stack.step == training.steps_per_epoch:
            break


def relu(_: int, preactivations: Tensor) -> Tensor:
    return torch.relu(preactivations)


def loop_without_channels_last(
    architecture: Architecture, weights: list[Tensor], images: Tensor, labels: Tensor
) -> list[Tensor]:
    """One network after the other."""
    gradients = []
    for position in range(len(images)):
        members = [weight[position].detach().requires_grad_() for weight in weights]
        logits = through_layers(architecture, images[position], members, [], relu)
        gradients.append(torch.autograd.grad(cross_entropy(logits, labels[position]), members))
    return [torch.stack(parts) for parts in zip(*gradients, strict=True)]


def grouped(
    architecture: Architecture, weights: list[Tensor], images: Tensor, labels: Tensor
) -> list[Tensor]:
    """All networks in one convolution, each a group of its channels."""
    count, depth = len(images), 0
    leaves = [weight.detach().requires_grad_() for weight in weights]
    values = images.transpose(0, 1).flatten(1, 2)
    for layer in architecture.layers:
        if isinstance(layer, Pooling):
            values = POOL[layer.kind](values, layer.window)
            continue
        weight = leaves[depth]
        if isinstance(layer, Linear):
            if values.dim() == 4:
                values = values.unflatten(1, (count, -1)).flatten(2).transpose(0, 1)
            values = torch.bmm(values, weight.mT)
        else:
            of_layer = {"stride": layer.stride, "padding": layer.padding}
            values = conv2d(values, weight.flatten(0, 1), groups=count, **of_layer)
        depth += 1
        if depth < len(weights):
            values = torch.relu(values)
    loss = cross_entropy(values.mT, labels, reduction="none").mean(1).sum()
    return list(torch.autograd.grad(loss, leaves))


def vmapped(
    architecture: Architecture, weights: list[Tensor], images: Tensor, labels: Tensor
) -> list[Tensor]:
    """``torch.func``: the gradient of one network, vectorized over networks."""

    def loss(members: list[Tensor], images: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(through_layers(architecture, images, members, [], relu), labels)

    return vmap(grad(loss))(weights, images, labels)


def train_stack(
    data: Dataset,
    hyperparameters: Hyperparameters,
    networks: ConvolutionalNetworks,
    gradients_of: Gradients,
) -> None:
    """One epoch of momentum, by another way to find gradients."""
    weights = [weight.clone() for weight in networks.weights]
    velocity = [torch.zeros_like(weight) for weight in weights]
    count, size = len(data.train_labels), hyperparameters.batch_size
    orders = torch.stack([torch.randperm(count) for _ in SEEDS])
    for rows in orders.split(size, dim=1):
        gradients = gradients_of(
            networks.architecture, weights, data.train_inputs[rows], data.train_labels[rows]
        )
        torch._foreach_mul_(velocity, MOMENTUM)
        torch._foreach_add_(velocity, gradients)
        torch._foreach_add_(weights, velocity, alpha=-hyperparameters.learning_rate)


def train_modules(
    data: Dataset,
    hyperparameters: Hyperparameters,
    networks: ConvolutionalNetworks,
    *,
    loader: bool,
) -> None:
    """What users of torch write; without a loader, batches are sliced from a shuffled tensor."""
    inputs, labels, size = data.train_inputs, data.train_labels, hyperparameters.batch_size
    criterion = nn.CrossEntropyLoss()
    for network in networks:
        module = sequence_of(network).train()
        optimizer = torch.optim.SGD(
            module.parameters(), lr=hyperparameters.learning_rate, momentum=MOMENTUM
        )
        if loader:
            batches = DataLoader(TensorDataset(inputs, labels), size, shuffle=True)
        else:
            order = torch.randperm(len(labels))
            batches = ((inputs[rows], labels[rows]) for rows in order.split(size))
        for images, of_images in batches:
            optimizer.zero_grad()
            criterion(module(images), of_images).backward()
            optimizer.step()


def operations(architecture: Architecture) -> int:
    """Floating point operations of a step, per sample: forward, by the weights, by the inputs."""
    total = 0
    for place, layer in enumerate(architecture.weighted):
        shape = architecture.shapes[place]
        products = torch.Size(layer.weight_shape).numel() * torch.Size(shape[1:]).numel()
        total += 2 * products * (3 if place else 2)
    return total


def compare(image: tuple[int, int, int], *, train: int, **settings: object) -> None:
    data = random_data(image, train)
    hyperparameters = Hyperparameters(dataset="random", **settings)
    architecture = architecture_for(data, hyperparameters)
    networks = initial_networks(architecture, hyperparameters, SEEDS)
    a, b, out = torch.randn(3, SQUARE, SQUARE)
    stack = partial(train_stack, data, hyperparameters, networks)
    modules = partial(train_modules, data, hyperparameters, networks)
    seconds = take_turns(
        {
            "loop, channels last": partial(ours, data, hyperparameters),
            "loop": partial(stack, loop_without_channels_last),
            "grouped convolution": partial(stack, grouped),
            "torch.vmap": partial(stack, vmapped),
            "Sequential, DataLoader, optim.SGD": partial(modules, loader=True),
            "Sequential, sliced batches, optim.SGD": partial(modules, loader=False),
            "sgemm": lambda: [torch.mm(a, b, out=out) for _ in range(10)],
        },
        repeats=3,
    )
    limit = 10 * 2 * SQUARE**3 / seconds.pop("sgemm")
    steps = len(SEEDS) * -(-train // hyperparameters.batch_size)
    shapes = " ".join("×".join(map(str, shape)) for shape in architecture.shapes)
    title = (
        f"{hyperparameters.architecture}, {'×'.join(map(str, image))} → {shapes}, batches of "
        f"{hyperparameters.batch_size}: "
        + ", ".join(f"{steps / value:.0f}" for value in seconds.values())
        + " steps of a network per second"
    )
    flops = len(SEEDS) * train * operations(architecture)
    print_table(title, seconds, ours="loop, channels last", flops=flops, limit=limit)


if __name__ == "__main__":
    torch.set_num_threads(1)
    small = {"batch_size": 128, "train": 256}
    tiny = {"batch_size": 128, "train": 2560}
    compare((1, 8, 8), architecture="convolutional", depth=4, width=200, **tiny)
    compare((1, 28, 28), architecture="convolutional", depth=6, width=200, **small)
    compare((1, 28, 28), architecture="all_convolutional", depth=5, width=16, **small)
    compare((3, 32, 32), architecture="vgg", depth=5, width=16, pooling="max", **small)
