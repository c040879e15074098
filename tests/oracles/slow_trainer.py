"""One network, trained as textbooks have it: nn.Sequential, autograd, torch.optim."""

from itertools import pairwise

import torch
from torch import nn

from generalization.randomness import generator_for

ACTIVATIONS = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "tanh": nn.Tanh,
    "hardtanh": nn.Hardtanh,
    "hardsigmoid": lambda: HardSigmoid(),
}


class HardSigmoid(nn.Module):
    def forward(self, z):
        return nn.functional.hardtanh(z + 0.5, 0, 1)


class TensorFlowAdam:
    """The formulas in the documentation of tf.train.AdamOptimizer (TensorFlow 1)."""

    def __init__(self, parameters, lr):
        self.parameters, self.lr, self.t = list(parameters), lr, 0
        self.m = [torch.zeros_like(p) for p in self.parameters]
        self.v = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self):
        self.t += 1
        lr_t = self.lr * (1 - 0.999**self.t) ** 0.5 / (1 - 0.9**self.t)
        for p, m, v in zip(self.parameters, self.m, self.v, strict=True):
            m.copy_(0.9 * m + (1 - 0.9) * p.grad)
            v.copy_(0.999 * v + (1 - 0.999) * p.grad * p.grad)
            p.copy_(p - lr_t * m / (v.sqrt() + 1e-8))


class TensorFlowRMSProp:
    """The formulas in the documentation of tf.train.RMSPropOptimizer; rms begins at one."""

    def __init__(self, parameters, lr):
        self.parameters, self.lr = list(parameters), lr
        self.mean_square = [torch.ones_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self):
        for p, mean_square in zip(self.parameters, self.mean_square, strict=True):
            mean_square.copy_(0.9 * mean_square + (1 - 0.9) * p.grad**2)
            p.copy_(p - self.lr * p.grad / (mean_square + 1e-10).sqrt())


OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "momentum": lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=0.9),
    "adam": TensorFlowAdam,
    "rmsprop": TensorFlowRMSProp,
}


def squared_loss(logits, labels):
    one_hot = nn.functional.one_hot(labels, logits.shape[1])
    return ((logits.softmax(1) - one_hot) ** 2).sum(1).mean()


LOSSES = {"cross_entropy": nn.CrossEntropyLoss(), "squared": squared_loss}


def sequential(widths, hyperparameters):
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out, bias=hyperparameters.biases)]
        layers += [ACTIVATIONS[hyperparameters.activation]()]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def augmented(images, views, augmentation):
    """The drawn view counts down, right, flips and turns, the last one fastest."""
    seen = []
    for image, view in zip(images, views.tolist(), strict=True):
        turn = 0
        if augmentation == "flips_rotations":
            view, turn = divmod(view, 3)
            view, up_down = divmod(view, 4)
            view, flips = view, {0: [], 1: [2], 2: [1], 3: [1, 2]}[up_down]
            turn -= 1
        else:
            view, flip = divmod(view, 2)
            flips = [2] if flip else []
        down, right = view // 9 - 4, view % 9 - 4
        moved = torch.roll(image, (down, right), (1, 2))
        seen.append(torch.rot90(torch.flip(moved, flips), turn, (1, 2)))
    return torch.stack(seen)


def slow_batches(data, hyperparameters, seed):
    """Batches for ever, and the number of the epoch that each belongs to."""
    count, name = len(data.train_labels), hyperparameters.name
    views_of = {"translate_flip": 162, "flips_rotations": 972}
    epoch = 0
    while True:
        order = torch.randperm(count, generator=generator_for(name, seed, "batches", epoch))
        images, labels = data.train_inputs[order], data.train_labels[order]
        if hyperparameters.augmentation != "none":
            generator = generator_for(name, seed, "augmentation", epoch)
            views = torch.randint(
                views_of[hyperparameters.augmentation], (count,), generator=generator
            )
            images = augmented(images, views, hyperparameters.augmentation)
        for begin in range(0, count, hyperparameters.batch_size):
            end = begin + hyperparameters.batch_size
            yield epoch, images[begin:end], labels[begin:end]
        epoch += 1


def train_slowly(data, hyperparameters, seed, initial, steps):
    """Parameters (weights, then biases) before training and after each of so many steps.

    ``initial`` is a stack of one: where the network begins.
    """
    network = sequential(initial.widths, hyperparameters)
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    parameters = [layer.weight for layer in linear]
    parameters += [layer.bias for layer in linear if layer.bias is not None]
    for parameter, value in zip(parameters, initial.parameters, strict=True):
        parameter.data.copy_(value[0])
    loss = LOSSES[hyperparameters.loss]
    course = [[p.detach().clone() for p in parameters]]
    if hyperparameters.optimizer == "lbfgs":
        optimizer = torch.optim.LBFGS(
            parameters, max_iter=1, max_eval=26, history_size=10, line_search_fn="strong_wolfe"
        )

        def closure():
            optimizer.zero_grad()
            value = loss(network(data.train_inputs), data.train_labels)
            value.backward()
            return value

        for _ in range(steps):
            optimizer.step(closure)
            course.append([p.detach().clone() for p in parameters])
        return course
    optimizer = OPTIMIZERS[hyperparameters.optimizer](parameters, lr=hyperparameters.learning_rate)
    batches = slow_batches(data, hyperparameters, seed)
    for _ in range(steps):
        epoch, images, labels = next(batches)
        rate = hyperparameters.learning_rate * 0.1 ** (epoch // hyperparameters.decay_epochs)
        if isinstance(optimizer, torch.optim.Optimizer):
            optimizer.param_groups[0]["lr"] = rate
        else:
            optimizer.lr = rate
        for parameter in parameters:
            parameter.grad = None
        loss(network(images), labels).backward()
        optimizer.step()
        course.append([p.detach().clone() for p in parameters])
    return course
