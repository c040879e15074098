"""What torch cannot differentiate is said in one sentence, and no derivative is zero unsaid."""

import numpy as np
import pytest
import torch
from torch import Generator, nn

from generalization.errors import InputError
from generalization.measures.class_information import class_information
from generalization.measures.fisher_rao_norm import fisher_rao_norm
from generalization.measures.gradient_norm import gradient_norm
from generalization.measures.jacobian_norm import jacobian_norm
from generalization.measures.margins import inverse_squared_margin, training_margin
from generalization.measures.mean_tangent_sensitivity import mean_tangent_sensitivity
from generalization.measures.norms import spectral_product_over_margin
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.measures.training_loss import training_loss


class Network(nn.Module):
    """Two hidden layers, of which any function computes the first."""

    def __init__(self, function):
        super().__init__()
        self.one, self.two, self.head = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.function, self.scale, self.log = function, torch.tensor(2.0), []

    def forward(self, x):
        return self.head(torch.relu(self.two(self.function(self, self.one(x)))))


class Former(torch.autograd.Function):
    """A function of the former kind, whose derivative torch.func cannot transform."""

    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(context, gradient):
        (x,) = context.saved_tensors
        return gradient * (x > 0)


class Unbatched(torch.autograd.Function):
    """A function of today that defines no rule for batches and no forward derivative."""

    @staticmethod
    def forward(x):
        return x.clamp(min=0)

    @staticmethod
    def setup_context(context, inputs, output):
        context.save_for_backward(*inputs)

    @staticmethod
    def backward(context, gradient):
        (x,) = context.saved_tensors
        return gradient * (x > 0)


class Once(torch.autograd.Function):
    """A function that numpy computes, and that can be differentiated once."""

    @staticmethod
    def forward(context, x):
        y = torch.from_numpy(np.tanh(x.numpy()))
        context.save_for_backward(y)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, gradient):
        (y,) = context.saved_tensors
        return gradient * (1 - y**2)


def by_numpy(net, h):
    return torch.from_numpy(np.tanh(h.detach().numpy()))


def without_graph(net, h):
    with torch.no_grad():
        return torch.relu(h)


def logged(net, h):
    net.log.append(h.detach().numpy())
    return torch.relu(h) * net.scale


def refusing(net, h):
    if torch._C._functorch.maybe_current_level() is not None:
        raise TypeError("no transformations.")
    return torch.relu(h)


CUT = {
    "numpy": by_numpy,
    "numpy without detaching": lambda net, h: torch.from_numpy(np.tanh(h.numpy())),
    "numpy in a branch": lambda net, h: torch.relu(h) + by_numpy(net, h),
    "an array in a branch": lambda net, h: torch.relu(h) + torch.tensor(np.asarray(h.detach())),
    "no graph": without_graph,
}
WHOLE = {
    "relu": lambda net, h: torch.relu(h),
    "former function": lambda net, h: Former.apply(h),
    "function of numpy": lambda net, h: Once.apply(h),
    "log": logged,
}


def network(function):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Network(function).eval()


@pytest.mark.parametrize("kind", CUT)
def test_gradients_that_stop_halfway_are_no_gradients(kind, points):
    for by, measure in (("parameters", gradient_norm), ("inputs", jacobian_norm)):
        with pytest.raises(InputError) as raised:
            measure(network(CUT[kind]), *points[: 2 if by == "parameters" else 1])
        assert str(raised.value) == f"{measure.__name__}: networks must have logits with " + (
            "derivatives, not those of a Network."
            if "graph" not in kind
            else f"derivatives by {by} that are those of their values, not those of a Network, "
            "which cuts or replaces gradients."
        )


@pytest.mark.parametrize("kind", CUT)
def test_what_needs_no_derivatives_has_a_value(kind, points):
    module = network(CUT[kind])
    with torch.no_grad():
        logits = module(points[0])
    labels = logits.argmax(1)
    expected = nn.functional.cross_entropy(logits, labels).item()
    assert training_loss(module, points[0], labels).item() == pytest.approx(expected, rel=1e-6)
    margins = training_margin(module, points[0], labels)
    assert inverse_squared_margin(module, points[0], labels) == margins.min() ** -2
    assert spectral_product_over_margin(module, points[0], labels).isfinite()


@pytest.mark.parametrize("kind", WHOLE)
def test_gradients_of_functions_of_ones_own_are_those_of_autograd(kind, points):
    module = network(WHOLE[kind])
    loss = nn.functional.cross_entropy(module(points[0]), points[1])
    found = torch.autograd.grad(loss, list(module.parameters()))
    expected = torch.cat([one.flatten() for one in found]).norm().item()
    assert gradient_norm(module, *points).item() == pytest.approx(expected, rel=1e-5)


class Tokens(nn.Module):
    """Counts inputs in steps, each of which has an embedding."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(9, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.embedding((x.clamp(-2, 2) + 4).round().long()).mean(1))


def test_inputs_that_are_counted_leave_gradients_whole(points):
    torch.manual_seed(0)
    module = Tokens()
    loss = nn.functional.cross_entropy(module(points[0]), points[1])
    found = torch.autograd.grad(loss, list(module.parameters()))
    expected = torch.cat([one.flatten() for one in found]).norm().item()
    assert gradient_norm(module, *points).item() == pytest.approx(expected, rel=1e-5)
    sentence = "^jacobian_norm needs networks with logits that depend smoothly on the inputs, not a"
    with pytest.raises(InputError, match=sentence):
        jacobian_norm(module, points[0])


def test_settings_that_cannot_be_meant_are_no_fault_of_a_module(points):
    module = network(WHOLE["relu"])
    with pytest.raises(ValueError, match=r"^class_information: bins must be at least 1, not 0\.$"):
        class_information(module, *points, bins=0)


@pytest.mark.parametrize(
    ("function", "need"),
    [
        (
            lambda net, h: Former.apply(h),
            {
                tangent_sensitivity: "layers whose autograd.Function has a setup_context",
                fisher_rao_norm: "layers whose autograd.Function has a setup_context",
            },
        ),
        (
            lambda net, h: Unbatched.apply(h),
            {
                tangent_sensitivity: "layers that torch.vmap can batch",
                fisher_rao_norm: "layers that have forward derivatives",
            },
        ),
    ],
)
def test_what_functions_of_ones_own_lack_is_said(function, need, points):
    for measure, lacking in need.items():
        generator = Generator().manual_seed(0)
        given = () if measure is fisher_rao_norm else (generator,)
        with pytest.raises(InputError) as raised:
            measure(network(function), points[0], *given)
        assert str(raised.value) == (
            f"{measure.__name__} needs networks with {lacking}, not a Network."
        )
    expected = mean_tangent_sensitivity(network(WHOLE["relu"]), points[0], Generator())
    found = mean_tangent_sensitivity(network(function), points[0], Generator())
    assert torch.allclose(found, expected, rtol=1e-5)


def test_what_a_module_raises_itself_is_told(points):
    with pytest.raises(InputError) as raised:
        fisher_rao_norm(network(refusing), points[0])
    assert str(raised.value) == (
        "fisher_rao_norm needs networks that torch can differentiate and batch, not a Network (no "
        "transformations)."
    )
    assert isinstance(raised.value.__cause__, TypeError)


def test_memory_that_is_lacking_is_no_fault_of_a_module(points):
    def lacking(net, h):
        if len(h) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return torch.relu(h)

    with pytest.raises(torch.OutOfMemoryError):
        training_loss(network(lacking), *points)


def test_a_module_that_writes_arrays_to_a_log_has_no_marks_afterwards(points):
    module = network(logged)
    jacobian_norm(module, points[0])
    assert not any(vars(one) for one in (*module.parameters(), module.scale))
