import math
from itertools import pairwise, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln, hyp1f1

from generalization.derivatives.path_bounds import (
    active_paths,
    layerwise,
    theorem_3_1,
    theorem_3_2,
    theorem_3_2_author,
)
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.active_units import active_units

PIECEWISE_LINEAR = [name for name, phi in ACTIVATION_FUNCTIONS.items() if phi.piecewise_linear]
REDUCTIONS = ["sum", "full", 0]


@st.composite
def networks_and_inputs(draw, depths=(2, 6)):
    """Two networks at seven points, with weights of all scales: maxima on both sides of 1."""
    least, most = depths
    widths = draw(st.lists(st.integers(1, 8), min_size=least + 1, max_size=most + 1))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    numbers = {"generator": generator, "dtype": torch.float64}
    scales = draw(st.lists(st.floats(0.1, 10), min_size=len(widths), max_size=len(widths)))
    weights = tuple(
        scale * torch.randn(2, fan_out, fan_in, **numbers) / fan_in**0.5
        for (fan_in, fan_out), scale in zip(pairwise(widths), scales[1:], strict=True)
    )
    shapes = widths[1:] if draw(st.booleans()) else []
    biases = tuple(torch.randn(2, units, **numbers) for units in shapes)
    activation = draw(st.sampled_from(PIECEWISE_LINEAR))
    networks = FullyConnectedNetworks(weights, activation, biases)
    return networks, scales[0] * torch.randn(7, widths[0], **numbers)


def log_maxima(networks):
    return torch.stack([weight.abs().amax((1, 2)) for weight in networks.weights], -1).log()


def all_units(widths):
    return float64(*widths[1:-1])


def constant(widths, weight):
    weights = (
        torch.full((1, fan_out, fan_in), weight, dtype=torch.float64)
        for fan_in, fan_out in pairwise(widths)
    )
    return FullyConnectedNetworks(tuple(weights), "relu")


def float64(*values):
    return torch.tensor(values, dtype=torch.float64)


def at_most(values, bounds):
    return bool((values <= bounds + 1e-9).all())


@settings(max_examples=150)
@given(networks_and_inputs(), st.sampled_from(REDUCTIONS))
def test_no_network_is_above_a_bound_at_any_point(case, reduction):
    networks, inputs = case
    widths, maxima = networks.widths, log_maxima(networks).unsqueeze(1)
    units = active_units(networks, inputs).double()
    exact = tangent_sensitivity(networks, inputs, reduction=reduction).log()
    of_all = layerwise(widths, all_units(widths), maxima, reduction=reduction)
    of_active = layerwise(widths, units, maxima, reduction=reduction)
    assert at_most(exact, of_active)
    assert at_most(of_active, of_all)
    assert at_most(of_active, active_paths(widths, units, maxima, reduction=reduction))


@settings(max_examples=100)
@given(networks_and_inputs(), st.sampled_from(REDUCTIONS))
def test_published_form_is_above_the_layerwise_bound_if_no_norm_is_below_1(case, reduction):
    networks, _ = case
    maxima = log_maxima(networks).clamp_min(0)
    of_all = layerwise(networks.widths, all_units(networks.widths), maxima, reduction=reduction)
    assert at_most(of_all, theorem_3_1(networks.widths, maxima, reduction=reduction))


@settings(max_examples=100)
@given(networks_and_inputs(depths=(2, 3)), st.sampled_from(REDUCTIONS))
def test_normal_form_bounds_the_mean_for_up_to_two_hidden_layers(case, reduction):
    networks, inputs = case
    maxima, units = log_maxima(networks), active_units(networks, inputs).double()
    normal = theorem_3_2(networks.widths, units, maxima, reduction=reduction)
    paths = active_paths(networks.widths, units, maxima.unsqueeze(1), reduction=reduction)
    assert at_most(paths.exp().mean(1).log(), normal)
    exact = tangent_sensitivity(networks, inputs, reduction=reduction)
    assert at_most(exact.mean(1).log(), normal)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    "widths", [(5, 4, 3), (5, 4, 3, 6, 2), (3, 1, 1, 7, 1), (1, 2, 2, 2, 2, 9)]
)
@pytest.mark.parametrize("weight", [0.05, 3.0])
def test_layerwise_bound_is_attained_by_equal_positive_weights(weight, widths, reduction):
    networks, inputs = constant(widths, weight), torch.rand(3, widths[0]).double() + 0.1
    exact = tangent_sensitivity(networks, inputs, reduction=reduction).log()
    maxima, units = log_maxima(networks).unsqueeze(1), active_units(networks, inputs).double()
    assert torch.equal(units, all_units(widths).expand_as(units))
    bound = layerwise(widths, units, maxima, reduction=reduction)
    torch.testing.assert_close(exact, bound, rtol=1e-13, atol=1e-13)


def test_published_form_is_no_bound_of_small_weights():
    widths = (6, 5, 7, 4, 3)
    networks, inputs = constant(widths, 0.05), torch.ones(1, 6, dtype=torch.float64)
    value = tangent_sensitivity(networks, inputs).item()
    with_factor = theorem_3_1(widths, log_maxima(networks), reduction="sum").exp().item()
    printed = theorem_3_1(widths, log_maxima(networks), reduction=0).exp().item()
    assert value == pytest.approx(0.0758, abs=5e-5)
    assert printed == pytest.approx(0.0238, abs=5e-5)
    assert with_factor == pytest.approx(3 * printed)
    assert value > with_factor


@pytest.mark.parametrize(
    ("reduction", "logits"), [("sum", [(0, 1)]), ("full", [(0,), (1,)]), (1, [(1,)])]
)
def test_layerwise_bound_equals_paths_enumerated(reduction, logits):
    widths, norms, active = (2, 3, 4, 2, 2), (0.5, 2.0, 0.3, 1.5), ((0, 2), (0, 1, 3), (1,))
    paths = list(product(range(2), *active, range(2)))
    square = 0.0
    for layer in range(4):
        others = math.prod(norm for m, norm in enumerate(norms) if m != layer)
        for unit, below, source in product(
            range(widths[layer + 1]), range(widths[layer]), range(2)
        ):
            through = [p for p in paths if p[layer : layer + 2] == (below, unit) and p[0] == source]
            square += sum((others * sum(p[-1] in row for p in through)) ** 2 for row in logits)
    units = float64(2, 3, 1)
    bound = layerwise(widths, units, float64(*norms).log(), reduction=reduction)
    assert bound.item() == pytest.approx(math.log(square) / 2, rel=1e-13)


def test_path_forms_are_their_formulas():
    widths, maxima = (3, 4, 6, 2), float64(0.5, 2, 3).log()
    units = float64([1, 2], [3, 6])
    entries = math.sqrt((3 * 4 + 4 * 6 + 6 * 2) * 3)
    for reduction, outputs in (("sum", 2), ("full", 2**0.5), (1, 1)):
        values = {
            (10 / 2) ** 2 * 0.5 * 2 * 3: theorem_3_1(widths, maxima, reduction=reduction),
            3**2 * 3 * 6: active_paths(widths, units[1], maxima, reduction=reduction),
            # 3 and 9 active units have mean 6 and variance 9.
            3**2 * (6**2 + 9) / 2**2: theorem_3_2(widths, units, maxima, reduction=reduction),
        }
        for expected, value in values.items():
            assert value.exp().item() == pytest.approx(outputs * entries * expected)


def test_normal_form_of_equal_counts_is_the_most_paths_of_so_many_units():
    units = float64(5, 2, 2).expand(7, 3)
    widths, maxima = (4, 5, 6, 7, 2), float64(0, 0, 0, 0)
    of_layers = theorem_3_2(widths, units, maxima, reduction="sum")
    of_paths = active_paths(widths, float64(3, 3, 3), maxima, reduction="sum")
    assert of_layers.item() == pytest.approx(of_paths.item(), rel=1e-14)


def test_authors_form_is_what_he_computes():
    k, count, mean, deviation, w = 4, 100, 200.0, 15.0, 0.7
    units = float64([50, 50, 50, 35], [50, 50, 50, 65])
    computed = (
        math.log(count)
        + gammaln(k / 2)
        + (k - 1) * math.log(deviation)
        - math.log(math.pi)
        + (k - 1) * math.log(w)
        + math.log(hyp1f1(-(k - 1) / 2, 0.5, -(mean**2) / (2 * deviation**2)))
        + (k - 1) * math.log(2) / 2
        - k * math.log(k)
    )
    maxima = float64(w, 1, 1, 1, 1).log()
    value = theorem_3_2_author((3072, 100, 100, 100, 100, 10), units, maxima)
    assert value.item() == pytest.approx(computed, rel=1e-12)


def test_no_active_unit_in_a_layer_leaves_nothing():
    widths, units = (4, 5, 6, 2), float64([3, 0], [0, 0])
    maxima = float64(0, 0, 0)
    assert layerwise(widths, units, maxima, reduction="sum").tolist() == [-math.inf] * 2
    assert active_paths(widths, units, maxima, reduction="sum").tolist() == [-math.inf] * 2


def test_a_layer_of_zeros_leaves_its_own_block():
    widths, maxima = (4, 5, 2), float64(0.7, 0).log()
    bound = layerwise(widths, all_units(widths), maxima, reduction="sum")
    assert bound.item() == pytest.approx(math.log(2 * 5 * 4 * 0.7**2) / 2)


@pytest.mark.parametrize("weight", [1e-30, 1e30])
def test_deep_and_wide_networks_do_not_overflow(weight):
    widths = (3072, *[3000] * 199, 10)
    maxima = float64(*[math.log(weight)] * 200)
    units = float64([1500] * 199, [1600] * 199)
    both = {"reduction": "sum"}
    values = torch.stack([
        layerwise(widths, all_units(widths), maxima, **both),
        layerwise(widths, units[0], maxima, **both),
        theorem_3_1(widths, maxima, **both),
        theorem_3_2(widths, units, maxima, **both),
        theorem_3_2_author(widths, units, maxima),
        active_paths(widths, units[0], maxima, **both),
    ])
    assert values.isfinite().all()
    # 198 layers have 3000² weights. The first and the last have fewer, but each on more paths.
    paths = 2 * 197 * math.log(3000) + math.log(3072) + 2 * math.log(10)
    entries = math.log(198 * 3000**2 + 3000**3 + 3000**3 / 10)
    expected = (paths + entries) / 2 + 199 * math.log(weight)
    assert values[0].item() == pytest.approx(expected, rel=1e-13)
