"""Forms of an activation function are followed as one, or refused, and never overlooked."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import get_testing_overrides

from generalization.errors import InputError
from generalization.measures.transitions import transitions
from generalization.networks.hidden_layers import number_of_hidden_layers

aten, special = torch.ops.aten, torch.special


class Between(nn.Module):
    """A function between two layers, of which the second is followed by a ReLU."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Linear(16, 12), nn.Linear(12, 12)
        self.head, self.function = nn.Linear(12, 3), function

    def forward(self, x):
        hidden = self.one(x.flatten(1))
        return self.head(torch.relu(self.two(self.function(hidden))))


class Shifted(nn.ReLU):
    """It is a ReLU by its class, and not by what it computes."""

    def forward(self, x):
        return functional.relu(x - 1)


def images():
    return torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def in_place(function):
    return lambda h: function(h.clone())


@pytest.mark.parametrize(
    ("function", "plain"),
    [
        (in_place(functional.relu_), functional.relu),
        (in_place(functional.leaky_relu_), functional.leaky_relu),
        (in_place(functional.hardtanh_), functional.hardtanh),
        (lambda h: functional.hardtanh_(h.clone(), -0.5, 0.5), nn.Hardtanh(-0.5, 0.5)),
        (Shifted(), lambda h: functional.relu(h - 1)),
        (lambda h: torch.lerp(h, 2 * h, 0.5), lambda h: 1.5 * h),
    ],
)
def test_forms_have_the_transitions_of_the_plain_function(function, plain):
    found, expected = (
        transitions(Between(one), images(), grid_points=256) for one in (function, plain)
    )
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    "function",
    [
        in_place(functional.elu_),
        in_place(functional.celu_),
        in_place(functional.selu_),
        lambda h: functional.threshold_(h.clone(), 0.0, 0.0),
    ],
)
def test_forms_in_place_make_hidden_layers(function):
    assert number_of_hidden_layers(Between(function), images()) == 2


REFUSED = {
    "special_expit": special.expit,
    "special_erf": special.erf,
    "special_softmax": lambda h: special.softmax(h, 1),
    "special_log_softmax": lambda h: special.log_softmax(h, 1),
    "relu": aten.relu,
    "leaky_relu": aten.leaky_relu,
    "rrelu": torch.rrelu,
    "hypot": lambda h: torch.hypot(h, h + 1),
    "lerp": lambda h: torch.lerp(h, 2 * h, h),
    "polar": lambda h: torch.polar(torch.ones_like(h), h).real,
    "cdist": lambda h: torch.cdist(h[:, None], h[:, None])[:, 0].expand(-1, 12),
    "var": lambda h: h + h.var(1, keepdim=True),
    "std": lambda h: h + h.std(1, keepdim=True),
    "quantile": lambda h: h + h.quantile(0.5, 1, keepdim=True),
    "renorm": lambda h: h.renorm(2, 0, 1.0),
    "linalg_vector_norm": lambda h: h + torch.linalg.vector_norm(h, dim=1, keepdim=True),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_followed_is_refused(name):
    sentence = f"must have activation functions of torch.nn or .*, not {name} of features, whose"
    with pytest.raises(InputError, match=sentence):
        transitions(Between(REFUSED[name]), images(), grid_points=16)


# Modules have pooling and normalization as layers; types round, and what is drawn is no function.
LAYERS = ("pool", "group_norm", "instance_norm", "batch_norm", "layer_norm", "rms_norm")
NO_FUNCTIONS = ("float", "half", "bfloat16", "dequantize", "quantize", "_like", "empty")
NO_FUNCTIONS += ("rand", "bernoulli", "binomial", "dropout", "normal", "poisson", "multinomial")
NO_FUNCTIONS += ("cauchy", "exponential", "geometric", "uniform")
FORMS = {
    "h": lambda function, h: function(h),
    "h, h": lambda function, h: function(h, h),
    "h, 1": lambda function, h: function(h, 1),
    "h, 0.5": lambda function, h: function(h, 0.5),
}


def added(function, form):
    """Add to features what a function makes of a copy of them."""

    def apply(h):
        found = FORMS[form](function, h.clone())
        first = found[0] if isinstance(found, list | tuple) else found
        assert isinstance(first, Tensor) and first.is_floating_point()
        return h + (first if first.shape == h.shape else first.sum())

    return apply


def is_known_to_bend(apply):
    """Return whether the middle of two points is not mapped to the middle of their values."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 4, 12, generator=generator, dtype=torch.float64)
    try:
        middle, *ends = (apply(one) for one in ((a + b) / 2, a, b))
    except Exception:  # Not a function of these arguments.
        return False
    return not torch.allclose(middle, sum(ends) / 2, equal_nan=False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMS)
def test_no_function_of_torch_that_bends_is_overlooked(form):
    overlooked, bending = [], 0
    for function in get_testing_overrides():
        name = getattr(function, "__name__", "")
        if not name or any(part in name for part in LAYERS + NO_FUNCTIONS):
            continue
        apply = added(function, form)
        if is_known_to_bend(apply):
            bending += 1
            try:
                if number_of_hidden_layers(Between(apply), images()) < 2:
                    overlooked.append(name)
            except InputError:
                continue
            except (RuntimeError, TypeError, AssertionError):  # Not of single precision.
                continue
    assert bending > 10
    assert not overlooked
