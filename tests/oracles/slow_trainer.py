"""One network, trained as textbooks have it: nn.Sequential, autograd, torch.optim."""

import math
from fractions import Fraction
from itertools import pairwise
from math import prod

import torch
from oracles.textbook_convolutions import convolutions
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


class GivenDropout(nn.Module):
    """nn.Dropout, but for the mask, which is given; shape is that of what one sample activates."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, activations):
        return activations * self.mask if self.training else activations


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
            if p.grad is None:
                continue
            m.copy_(0.9 * m + (1 - 0.9) * p.grad)
            v.copy_(0.999 * v + (1 - 0.999) * p.grad * p.grad)
            p.copy_(p - lr_t * m / (v.sqrt() + 1e-8))


class TensorFlowRMSProp:
    """The formulas in the documentation of tf.train.RMSPropOptimizer; rms begins at one."""

    def __init__(self, parameters, lr, weight_decay):
        self.parameters, self.lr, self.weight_decay = list(parameters), lr, weight_decay
        self.mean_square = [torch.ones_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self):
        for p, mean_square in zip(self.parameters, self.mean_square, strict=True):
            if p.grad is None:
                continue
            gradient = p.grad + self.weight_decay * p
            mean_square.copy_(0.9 * mean_square + (1 - 0.9) * gradient**2)
            p.copy_(p - self.lr * gradient / (mean_square + 1e-10).sqrt())


def momentum(parameters, lr, weight_decay):
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9, weight_decay=weight_decay)


def adam(parameters, lr, weight_decay):
    """TensorFlow's has no weight decay. Torch's has, and another place for its epsilon."""
    if weight_decay:
        return torch.optim.Adam(parameters, lr=lr, weight_decay=weight_decay)
    return TensorFlowAdam(parameters, lr)


OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "momentum": momentum,
    "adam": adam,
    "rmsprop": TensorFlowRMSProp,
}


def squared_loss(logits, labels):
    one_hot = nn.functional.one_hot(labels, logits.shape[1])
    return ((logits.softmax(1) - one_hot) ** 2).sum(1).mean()


LOSSES = {"cross_entropy": nn.CrossEntropyLoss(), "squared": squared_loss}


def sequential(widths, hyperparameters):
    layers = []
    for fan_in, fan_out in pairwise(widths):
        if layers:
            norm = nn.BatchNorm1d(fan_in) if hyperparameters.normalization == "batch" else None
            activation = ACTIVATIONS[hyperparameters.activation]()
            dropout = GivenDropout((fan_in,)) if hyperparameters.dropout else None
            layers += [part for part in (norm, activation, dropout) if part is not None]
        layers += [nn.Linear(fan_in, fan_out, bias=hyperparameters.biases)]
    return nn.Sequential(nn.Flatten(), *layers)


def convolutional(stack, hyperparameters):
    image, classes = stack.architecture.image, stack.weights[-1].shape[1]
    layers = []
    for layer in convolutions(hyperparameters, image, classes):
        if layer == "hidden":
            shape = nn.Sequential(*layers).eval()(torch.zeros(1, *image)).shape[1:]
            norm = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            layers += [norm(shape[0])] if hyperparameters.normalization == "batch" else []
            layers += [ACTIVATIONS[hyperparameters.activation]()]
            layers += [GivenDropout(shape)] if hyperparameters.dropout else []
        else:
            layers.append(layer)
    return nn.Sequential(*layers).train()


def tensors_of(network):
    """Tensors of a network in the order of a stack: kind by kind, layer by layer."""
    linear = [layer for layer in network if isinstance(layer, (nn.Conv2d, nn.Linear))]
    norms = [layer for layer in network if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d))]
    parameters = [layer.weight for layer in linear]
    parameters += [layer.bias for layer in linear if layer.bias is not None]
    parameters += [norm.weight for norm in norms] + [norm.bias for norm in norms]
    return parameters + [norm.running_mean for norm in norms] + [norm.running_var for norm in norms]


def network_of(stack, hyperparameters):
    """A stack of one as textbooks have it."""
    if hyperparameters.architecture == "fully_connected":
        network = sequential(stack.widths, hyperparameters)
    else:
        network = convolutional(stack, hyperparameters)
    for tensor, value in zip(tensors_of(network), stack.tensors.values(), strict=True):
        tensor.data.copy_(value[0])
    return network


def draw_masks(network, samples, hyperparameters, seed, step):
    generator = generator_for(hyperparameters.name, seed, "dropout", step)
    for layer in network:
        if not isinstance(layer, GivenDropout):
            continue
        drawn = torch.rand(prod(layer.shape), samples, generator=generator).T
        drawn = drawn.reshape(samples, *layer.shape)
        layer.mask = (drawn >= hyperparameters.dropout) / (1 - hyperparameters.dropout)


def augmented(images, views, augmentation, black=None):
    """The drawn view counts down, right, flips and turns, the last one fastest."""
    seen = []
    for number, (image, view) in enumerate(zip(images, views.tolist(), strict=True)):
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
        if augmentation == "crop_flip":
            for axis, shift in ((1, down), (2, right)):
                gone = slice(shift) if shift >= 0 else slice(shift, None)
                moved.movedim(axis, 0)[gone] = black[number].view(-1, 1)
        seen.append(torch.rot90(torch.flip(moved, flips), turn, (1, 2)))
    return torch.stack(seen)


def random_crops(whole, hyperparameters, seed, epoch):
    """One crop of each image, by rows from the top left, normalized if images are."""
    side, (height, width) = hyperparameters.crop, whole.shape[-2:]
    places = (height - side + 1, width - side + 1)
    generator = generator_for(hyperparameters.name, seed, "augmentation", epoch)
    drawn = torch.randint(places[0] * places[1], (len(whole),), generator=generator)
    crops = []
    for image, place in zip(whole, drawn.tolist(), strict=True):
        top, left = divmod(place, places[1])
        crop = image[:, top : top + side, left : left + side]
        if hyperparameters.input_normalization == "each_image":
            crop = (crop - crop.mean()) / crop.std(correction=0)
        crops.append(crop)
    return torch.stack(crops)


def slow_batches(data, hyperparameters, seed):
    """Batches for ever, and the number of the epoch that each belongs to."""
    count, name = len(data.train_labels), hyperparameters.name
    views_of = {"translate_flip": 162, "crop_flip": 162, "flips_rotations": 972}
    epoch = 0
    while True:
        order = torch.randperm(count, generator=generator_for(name, seed, "batches", epoch))
        images, labels = data.train_inputs[order], data.train_labels[order]
        if hyperparameters.augmentation == "random_crop":
            images = random_crops(data.train_whole[order], hyperparameters, seed, epoch)
        elif hyperparameters.augmentation != "none":
            generator = generator_for(name, seed, "augmentation", epoch)
            views = torch.randint(
                views_of[hyperparameters.augmentation], (count,), generator=generator
            )
            black = data.train_black[order]
            images = augmented(images, views, hyperparameters.augmentation, black)
        for begin in range(0, count, hyperparameters.batch_size):
            end = begin + hyperparameters.batch_size
            yield epoch, images[begin:end], labels[begin:end]
        epoch += 1


def slow_rate(hyperparameters, step, epoch):
    """Learning rate after so many steps, in this epoch, by the definition of the schedule."""
    one = hyperparameters
    if one.schedule == "cosine":
        turn = max(step - one.warmup_steps, 0) / (one.max_steps - one.warmup_steps) * math.pi
        factor = math.cos(turn / 2) ** 2
    elif one.schedule == "exponential":
        factor = (one.decay_factor ** (1 / one.decay_epochs)) ** epoch
    else:
        factor = one.decay_factor ** (epoch // one.decay_epochs)
    return one.learning_rate * factor * min(1, (step + 1) / (one.warmup_steps + 1))


def freeze(network, hyperparameters, step):
    """Fix layer l of L, counted from 1, once step / max_steps is u l / L; but not the last one."""
    layer, layers = 0, sum(isinstance(part, (nn.Conv2d, nn.Linear)) for part in network)
    for part in network:
        layer += isinstance(part, (nn.Conv2d, nn.Linear))
        share = Fraction(str(hyperparameters.freeze_until)) * layer / layers
        if 0 < layer < layers and step >= share * hyperparameters.max_steps:
            part.requires_grad_(False)
            if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
                part.eval()


def train_slowly(data, hyperparameters, seed, initial, steps):
    """Tensors in the order of a stack, before training and after each of so many steps.

    ``initial`` is a stack of one: where the network begins.
    """
    network = network_of(initial, hyperparameters)
    tensors, loss = tensors_of(network), LOSSES[hyperparameters.loss]
    parameters = [tensor for tensor in tensors if tensor.requires_grad]
    course = [[tensor.detach().clone() for tensor in tensors]]
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
            course.append([tensor.detach().clone() for tensor in tensors])
        return course
    optimizer = OPTIMIZERS[hyperparameters.optimizer](
        parameters, lr=hyperparameters.learning_rate, weight_decay=hyperparameters.weight_decay
    )
    batches = slow_batches(data, hyperparameters, seed)
    for step in range(1, steps + 1):
        epoch, images, labels = next(batches)
        rate = slow_rate(hyperparameters, step - 1, epoch)
        if isinstance(optimizer, torch.optim.Optimizer):
            optimizer.param_groups[0]["lr"] = rate
        else:
            optimizer.lr = rate
        for parameter in parameters:
            parameter.grad = None
        if hyperparameters.freeze_layers == "bottom_up":
            freeze(network, hyperparameters, step - 1)
        draw_masks(network, len(images), hyperparameters, seed, step)
        loss(network(images), labels).backward()
        optimizer.step()
        course.append([tensor.detach().clone() for tensor in tensors])
    return course
