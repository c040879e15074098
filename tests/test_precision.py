"""Numbers of low precision are of low precision, whatever type they are stored in."""

import math

import pytest
import torch
from torch import Generator
from torch.testing import assert_close

from generalization.catalog import SIMILARITIES, place_of
from generalization.measures.features import neural_collapse
from generalization.precision import rounded_to
from generalization.representations.representation import represented
from generalization.signatures import imported

WIDER = {
    torch.float32: (torch.float64,),
    torch.float16: (torch.float32, torch.float64),
    torch.bfloat16: (torch.float32, torch.float64),
}


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def layers():
    """Activations of rank 4 in 8 and 9 units, which rounding fills up."""
    return numbers(200, 4) @ numbers(4, 8, seed=1), numbers(200, 4, seed=2) @ numbers(4, 9, seed=3)


@pytest.mark.parametrize("name", SIMILARITIES)
@pytest.mark.parametrize("narrow", WIDER)
def test_converted_activations_have_the_similarity_of_those_they_are(name, narrow):
    similarity = imported(place_of(name))
    a, b = (layer.to(narrow) for layer in layers())
    expected = similarity(a, b)
    for wide in WIDER[narrow]:
        assert similarity(a.to(wide), b.to(wide)) == expected
        assert similarity(a.to(wide).numpy(), b) == expected


@pytest.mark.parametrize("narrow", WIDER)
def test_directions_of_rounding_are_none(narrow):
    a, _ = layers()
    for wide in (narrow, *WIDER[narrow]):
        assert represented(a.to(narrow).to(wide)).whole.basis.rank == 4
    assert represented(a).whole.basis.rank == 4
    noisy = a + 1e-9 * numbers(200, 8, seed=4)
    assert represented(noisy).whole.basis.rank == 8


def test_mean_correlation_of_independent_layers_is_that_of_their_directions():
    a, b = layers()
    mean_cca = imported(place_of("mean_cca"))
    rounded = mean_cca(a.float().double(), b.float().double()).value
    assert rounded == pytest.approx(mean_cca(a, b).value, abs=1e-4)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (numbers(5, 3), torch.float64),
        (numbers(5, 3).float(), torch.float32),
        (numbers(50, 3).float().double(), torch.float32),
        (numbers(50, 3).half().float(), torch.float16),
        (numbers(50, 3).bfloat16().double(), torch.bfloat16),
        (numbers(50, 3).half(), torch.float16),
        (torch.complex(*numbers(2, 50, 3).float()).to(torch.complex128), torch.complex64),
        (torch.cat([torch.zeros(4, 3), numbers(50, 3).float()]), torch.float32),
        (torch.cat([numbers(50, 3).half().double(), numbers(1, 3)]), torch.float64),
    ],
)
def test_the_type_is_the_shortest_that_holds_all_numbers(values, expected):
    assert rounded_to(values) == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "values",
    [
        torch.arange(60).reshape(20, 3),
        torch.arange(60).reshape(20, 3) % 2,
        torch.arange(-30, 30).reshape(20, 3) / 8,
        torch.eye(5),
        torch.zeros(4, 2),
        torch.zeros(4, 0),
    ],
)
def test_integers_and_counts_are_exact(values, dtype):
    assert rounded_to(values.to(dtype)) == dtype


def test_rare_events_of_exact_data_are_directions():
    events = (numbers(20_000, 3) > 0).double()
    twin = events[:, :1].clone()
    twin[7] = 1 - twin[7]
    assert represented(torch.cat([events, twin], 1)).whole.basis.rank == 4


def test_numbers_that_are_not_finite_are_left_as_they_are():
    values = numbers(50, 3).float().double()
    values[3, 1] = math.nan
    assert rounded_to(values) == torch.float64
    assert not represented(values).finite


class Rounding(torch.nn.Module):
    """A network that rounds its last hidden layer, as mixed precision does."""

    def __init__(self, dtype):
        super().__init__()
        self.head, self.dtype = torch.nn.Linear(6, 3, dtype=torch.float64), dtype

    def forward(self, x):
        return self.head((2 * x.relu()).to(self.dtype).to(x.dtype))


def test_neural_collapse_leaves_out_directions_that_rounding_makes():
    line = numbers(90, 1).abs() @ numbers(1, 6, seed=1).abs()
    labels = torch.arange(90) % 3
    torch.manual_seed(0)
    exact = neural_collapse(Rounding(torch.float64), line, labels)
    for dtype in (torch.float32, torch.float16):
        found = neural_collapse(Rounding(dtype), line, labels)
        assert_close(found, exact, rtol=0.05, atol=0)
