import torch

from generalization.units.unit_orders import (
    UnitOrder,
    each_alone,
    equidistant_counts,
    random_orders,
)


def test_order_of_all_units_is_one_within_every_layer():
    order = UnitOrder(torch.tensor([4, 0, 2, 1, 3]), (0, 1, 3, 5), (2, 3), (0, 1))
    assert order.within(0).tolist() == [0, 1]
    assert order.within(1).tolist() == [2, 0, 1]
    assert order.within(2) == slice(None)
    assert order.cuts == [(0, 0, 0), (0, 1, 0), (1, 2, 0), (2, 3, 0)]


def test_layers_between_are_left_as_they_are():
    order = UnitOrder(torch.tensor([3, 0, 1, 2]), (0, 2, 4), (9, 2, 5, 2), (1, 3))
    assert order.lowest == 1
    assert order.within(2) == slice(None)
    assert order.cuts == [(0, 0, 0, 0), (1, 0, 1, 0), (2, 0, 2, 0)]


def test_random_orders_hold_every_unit_once_and_differ():
    orders = random_orders((4, 50), (0, 1), (0,), 5, torch.Generator().manual_seed(0))
    for order in orders:
        assert sorted(order.units.tolist()) == list(range(54))
    assert len({tuple(order.units.tolist()) for order in orders}) == 5


def test_each_unit_comes_first_once():
    orders = each_alone((3, 4), 1)
    assert [order.units[0].item() for order in orders] == [0, 1, 2, 3]
    assert all(order.cuts == [(1, 0)] for order in orders)


def test_counts_are_equidistant_and_each_there_once():
    assert equidistant_counts(200, 4) == [0, 50, 100, 150, 200]
    assert equidistant_counts(3, 20) == [0, 1, 2, 3]
