"""Every function asks whether derivatives are right where it takes them, and nowhere else."""

from contextlib import contextmanager

import pytest
import torch
from own_modules.cases import CASES
from own_modules.matrix import OF_MODULES, arguments, outcome, outcome_of, short_spectra
from torch import nn

from generalization.catalog import SIMILARITIES
from generalization.networks import reading
from generalization.networks.differentiability import Read
from generalization.networks.finite_differences import FORWARD

BY_NAME = {case.name: case for case in CASES}
BOTH = "inputs and parameters"
# A sequence of known layers, of known layers and a convolution, and others, without factors too.
WATCHED = ("perceptron", "Tanh", "convolutions", "functional activation", "recurrent beside ReLU")
CUT = "networks must have logits with derivatives by {} that are those of their values, not those"


class Watch:
    """What a function asks of derivatives, and whether it evaluates linear layers with a graph."""

    def __init__(self):
        self.asked, self.with_graph, self.reads = set(), False, False


@contextmanager
def watching(monkeypatch):
    """Record what functions ask, and ask nothing; what reads networks may take a graph."""
    watch, forward, first = Watch(), nn.Linear.forward, reading._first_output

    def linear(layer, values):
        transformed = torch._C._functorch.maybe_current_level() is not None
        watch.with_graph |= not watch.reads and (torch.is_grad_enabled() or transformed)
        return forward(layer, values)

    def first_output(*given):
        watch.reads = True
        try:
            return first(*given)
        finally:
            watch.reads = False

    with monkeypatch.context() as patched:
        patched.setattr(nn.Linear, "forward", linear)
        patched.setattr(reading, "_first_output", first_output)
        patched.setattr(Read, "require", lambda _, by: watch.asked.add(by))
        yield watch


def watched(name, case, monkeypatch):
    """Call a function of a module, and return what it did."""
    # It counts what a graph needs, of which no derivative is taken.
    monkeypatch.setattr("generalization.own_networks.fitting_batch_size", lambda *_: 1024)
    function, given = arguments(name, case.module(), case)
    with watching(monkeypatch) as watch, short_spectra(), torch.no_grad():
        try:
            function(**given)
        except ValueError:
            return watch
    return watch


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OF_MODULES)
def test_what_differentiates_asks_before(name, monkeypatch):
    for kind in WATCHED:
        watch = watched(name, BY_NAME[kind], monkeypatch)
        assert bool(watch.asked) == watch.with_graph, kind


def ways(name, kind, monkeypatch):
    """Return what a function asks of a kind of module: several ways are a second derivative."""
    asked = watched(name, BY_NAME[kind], monkeypatch).asked
    asked = {by for by in asked if not by.endswith(FORWARD)}
    return BOTH if len(asked) > 1 else "".join(asked)


def agrees(name, kind, plain):
    """Whether a function says the same of a plain module that is the same function."""
    expected = outcome_of(name, plain, BY_NAME[kind]).values
    found = outcome(name, BY_NAME[kind]).values
    return torch.allclose(found, expected, rtol=1e-4, atol=1e-6, equal_nan=True)


class Rounded(nn.Module):
    """The straight-through module with the weights that it computes with."""

    def __init__(self, module):
        super().__init__()
        self.one, self.two = module.one, module.two
        weight = (8 * module.one.weight.detach()).round() / 8
        assert not torch.equal(weight, self.one.weight)
        self.one.weight = nn.Parameter(weight)

    def forward(self, x):
        return self.two(torch.relu(self.one(x.flatten(1))))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OF_MODULES)
def test_rounded_weights_have_derivatives_by_inputs_alone(name, monkeypatch):
    kind = "straight-through estimator"
    by, said = ways(name, kind, monkeypatch), outcome(name, BY_NAME[kind])
    if by in {"parameters", BOTH}:
        assert CUT.format("parameters") in said.refusal
    elif by == "inputs":
        assert agrees(name, kind, Rounded(BY_NAME[kind].module()))


class Rounding(nn.Module):
    """Rounds its inputs, with gradients of zero."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return self.body((8 * x).round() / 8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in OF_MODULES if name not in SIMILARITIES])
def test_rounded_inputs_have_derivatives_by_parameters_alone(name, monkeypatch):
    kind = "rounded inputs"
    by, said = ways(name, kind, monkeypatch), outcome(name, BY_NAME[kind])
    if by in {"inputs", BOTH}:
        assert CUT.format("inputs") in said.refusal
    elif said.values is not None:
        assert agrees(name, kind, Rounding(BY_NAME[kind].module().body))


class Tanh(nn.Module):
    """The function that is differentiated once, without a function of its own."""

    def __init__(self, module):
        super().__init__()
        self.one, self.two, self.three = module.one, module.two, module.three

    def forward(self, x):
        return self.three(torch.relu(self.two(torch.tanh(self.one(x.flatten(1))))))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in OF_MODULES if name not in SIMILARITIES])
def test_second_derivatives_that_are_cut_are_refused_where_they_are_taken(name, monkeypatch):
    kind = "differentiated once"
    by, said = ways(name, kind, monkeypatch), outcome(name, BY_NAME[kind])
    if by == BOTH:
        assert CUT.format(BOTH) in said.refusal
    elif said.values is not None:
        assert agrees(name, kind, Tanh(BY_NAME[kind].module()))


def test_all_ways_are_taken(monkeypatch):
    kind = "functional activation"
    taken = {ways(name, kind, monkeypatch) for name in ("jacobian_norm", "weight_norm")}
    taken |= {ways(name, kind, monkeypatch) for name in ("gradient_norm", "tangent_sensitivity")}
    assert taken == {"inputs", "", "parameters", BOTH}
