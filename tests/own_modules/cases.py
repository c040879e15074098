"""Kinds of modules that researchers have, one case each, and what every function is given.

Every module maps 12 images of 1 × 4 × 4 pixels to logits of 3 classes, unless its kind is about
another output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune
from torch.utils.checkpoint import checkpoint

SAMPLES, CLASSES, PIXELS, WIDTH, TOKENS = 12, 3, 16, 6, 9


@dataclass(frozen=True)
class Case:
    """A kind of module.

    Attributes:
        name: Name in tests.
        build: Makes the module.
        dtype: Of the inputs.
        twin: From the module to one of plain layers that is the same function.
        title: Heading in the documentation, if that is not the name.
    """

    name: str
    build: Callable[[], nn.Module]
    dtype: torch.dtype = torch.float32
    twin: Callable[[nn.Module], nn.Module] | None = None
    title: str = ""

    @property
    def heading(self) -> str:
        """Heading in the documentation."""
        return self.title or self.name

    def module(self) -> nn.Module:
        """Return a new module, the same at every call, in train mode as people have it."""
        module = self._built()
        if self._mean_logits is not None:
            with torch.no_grad():
                biased_layers(module)[-1].bias.sub_(self._mean_logits)
        return module.train()

    def _built(self) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.build()

    @cached_property
    @torch.no_grad()
    def _mean_logits(self) -> Tensor | None:
        """Means that are taken from the last biases, so that not all inputs are of one class."""
        module, logits = self._built().eval(), []
        if not biased_layers(module):
            return None
        biased_layers(module)[-1].register_forward_hook(lambda _, __, found: logits.append(found))
        module(self.inputs())
        return logits[-1].mean(0)

    def inputs(self) -> Tensor:
        """Return the inputs, the same at every call."""
        generator = Generator().manual_seed(1)
        if not self.dtype.is_floating_point:
            return torch.randint(TOKENS, (SAMPLES, 1, 4, 4), generator=generator)
        return torch.randn(SAMPLES, 1, 4, 4, generator=generator).to(self.dtype)


def biased_layers(module: nn.Module) -> list[nn.Linear]:
    """Return its linear layers that have biases."""
    layers = [one for one in module.modules() if isinstance(one, nn.Linear)]
    return [one for one in layers if one.bias is not None]


def labels() -> Tensor:
    """Return the labels of the inputs."""
    return torch.arange(SAMPLES) % CLASSES


def perceptron(activation: Callable[[], nn.Module] = nn.ReLU, width: int = WIDTH) -> nn.Sequential:
    """Build two hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(PIXELS, width),
        activation(),
        nn.Linear(width, width),
        activation(),
        nn.Linear(width, CLASSES),
    )


def tied() -> nn.Sequential:
    """Build a network that uses one layer twice."""
    layer = nn.Linear(WIDTH, WIDTH)
    ends = nn.Linear(PIXELS, WIDTH), nn.Linear(WIDTH, CLASSES)
    return nn.Sequential(nn.Flatten(), ends[0], nn.ReLU(), layer, nn.ReLU(), layer, ends[1])


class Autoencoder(nn.Module):
    """One parameter under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(PIXELS, PIXELS), nn.Linear(PIXELS, PIXELS)
        self.two.weight = self.one.weight
        self.head = nn.Linear(PIXELS, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.two(torch.relu(self.one(x.flatten(1))))))


def with_statistics(module: nn.Module) -> nn.Module:
    """Return the module after two training batches, so that its statistics are not the defaults."""
    generator = Generator().manual_seed(2)
    for _ in range(2):
        module(3 * torch.randn(SAMPLES, 1, 4, 4, generator=generator) + 1)
    return module


def batch_norm() -> nn.Module:
    """Build a perceptron with batch normalization."""
    layers = nn.Linear(PIXELS, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES)
    return with_statistics(nn.Sequential(nn.Flatten(), *layers))


def convolutional() -> nn.Module:
    """Build a convolutional network with batch normalization and pooling."""
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(4, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(5, CLASSES)]
    return with_statistics(nn.Sequential(*layers))


def batch_statistics() -> nn.Module:
    """Build a perceptron that normalizes by the statistics of the batch even in eval mode."""
    norm = nn.BatchNorm1d(WIDTH, track_running_stats=False)
    layers = nn.Linear(PIXELS, WIDTH), norm, nn.ReLU(), nn.Linear(WIDTH, CLASSES)
    return nn.Sequential(nn.Flatten(), *layers)


class InstanceStatistics(nn.Module):
    """Normalizes by the statistics of the batch with no module that says so.

    Attributes:
        above: Number of inputs of a batch above which it does.
    """

    def __init__(self, above: int = 0) -> None:
        super().__init__()
        self.body, self.above = perceptron(), above

    def forward(self, x: Tensor) -> Tensor:
        return self.body((x - x.mean(0)) / x.std(0) if len(x) > self.above else x)


class Block(nn.Module):
    """A residual block, as torchvision writes it: one activation module used twice."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + x)


class Inside(nn.Module):
    """A module that has another one inside, so that it is no sequence."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Tokens(nn.Module):
    """Averages embeddings of tokens, which pixels are."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.one = nn.Embedding(TOKENS, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.one(self.embedding(x.flatten(1)).mean(1))))


class OfNumbers(nn.Module):
    """Applies a module to integers that are given as other numbers."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x.long())


class InAutocast(nn.Module):
    """Computes in half precision with weights of single precision."""

    def __init__(self) -> None:
        super().__init__()
        self.body = perceptron()

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.body(x)


class Residual(nn.Module):
    """A small ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(True))
        self.blocks = nn.Sequential(Block(4), Block(4))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pool(self.blocks(self.stem(x))).flatten(1))


def children_of_residual() -> nn.Module:
    """Build a sequence of the children of a ResNet."""
    *body, head = with_statistics(Residual()).children()
    return nn.Sequential(*body, nn.Flatten(), head)


class Functional(nn.Module):
    """Applies the activation function as a function in the first layer, as a module later."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(PIXELS, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.three, self.relu = nn.Linear(WIDTH, CLASSES), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.three(self.relu(self.two(functional.relu(self.one(x.flatten(1))))))


class Mixed(nn.Module):
    """Layers of two precisions."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(PIXELS, WIDTH)
        self.two = nn.Linear(WIDTH, CLASSES).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.two(torch.relu(self.one(x.flatten(1))).double())


class Output(nn.Module):
    """Gives an object with logits, as transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.body = perceptron()

    def forward(self, x: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.body(x))


class Attention(nn.Module):
    """A vision transformer of one block, rows of the image its tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.embed(x.flatten(1, 2))).mean(1))


class ScaledDotProduct(nn.Module):
    """Attention by the fused kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.head = nn.Linear(4, 24), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x.flatten(1, 2)).unsqueeze(1).chunk(3, -1)
        return self.head(functional.scaled_dot_product_attention(q, k, v).squeeze(1).mean(1))


def weight_norm() -> nn.Module:
    """Build a network whose weights are made of lengths and directions."""
    module = perceptron()
    nn.utils.parametrizations.weight_norm(module[1])
    nn.utils.parametrizations.weight_norm(module[3])
    return module


@torch.no_grad()
def pruned() -> nn.Module:
    """Build a network of whose weights and biases some are masked."""
    module = perceptron()
    prune.l1_unstructured(module[1], "weight", amount=0.5)
    prune.random_structured(module[3], "weight", amount=1, dim=0)
    prune.l1_unstructured(module[3], "bias", amount=1)
    return module


@torch.no_grad()
def spectrally_normalized() -> nn.Module:
    """Build a network whose weights hooks divide by their spectral norm, the former way."""
    module = perceptron()
    nn.utils.spectral_norm(module[3])
    return module


class Recurrent(nn.Module):
    """Reads rows of the image one after the other, by a fused kernel and by steps."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 3, bidirectional=True, batch_first=True)
        self.cell, self.head = nn.GRUCell(6, 4), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        rows, _ = self.lstm(x.flatten(1, 2))
        return self.head(self.cell(rows[:, -1], self.cell(rows[:, 0])))


def parametrized_recurrent() -> nn.Module:
    """Build a recurrent network of whose fused weights some are made of others, in both ways."""
    module, made = Recurrent(), nn.utils.parametrizations
    made.weight_norm(module.lstm, "weight_ih_l0")
    made.orthogonal(module.lstm, "weight_hh_l0")
    made.spectral_norm(module.lstm, "weight_ih_l0_reverse")
    made.weight_norm(module.cell, "weight_hh")
    return module


def plain_recurrent(module: nn.Module) -> nn.Module:
    """Return the module with the weights that it has in eval mode."""
    for layer in (module.eval().lstm, module.cell):
        for name in list(layer.parametrizations):
            nn.utils.parametrize.remove_parametrizations(layer, name)
    return module


class Gated(nn.Module):
    """Multiplies features by a gate, as gated linear units do, after a layer of ReLUs."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(PIXELS, WIDTH), nn.Linear(WIDTH, 2 * WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        features, gate = self.two(torch.relu(self.one(x.flatten(1)))).chunk(2, 1)
        return self.head(features * torch.sigmoid(gate))


class RecurrentBesideReLU(nn.Module):
    """Reads rows of the image one after the other, then has a layer of ReLUs."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.one = nn.GRU(4, 3, batch_first=True), nn.Linear(3, WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        rows, _ = self.gru(x.flatten(1, 2))
        return self.head(torch.relu(self.one(rows[:, -1])))


def transposed() -> nn.Module:
    """Build a network whose first layer is a transposed convolution."""
    layers = [nn.ConvTranspose2d(1, 4, 2, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3)]
    return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), nn.Linear(20, CLASSES))


class Checkpointed(nn.Module):
    """Computes a block once more for its gradients, to save memory."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(PIXELS, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def block(self, hidden: Tensor) -> Tensor:
        return torch.relu(self.two(torch.relu(hidden)))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.one(x.flatten(1))
        return self.head(checkpoint(self.block, hidden, use_reentrant=False))


class InList(nn.Module):
    """Holds a layer in a list, so that its parameters are not those of the module."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.head = [nn.Linear(PIXELS, WIDTH)], nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.layers[0](x.flatten(1))))


def maxima() -> nn.Module:
    """Build a network that bends by max-pooling alone."""
    layers = nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, CLASSES)
    return nn.Sequential(*layers)


class LowRank(nn.Module):
    """Adds a product of two thin matrices to a weight, as adapters do."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(2, PIXELS))
        self.up = nn.Parameter(torch.ones(WIDTH, 2))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + 0.1 * self.up @ self.down


def adapted() -> nn.Module:
    """Build a network with an adapter, whose other parameters are frozen."""
    module = perceptron().requires_grad_(False)
    nn.utils.parametrize.register_parametrization(module[1], "weight", LowRank())
    module[1].parametrizations.weight.original.requires_grad_(False)
    return module


def parametrized() -> nn.Module:
    """Build a network of whose weights one has a spectral norm of 1, one orthogonal rows."""
    module = perceptron()
    nn.utils.parametrizations.spectral_norm(module[1])
    nn.utils.parametrizations.orthogonal(module[3])
    return module


def plain_parametrized(module: nn.Module) -> nn.Module:
    """Return the module with the weights that it has in eval mode."""
    for layer in (module.eval()[1], module[3]):
        nn.utils.parametrize.remove_parametrizations(layer, "weight")
    return module


def plain_adapted(module: nn.Module) -> nn.Module:
    """Return the module with the adapter added to its weight."""
    nn.utils.parametrize.remove_parametrizations(module[1], "weight")
    return module


class Without(nn.Module):
    """Computes logits without a graph, as inference code does."""

    def __init__(self) -> None:
        super().__init__()
        self.body = perceptron()

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class ThroughNumpy(nn.Module):
    """Computes a hidden layer by numpy, as code of others may."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.body = nn.Linear(PIXELS, PIXELS), perceptron()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.one(x.flatten(1))
        return self.body(torch.from_numpy(np.tanh(hidden.detach().numpy())))


class PassingNumbers(nn.Module):
    """Scales every hidden layer by a number, which leaves the graph on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = (
            *(nn.Linear(PIXELS, WIDTH), nn.Linear(WIDTH, WIDTH)),
            nn.Linear(WIDTH, CLASSES),
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.one(x.flatten(1)))
        scales = hidden.new_tensor([[1 / (1 + row.norm().item())] for row in hidden])
        return self.head(torch.relu(self.two(hidden * scales)))


class Quantized(nn.Module):
    """Rounds its weights, with gradients as if it did not."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(PIXELS, WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.one.weight
        weight = weight + ((8 * weight).round() / 8 - weight).detach()
        return self.two(torch.relu(functional.linear(x.flatten(1), weight, self.one.bias)))


class RoundedInputs(nn.Module):
    """Rounds its inputs, with gradients as if it did not."""

    def __init__(self) -> None:
        super().__init__()
        self.body = perceptron()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x + ((8 * x).round() / 8 - x).detach())


class TanhOnce(torch.autograd.Function):
    """A function with a derivative that is right, and has none itself."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.tanh()

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        context.save_for_backward(*inputs)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (x,) = context.saved_tensors
        return gradient * (1 - x.detach().tanh() ** 2)

    @staticmethod
    def jvp(context: Any, tangent: Tensor) -> Tensor:
        (x,) = context.saved_tensors
        return tangent * (1 - x.detach().tanh() ** 2)


class Applying(nn.Module):
    """Applies an autograd.Function in the first layer."""

    function: type[torch.autograd.Function]

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(PIXELS, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.three = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.three(torch.relu(self.two(self.function.apply(self.one(x.flatten(1))))))


class DifferentiatedOnce(Applying):
    """Applies a function that can be differentiated once."""

    function = TanhOnce


class NotFiniteAtSome(nn.Module):
    """Adds something to the logits of inputs whose first pixel is above a half."""

    def __init__(self, added: float) -> None:
        super().__init__()
        self.body, self.added = perceptron(), added

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + torch.where(x.flatten(1)[:, :1] > 0.5, self.added, 0.0)


class UnusedNaN(nn.Module):
    """Computes a hidden layer that is NaN, and does not use it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.side, self.relu = perceptron(), nn.Linear(PIXELS, WIDTH), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        self.relu(self.side(x.flatten(1)) * torch.nan)
        return self.body(x)


class Clipped(torch.autograd.Function):
    """A function of the former kind, with a derivative of its own."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return x.clamp(-1, 1)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (x,) = context.saved_tensors
        return gradient * (x.abs() < 1)


class OwnFunction(Applying):
    """Applies a function with a derivative of its own."""

    function = Clipped


class Counting(nn.Module):
    """Counts its calls in a buffer, and puts another one in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.body = perceptron()
        self.register_buffer("calls", torch.zeros(1))
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.mean = self.mean + x.mean().detach()
        return self.body(x)


class WithoutParameters(nn.Module):
    """Gives the first pixels as logits."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :CLASSES]


def hooked() -> nn.Module:
    """Build a network whose container has a hook that changes its outputs."""
    module = perceptron()
    module.register_forward_hook(lambda _, __, output: 2 * output)
    return module


def ending_in(*layers: nn.Module, classes: int = CLASSES) -> nn.Module:
    """Build a perceptron with other last layers."""
    return nn.Sequential(*perceptron()[:-1], nn.Linear(WIDTH, classes), *layers)


def narrow() -> nn.Module:
    """Build a network of one unit a layer, dead on most inputs."""
    return perceptron(width=1)


def plain_functional(module: Functional) -> nn.Module:
    """Return the layers of a functional network with modules for all functions."""
    one, two, three = module.one, module.two, module.three
    return nn.Sequential(nn.Flatten(), one, nn.ReLU(), two, nn.ReLU(), three)


def plain_mixed(module: Mixed) -> nn.Module:
    """Return the layers of two precisions in the wider one."""
    return nn.Sequential(nn.Flatten(), module.one, nn.ReLU(), module.two).double()


def plain_weights(module: nn.Module) -> nn.Module:
    """Return the module with plain weights."""
    for layer in (module[1], module[3]):
        nn.utils.parametrize.remove_parametrizations(layer, "weight")
    return module


def without_masks(module: nn.Module) -> nn.Module:
    """Return the module with weights that are 0 where they were masked."""
    for layer, name in ((module[1], "weight"), (module[3], "weight"), (module[3], "bias")):
        prune.remove(layer, name)
    return module


def without_spectral_norm(module: nn.Module) -> nn.Module:
    """Return the module with weights that were divided."""
    nn.utils.remove_spectral_norm(module[3])
    return module


def doubled(module: nn.Module) -> nn.Module:
    """Return the hooked network without a hook and with a last layer that is twice as large."""
    twin = perceptron()
    twin.load_state_dict(module.state_dict())
    with torch.no_grad():
        twin[-1].weight.mul_(2)
        twin[-1].bias.mul_(2)
    return twin


ACTIVATIONS = (
    *(nn.SELU, nn.Mish, nn.PReLU, nn.Hardswish, nn.Hardsigmoid),
    *(nn.Tanh, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.ReLU6, nn.Hardshrink, nn.RReLU),
)

# In the order of the documentation.
KINDS = {
    "Architectures": (
        Case("perceptron", perceptron, title="Fully connected, ReLU"),
        Case("convolutions", convolutional, title="Convolutions, batch normalization, pooling"),
        Case("transposed convolutions", transposed, title="Transposed convolutions"),
        Case("residual", lambda: with_statistics(Residual()), title="Residual network (ResNet)"),
        Case(
            "children of a residual network",
            children_of_residual,
            title="Children of a residual network in a sequence",
        ),
        Case("transformer", Attention, title="Transformer (ViT)"),
        Case(
            "fused attention",
            ScaledDotProduct,
            title="Fused attention without activation functions",
        ),
        Case("tokens", Tokens, torch.int64, OfNumbers, title="Tokens of an embedding"),
        Case("recurrent", Recurrent, title="Recurrent network (LSTM, GRU)"),
        Case("recurrent beside ReLU", RecurrentBesideReLU, title="Recurrent layer beside ReLU"),
        Case("max-pooling alone", maxima, title="Max-pooling as the only nonlinearity"),
        Case(
            "no hidden layer",
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, CLASSES)),
            title="Linear, without hidden layers",
        ),
        Case("narrow", narrow, title="One unit per layer"),
        Case("no parameters", WithoutParameters, title="Without parameters"),
    ),
    "Activation functions of a perceptron": (
        *(Case(kind.__name__, lambda kind=kind: perceptron(kind)) for kind in ACTIVATIONS),
        Case(
            "functional activation",
            Functional,
            twin=plain_functional,
            title="Activation functions called as functions",
        ),
        Case("own function", OwnFunction, title="autograd.Function of one's own"),
        Case("gate written by hand", Gated, title="Gate written by hand"),
    ),
    "Normalization and weights": (
        Case("batch normalization", batch_norm, title="Batch normalization"),
        Case(
            "batch statistics",
            batch_statistics,
            title="Batch normalization without running statistics",
        ),
        Case(
            "hidden batch statistics",
            InstanceStatistics,
            title="Logits that depend on the other inputs",
        ),
        Case(
            "statistics of large batches",
            lambda: InstanceStatistics(above=8),
            title="Batch statistics of more than eight inputs",
        ),
        Case("weight normalization", weight_norm, twin=plain_weights, title="Weight normalization"),
        Case("pruned weights", pruned, twin=without_masks, title="Pruned weights"),
        Case(
            "spectral normalization by hooks",
            spectrally_normalized,
            twin=without_spectral_norm,
            title="Spectral normalization of the former kind",
        ),
        Case(
            "adapter on frozen weights",
            adapted,
            twin=plain_adapted,
            title="Adapter (LoRA) on frozen weights",
        ),
        Case(
            "parametrizations",
            parametrized,
            twin=plain_parametrized,
            title="Spectral norm and orthogonality by parametrizations",
        ),
        Case(
            "parametrizations of recurrent layers",
            parametrized_recurrent,
            twin=plain_recurrent,
            title="Parametrizations of recurrent layers (LSTM, GRU)",
        ),
        Case("one layer twice", tied, title="One layer used twice"),
        Case("tied weights", Autoencoder, title="Tied weights (autoencoder)"),
        Case("hook on the container", hooked, twin=doubled, title="Forward hook on a container"),
    ),
    "Numbers and memory": (
        Case("float16", lambda: perceptron().half(), torch.float16, nn.Module.float),
        Case("bfloat16", lambda: perceptron().bfloat16(), torch.bfloat16, nn.Module.float),
        Case(
            "half precision in float32",
            lambda: perceptron().bfloat16().float(),
            title="Weights of half precision stored in float32",
        ),
        Case("float64", lambda: perceptron().double(), torch.float64),
        Case("mixed precision", Mixed, twin=plain_mixed, title="Layers of two precisions"),
        Case("autocast", InAutocast, title="Forward pass in autocast"),
        Case(
            "channels last",
            lambda: convolutional().to(memory_format=torch.channels_last),
            title="Memory format channels_last",
        ),
        Case(
            "checkpointed block",
            Checkpointed,
            title="Checkpointed blocks (torch.utils.checkpoint)",
        ),
        Case("layers in a list", InList, title="Layers in a list, which are not registered"),
        Case(
            "data parallel",
            lambda: nn.DataParallel(perceptron()),
            twin=lambda one: one.module,
            title="DataParallel",
        ),
    ),
    "Outputs": (
        Case(
            "logits in an object",
            Output,
            twin=lambda module: module.body,
            title="Logits in an output object",
        ),
        Case("one logit", lambda: ending_in(classes=1), title="One logit"),
        Case(
            "vector output",
            lambda: ending_in(nn.Flatten(0)),
            title="A vector instead of one row per input",
        ),
        Case(
            "softmax at the end",
            lambda: ending_in(nn.Softmax(1)),
            title="Probabilities (softmax at the end)",
        ),
        Case(
            "sigmoid at the end",
            lambda: ending_in(nn.Sigmoid()),
            title="Probabilities of several labels (sigmoid at the end)",
        ),
        Case(
            "log-softmax at the end",
            lambda: ending_in(nn.LogSoftmax(1)),
            twin=lambda module: module[:-1],
            title="Log-probabilities (log_softmax at the end)",
        ),
        Case("logits without a graph", Without, title="Forward pass under no_grad"),
        Case("through numpy", ThroughNumpy, title="Forward pass through numpy"),
        Case(
            "numbers passed on",
            PassingNumbers,
            title="Gradients cut by item, tolist, data or detach",
        ),
        Case(
            "straight-through estimator",
            Quantized,
            title="Straight-through estimator (quantized weights)",
        ),
        Case(
            "rounded inputs",
            RoundedInputs,
            title="Straight-through estimator (rounded inputs)",
        ),
        Case(
            "differentiated once",
            DifferentiatedOnce,
            title="autograd.Function whose derivative has none",
        ),
        Case("buffers that change", Counting, title="Buffers that change in eval mode"),
        Case(
            "NaN logits",
            lambda: NotFiniteAtSome(torch.nan),
            title="Logits that are NaN at some inputs",
        ),
        Case(
            "infinite logits",
            lambda: NotFiniteAtSome(torch.inf),
            title="Logits that are infinite at some inputs",
        ),
        Case("unused NaN", UnusedNaN, title="NaN in a hidden layer that is not used"),
    ),
}
CASES = tuple(case for kinds in KINDS.values() for case in kinds)
