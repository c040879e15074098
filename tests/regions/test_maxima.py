import pytest
import torch
from torch import Generator, nn

from generalization.regions.maxima import maxima_changes

LAYERS = [
    nn.MaxPool2d(2),
    nn.MaxPool2d(3, stride=1, padding=1),
    nn.MaxPool2d((2, 3), stride=(3, 2), ceil_mode=True),
    nn.MaxPool2d(3, stride=2, padding=(1, 0), dilation=(1, 2), ceil_mode=True),
    nn.MaxPool2d(5),
]
NOWHERE = torch.empty(0, dtype=torch.int64)


def images(count, *shape, seed=0):
    return torch.randn(count, *shape, generator=Generator().manual_seed(seed)).double()


def positions_of(layer, values, apart=NOWHERE, floor=-torch.inf):
    return maxima_changes(layer, values, apart, floor).sort().values


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_between_changes_every_maximum_is_affine(layer):
    values = images(4, 2, 5, 6)
    found = torch.cat((torch.arange(4).double(), positions_of(layer, values))).sort().values
    assert len(found) > 10

    def pooled(positions):
        begin = positions.long().clamp_max(2)
        weight = (positions - begin).view(-1, 1, 1, 1)
        return layer(values[begin].lerp(values[begin + 1], weight))

    between = pooled((found[1:] + found[:-1]) / 2)
    ends = pooled(found)
    assert torch.allclose(between, (ends[1:] + ends[:-1]) / 2, rtol=0, atol=1e-12)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_only_places_where_a_maximum_bends_are_found(layer):
    values = images(4, 2, 5, 6)
    for position in positions_of(layer, values):
        edge = int(position)
        begin, end = values[edge], values[edge + 1]
        here, before, behind = (
            layer(begin.lerp(end, (position - edge + shift).item())[None])
            for shift in (0, -1e-6, 1e-6)
        )
        assert ((before + behind - 2 * here) > 1e-9).any()


def test_three_lines_change_twice():
    # 1 − s, 0.7, s − 0.1 on the edge: the largest changes at 0.3 and 0.8.
    begin, end = torch.tensor([[[[1.0, 0.7, -0.1]]]]), torch.tensor([[[[0.0, 0.7, 0.9]]]])
    found = positions_of(nn.MaxPool2d((1, 3)), torch.cat((begin, end)))
    assert found.tolist() == pytest.approx([0.3, 0.8], abs=1e-6)


def test_line_below_two_others_is_not_met():
    begin, end = torch.tensor([[[[1.0, 0.3, 0.0]]]]), torch.tensor([[[[0.0, 0.3, 1.0]]]])
    assert positions_of(nn.MaxPool2d((1, 3)), torch.cat((begin, end))).tolist() == [0.5]


def test_equal_entries_do_not_change():
    values = torch.zeros(2, 1, 2, 2)
    values[1, 0, 0, 1] = 1  # The first of four zeros is the largest, then the second entry.
    assert positions_of(nn.MaxPool2d(2), values).tolist() == []


def test_breakpoints_of_different_curves_are_not_joined():
    values = images(3, 1, 4, 4)
    layer = nn.MaxPool2d(2)
    found = positions_of(layer, values, torch.tensor([1]))
    assert torch.equal(found, positions_of(layer, values[:2]))
    assert (found < 1).all()


def test_maxima_below_the_floor_are_all_the_same():
    values = images(4, 2, 6, 6) - 0.8
    layer = nn.MaxPool2d(2)
    some, every = positions_of(layer, values, floor=0.0), positions_of(layer, values)
    assert 0 < len(some) < len(every)
    assert set(some.tolist()) < set(every.tolist())
    assert len(positions_of(layer, values - 9, floor=0.0)) == 0
