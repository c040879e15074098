"""Modules whose hidden layers are seen only in part are refused by measures of hidden layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from generalization.errors import InputError
from generalization.measures.class_information import class_information
from generalization.measures.sampled_transitions import sampled_transitions
from generalization.measures.transitions import transitions
from generalization.networks.hidden_layers import is_sequence, module_activations


class Network(nn.Module):
    """A hidden layer of ReLUs, one that a function computes, and logits."""

    def __init__(self, function, units=6):
        super().__init__()
        self.one, self.two = nn.Linear(16, 6), nn.Linear(6, 6)
        self.scale, self.norm = nn.Parameter(torch.full((6,), 2.0)), nn.LayerNorm(6)
        self.head, self.relu = nn.Linear(units, 3), nn.ReLU()
        self.lstm = nn.LSTM(6, 6, batch_first=True)
        self.gru, self.cell = nn.GRU(6, 6, batch_first=True), nn.RNNCell(6, 6)
        self.function = function

    def forward(self, x):
        hidden = self.two(self.relu(self.one(x.flatten(1))))
        return self.head(self.function(self, hidden))


def written(hidden):
    out = torch.zeros(len(hidden), 6)
    out[:, :3] = hidden[:, 3:]
    return out * hidden


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x * x.sigmoid()

    @staticmethod
    def backward(context, gradient):
        (x,) = context.saved_tensors
        return gradient * x.sigmoid() * (1 + x * (1 - x.sigmoid()))


BENT = {
    "product": ("mul of features", lambda net, h: h * h),
    "square": ("square of features", lambda net, h: torch.square(h)),
    "power": ("pow of features", lambda net, h: h**2),
    "swish": ("mul of features", lambda net, h: h * torch.sigmoid(h)),
    "swish of a module": ("mul of features", lambda net, h: h * nn.Sigmoid()(h)),
    "gated": ("mul of features", lambda net, h: (h[:, :3] * h[:, 3:].sigmoid()).repeat(1, 2)),
    "glu": ("glu of features", lambda net, h: functional.glu(h).repeat(1, 2)),
    "glu module": ("glu of features", lambda net, h: nn.GLU()(h).repeat(1, 2)),
    "squared relu": ("square of features", lambda net, h: torch.relu(h).square()),
    "two activations": ("mul of features", lambda net, h: h.relu() * h.tanh()),
    "gate of a sum": (
        "mul of features",
        lambda net, h: h.relu().add_(h) * h.mean(1, keepdim=True).sigmoid(),
    ),
    "product in place": ("mul_ of features", lambda net, h: h.mul_(h.tanh())),
    "product of written": ("mul of features", lambda net, h: written(h)),
    "quotient": ("div of features", lambda net, h: h / h.cumsum(1)),
    "exponential": ("exp of features", lambda net, h: h.exp()),
    "matrices": ("matmul of features", lambda net, h: (h[:, :, None] @ h[:, None]).mean(2)),
    "einsum": ("einsum of features", lambda net, h: torch.einsum("nu,nv->nu", h, h)),
    "softmax": ("softmax of features", lambda net, h: h.softmax(1)),
    "softmax module": ("softmax of features", lambda net, h: nn.Softmax(1)(h)),
    "largest": ("max of features", lambda net, h: h.max(1, keepdim=True)[0].expand(-1, 6)),
    "amax": ("amax of features", lambda net, h: h.amax(1, keepdim=True).expand(-1, 6)),
    "topk": ("topk of features", lambda net, h: h.topk(6).values),
    "sorted": ("sort of features", lambda net, h: torch.sort(h)[0]),
    "lstm": ("lstm of features", lambda net, h: net.lstm(h[:, None])[0][:, 0]),
    "gru": ("gru of features", lambda net, h: net.gru(h[:, None])[0][:, 0]),
    "cell": ("rnn_tanh_cell of features", lambda net, h: net.cell(h)),
    "absolute values": ("abs of features", lambda net, h: abs(h)),
    "comparison": ("gt of features", lambda net, h: h.masked_fill(h > 0, 0.0)),
    "choice": ("where of features", lambda net, h: torch.where(h.bool(), h, 2 * h)),
    "numpy": ("numpy of features", lambda net, h: h + torch.from_numpy(h.detach().numpy())),
}
KEPT = {
    "scaled": lambda net, h: h * net.scale,
    "scaled by a power": lambda net, h: h * net.scale**2 / net.scale.exp(),
    "normalized": lambda net, h: net.norm(h),
    "mask like features": lambda net, h: torch.ones_like(h) * h,
    "mask like relu": lambda net, h: h.relu() * torch.full_like(h, 0.5),
    "weights of weights": lambda net, h: h @ (net.two.weight @ net.two.weight),
    "residual": lambda net, h: h + torch.relu(h) / 2,
    "first power": lambda net, h: h**1,
    "positions": lambda net, h: h + torch.arange(6.0).sin() + torch.arange(6.0).cos().abs(),
    "clamped weights": lambda net, h: h * net.scale.exp().clamp(max=100),
    "activated weights": lambda net, h: h * torch.sigmoid(net.scale) + net.two.bias.relu(),
    "mask of positions": lambda net, h: torch.where(torch.arange(6) < 4, h, 0.0),
    "triangle": lambda net, h: h @ torch.where(net.two.weight.abs() > 0.1, net.two.weight, 0.0),
}
MEASURES = {
    "transitions": lambda module, inputs: transitions(module, inputs, grid_points=8),
    "sampled_transitions": lambda module, inputs: sampled_transitions(
        module, inputs, grid_points=8
    ),
    "class_information": lambda module, inputs: class_information(
        module, inputs, torch.arange(len(inputs)) % 3
    ),
}


def images():
    return torch.randn(12, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def network(function):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Network(function).eval()


@pytest.mark.parametrize("kind", BENT)
def test_a_hidden_layer_that_is_not_seen_is_refused(kind):
    name, function = BENT[kind]
    sentence = (
        "networks must have activation functions of torch.nn or torch.nn.functional, not "
        f"{name}, whose hidden layers are not known."
    )
    with pytest.raises(InputError) as raised:
        module_activations(network(function), images())
    assert str(raised.value) == sentence
    for measure in ("transitions", "sampled_transitions"):
        with pytest.raises(ValueError, match=r"^\w+: networks must have activation .*\.$"):
            MEASURES[measure](network(function), images())


@pytest.mark.filterwarnings("ignore:sampled at 8 points")
@pytest.mark.parametrize("kind", KEPT)
def test_what_is_affine_in_features_is_no_hidden_layer(kind):
    for measure in MEASURES.values():
        assert measure(network(KEPT[kind]), images()).isfinite().all()


def test_functions_with_gradients_of_their_own_are_seen():
    for measure in MEASURES.values():
        with pytest.raises(ValueError, match=r"^\w+: networks must have activation .*\.$"):
            measure(network(lambda net, h: Swish.apply(h)), images())


def test_what_no_function_of_torch_computes_is_refused():
    module = network(lambda net, h: torch.tensor(h.tolist()))
    sentence = (
        "networks must compute their logits by functions of torch from the first to the last, not "
        "by others as a Network does, whose hidden layers are not known."
    )
    with pytest.raises(InputError, match=f"^{sentence}$"):
        module_activations(module, images())
    for measure in MEASURES.values():
        with pytest.raises(ValueError, match=r"^\w+: networks must .*\.$"):
            measure(module, images())


class SqueezeAndExcitation(nn.Module):
    """Channels times activations of whole channels, after an activation function or before."""

    def __init__(self, seen, reshaped=lambda gate, maps: gate):
        super().__init__()
        self.convolution, self.squeeze = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.head, self.seen, self.reshaped = nn.Linear(4, 3), seen, reshaped

    def forward(self, x):
        maps = self.convolution(x)
        maps = maps.relu() if self.seen else maps
        gate = functional.hardsigmoid(self.squeeze(maps.mean((2, 3), keepdim=True)))
        maps = maps * self.reshaped(gate, maps)
        return self.head(maps.relu().mean((2, 3)))


def test_gates_of_whole_channels_multiply_units_that_are_seen():
    found = module_activations(SqueezeAndExcitation(True).eval(), images())
    assert [tuple(one.shape[1:]) for one in found] == [(4, 4, 4), (4, 1, 1), (4, 4, 4)]
    with pytest.raises(InputError, match="not mul of features, whose hidden layers"):
        module_activations(SqueezeAndExcitation(False).eval(), images())


@pytest.mark.parametrize(
    "reshaped",
    [
        lambda gate, maps: gate.expand_as(maps),
        lambda gate, maps: gate.flatten(1).view(len(gate), 4, 1, 1).expand(maps.shape),
        lambda gate, maps: gate.squeeze(3).squeeze(2)[:, :, None, None],
    ],
    ids=["expand_as", "view", "index"],
)
def test_gates_are_read_in_any_shape(reshaped):
    seen = module_activations(SqueezeAndExcitation(True, reshaped).eval(), images())
    assert [tuple(one.shape[1:]) for one in seen] == [(4, 4, 4), (4, 1, 1), (4, 4, 4)]
    with pytest.raises(InputError, match="not mul of features, whose hidden layers"):
        module_activations(SqueezeAndExcitation(False, reshaped).eval(), images())


def test_products_of_all_units_are_refused_in_any_shape():
    module = network(lambda net, h: h.relu() * torch.sigmoid(h).view(h.shape))
    with pytest.raises(InputError, match="not mul of features, whose hidden layers"):
        module_activations(module, images())


def test_a_layer_in_a_sequence_that_bends_is_refused():
    layers = nn.Flatten(), nn.Linear(16, 6), nn.ReLU(), nn.Linear(6, 6)
    for layer in (nn.GLU(), nn.Softmax(1), nn.Softmin(1), nn.LogSoftmax(1)):
        module = nn.Sequential(*layers, layer, nn.LazyLinear(3)).eval()
        module(images())
        for measure in MEASURES.values():
            with pytest.raises(ValueError, match=r"^\w+: networks must have activation .*\.$"):
                measure(module, images())


class Scaled(nn.Module):
    """A layer of one's own: features times a parameter, or times features."""

    def __init__(self, squares):
        super().__init__()
        self.scale, self.squares = nn.Parameter(torch.full((6,), 2.0)), squares

    def forward(self, x):
        return x * (x + self.scale if self.squares else self.scale)


def test_a_layer_of_ones_own_in_a_sequence_hides_units_only_if_it_bends():
    def sequence(squares):
        layers = nn.Flatten(), nn.Linear(16, 6), nn.ReLU(), Scaled(squares), nn.Linear(6, 3)
        return nn.Sequential(*layers).eval()

    assert is_sequence(sequence(False))
    assert not is_sequence(sequence(True))
    for measure in MEASURES.values():
        assert measure(sequence(False), images()).isfinite().all()
        with pytest.raises(InputError, match="not mul of features, whose hidden layers"):
            measure(sequence(True), images())


def test_parameters_are_not_taken_for_features_afterwards():
    module = network(KEPT["scaled"])
    for _ in range(2):
        module_activations(module, images())
    assert not any(vars(one) for one in (*module.parameters(), *module.buffers()))
