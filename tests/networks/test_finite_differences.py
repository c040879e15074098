"""Gradients that are not those of the values are refused, and no others."""

from itertools import product

import pytest
import torch
from torch import Generator, nn
from torch.nn import functional

from generalization.errors import InputError
from generalization.measures.fisher_rao_norm import fisher_rao_norm
from generalization.measures.gradient_norm import gradient_norm
from generalization.measures.jacobian_norm import jacobian_norm
from generalization.measures.mean_tangent_sensitivity import mean_tangent_sensitivity
from generalization.measures.noise_to_signal_slope import noise_to_signal_slope
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.measures.training_loss import training_loss
from generalization.networks import finite_differences
from generalization.networks.finite_differences import WAYS, has_true_derivatives


class Network(nn.Module):
    """Two hidden layers, of which any function computes the first."""

    def __init__(self, function):
        super().__init__()
        self.one, self.two, self.head = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.zero, self.function, self.held = nn.Parameter(torch.zeros(6)), function, None

    def forward(self, x):
        return self.head(torch.relu(self.two(self.function(self, x))))


class Uncopied(Network):
    def __deepcopy__(self, memory):
        raise TypeError("no copies.")


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return -gradient


class Halved(torch.autograd.Function):
    """A tanh with half of its derivative in forward mode."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.tanh()

    @staticmethod
    def setup_context(context, inputs, output):
        context.save_for_backward(output)
        context.save_for_forward(output)

    @staticmethod
    def backward(context, gradient):
        return gradient * (1 - context.saved_tensors[0] ** 2)

    @staticmethod
    def jvp(context, tangent):
        return tangent * (1 - context.saved_tensors[0] ** 2) / 2


def rounded(x):
    return x + ((16 * x).round() / 16 - x).detach()


def scaled(net, x, number):
    hidden = net.one(x).tanh()
    return hidden * torch.tensor([[1 + number(row)] for row in hidden])


def with_weight(change):
    return lambda net, x: functional.linear(x, change(net.one.weight), net.one.bias)


CUT = {
    "detach": lambda net, x: net.one(x) * net.one(x).detach(),
    "data": lambda net, x: net.one(x) + torch.sin(net.one(x).data),
    "item": lambda net, x: scaled(net, x, lambda row: row.norm().item()),
    "tolist": lambda net, x: scaled(net, x, lambda row: max(row.tolist())),
    "float": lambda net, x: scaled(net, x, lambda row: float(row[0])),
    "a twentieth": lambda net, x: net.one(x) + 0.05 * net.one(x).tanh().detach(),
    "detached inputs": lambda net, x: net.one(x.detach()) + 0.1 * net.one(x),
    "detached weight": with_weight(lambda weight: weight.detach()),
    "detached bias": lambda net, x: functional.linear(x, net.one.weight, net.one.bias.detach()),
    "rounded weight": with_weight(rounded),
    "sign of weight": with_weight(lambda weight: weight + (weight.sign() - weight).detach()),
    "rounded features": lambda net, x: rounded(net.one(x)),
    "quantized features": lambda net, x: torch.fake_quantize_per_tensor_affine(
        net.one(x), 0.05, 0, -128, 127
    ),
    "reversed gradients": lambda net, x: Reversed.apply(net.one(x)),
}


def stable(net, x):
    hidden = net.one(x)
    exponentials = (hidden - hidden.amax(1, keepdim=True).detach()).exp()
    return exponentials / exponentials.sum(1, keepdim=True)


def routed(net, x):
    hidden = net.one(x)
    return hidden * (hidden == hidden.amax(1, keepdim=True))


def holding(net, x):
    net.held = torch.relu(net.one(x))
    return net.held


def autocast(net, x):
    with torch.autocast("cpu", torch.bfloat16):
        return torch.relu(net.one(x)).float()


def single_only(net, x):
    assert net.one.weight.dtype == torch.float32
    return torch.relu(net.one(x))


def checked(net, x):
    hidden = net.one(x)
    return hidden.relu() if hidden.abs().max().item() < 1e9 else hidden


WHOLE = {
    "relu": lambda net, x: torch.relu(net.one(x)),
    "softmax less a detached maximum": stable,
    "routing": routed,
    "holding features": holding,
    "rounding casts": lambda net, x: net.one(x).half().float().bfloat16().to(torch.float32),
    "autocast": autocast,
    "single precision only": single_only,
    "a number that decides": checked,
    "shrinking": lambda net, x: functional.hardshrink(net.one(x)),
    "maxima of equal values": lambda net, x: functional.max_pool1d(
        torch.cat([x, x, x.relu()], 1).unsqueeze(1), 2
    ).flatten(1),
    "kinks at 0": lambda net, x: functional.linear(0 * x, net.one.weight).relu() + net.one(x),
    "a branch of weight 0": lambda net, x: net.one(x).tanh() + (net.zero * x[:, :1]).relu(),
    "rounded inputs": lambda net, x: net.one(x.round()),
    "a mask of -inf": lambda net, x: functional.softmax(
        net.one(x).masked_fill(torch.arange(6) > 3, -torch.inf), 1
    ),
}
# The others have no derivatives by either.
RIGHT = {
    "detached inputs": {"parameters"},
    "detached weight": {"inputs"},
    "detached bias": {"inputs"},
    "rounded weight": {"inputs"},
    "sign of weight": {"inputs"},
}
REFUSAL = (
    "{}: networks must have logits with derivatives by {} that are those of their values, not "
    "those of a Network, which cuts or replaces gradients."
)


def network(function):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Network(function).eval()


@pytest.mark.parametrize("kind", CUT)
def test_gradients_of_another_function_are_refused(kind, points):
    module = network(CUT[kind])
    measures = {"parameters": (gradient_norm, points), "inputs": (jacobian_norm, points[:1])}
    for by, (measure, given) in measures.items():
        if by in RIGHT.get(kind, ()):
            assert measure(module, *given).isfinite().all()
            continue
        with pytest.raises(InputError) as raised:
            measure(module, *given)
        assert str(raised.value) == REFUSAL.format(measure.__name__, by)
    assert training_loss(module, *points).isfinite()


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *((kind, torch.float32) for kind in WHOLE),
        *product(sorted(WHOLE.keys() - {"single precision only"}), (torch.float64, torch.float16)),
    ],
)
def test_gradients_of_the_values_are_not(kind, dtype, points):
    module = network(WHOLE[kind]).to(dtype)
    before = {name: one.clone() for name, one in module.state_dict().items()}
    for by in WAYS:
        assert has_true_derivatives(module, points[0].to(dtype), by)
        assert has_true_derivatives(module, torch.zeros(3, 4, dtype=dtype), by)
    assert all(torch.equal(before[name], one) for name, one in module.state_dict().items())
    assert not any(one.grad is not None for one in module.parameters())


@pytest.mark.parametrize("kind", CUT)
def test_single_precision_tells_them_too(kind, points, monkeypatch):
    monkeypatch.setattr(finite_differences, "usable_memory", lambda device: 0)
    missed = {
        "a twentieth": {"inputs", "parameters"},
        "rounded weight": {"parameters"},
        "reversed gradients": {"parameters"},
    }
    for by in ("inputs", "parameters"):
        fine = by in {*RIGHT.get(kind, ()), *missed.get(kind, ())}
        assert has_true_derivatives(network(CUT[kind]), points[0], by) == fine
        assert has_true_derivatives(network(WHOLE["relu"]), points[0], by)


def test_derivatives_in_forward_mode_may_be_wrong_alone(points):
    module = network(lambda net, x: Halved.apply(net.one(x)))
    plain = network(lambda net, x: net.one(x).tanh())
    for measure, given in ((gradient_norm, points), (jacobian_norm, points[:1])):
        assert torch.allclose(measure(module, *given), measure(plain, *given))
    for measure, given, by in (
        (fisher_rao_norm, points[:1], "parameters"),
        (noise_to_signal_slope, points[:1], "inputs"),
    ):
        assert measure(plain, *given).isfinite().all()
        with pytest.raises(InputError) as raised:
            measure(module, *given)
        assert str(raised.value) == REFUSAL.format(measure.__name__, f"{by} in forward mode")


def test_networks_of_torch_alone_are_not_evaluated(points):
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    assert has_true_derivatives(module, None, "inputs")
    module[1].register_forward_hook(lambda _, __, output: output.detach())
    with pytest.raises(TypeError):
        has_true_derivatives(module, None, "inputs")
    module[0].forward = lambda x: functional.linear(x, module[0].weight.sign())
    assert not finite_differences.is_of_torch(nn.Sequential(module[0]))


def test_derivatives_are_compared_once_for_all_measures(points, monkeypatch):
    import generalization

    compared = []
    agree = finite_differences._agree
    monkeypatch.setattr(
        finite_differences, "_agree", lambda *given: compared.append(given[2]) or agree(*given)
    )
    for names, expected in (
        (["training_loss", "output_entropy", "weight_norm"], []),
        (["jacobian_norm", "gradient_norm", "gaussian_jacobian_norm"], ["inputs", "parameters"]),
        (["tangent_sensitivity", "mean_tangent_sensitivity", "jacobian_norm"], [*WAYS][:3]),
        (
            ["fisher_rao_norm", "empirical_fisher_rao_norm"],
            ["parameters", "parameters in forward mode"],
        ),
    ):
        compared.clear()
        table = generalization.measure(network(WHOLE["relu"]), *points, names)
        assert (table["status"] == "ok").all()
        assert compared == expected


def test_modules_that_cannot_be_copied_are_compared_and_left_as_they_were(points):
    module = network(CUT["reversed gradients"])
    module.__class__ = Uncopied
    before = {name: one.clone() for name, one in module.state_dict().items()}
    assert not has_true_derivatives(module, points[0], "inputs")
    assert all(torch.equal(before[name], one) for name, one in module.state_dict().items())
    module.function = WHOLE["relu"]
    assert has_true_derivatives(module, points[0], "inputs")
    assert all(torch.equal(before[name], one) for name, one in module.state_dict().items())


class Tanh(torch.autograd.Function):
    """A function whose derivative is right, of which autograd may not know the derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.tanh()

    @staticmethod
    def setup_context(context, inputs, output):
        context.save_for_backward(*inputs)

    @staticmethod
    def backward(context, gradient):
        (x,) = context.saved_tensors
        return gradient * (1 - x.tanh() ** 2)


class Cut(Tanh):
    @staticmethod
    def backward(context, gradient):
        (x,) = context.saved_tensors
        return gradient * (1 - x.detach().tanh() ** 2)


class Rounded(Tanh):
    @staticmethod
    def backward(context, gradient):
        (x,) = context.saved_tensors
        slope = 1 - x.tanh() ** 2
        return gradient * (x + slope - x.detach() - (slope - slope.detach()))


class Once(Tanh):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, gradient):
        (x,) = context.saved_tensors
        return gradient * (1 - x.tanh() ** 2)


def applied(function):
    return lambda net, x: function.apply(net.one(x))


OF_SECOND_ORDER = (tangent_sensitivity, mean_tangent_sensitivity)


@pytest.mark.parametrize("function", [Cut, Rounded, Once])
def test_second_derivatives_of_another_function_are_refused(function, points):
    module, plain = network(applied(function)), network(lambda net, x: net.one(x).tanh())
    for measure in OF_SECOND_ORDER:
        with pytest.raises(InputError) as raised:
            measure(module, points[0], Generator().manual_seed(0))
        assert str(raised.value) == REFUSAL.format(measure.__name__, "inputs and parameters")
    for measure, given in ((gradient_norm, points), (jacobian_norm, points[:1])):
        assert torch.allclose(measure(module, *given), measure(plain, *given), rtol=1e-5)


@pytest.mark.parametrize("measure", OF_SECOND_ORDER)
def test_second_derivatives_of_functions_of_ones_own_are_right(measure, points):
    plain = network(lambda net, x: net.one(x).tanh())
    expected = measure(plain, points[0], Generator().manual_seed(0))
    found = measure(network(applied(Tanh)), points[0], Generator().manual_seed(0))
    assert torch.allclose(found, expected, rtol=1e-5)
