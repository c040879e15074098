import pytest
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch import nn

from generalization.measures.number_of_parameters import number_of_parameters


# The first two are those of Zhang et al. 2017.
@pytest.mark.parametrize(
    ("widths", "biases", "count"),
    [
        ((2352, 512, 10), True, 1_209_866),
        ((2352, 512, 512, 512, 10), True, 1_735_178),
        ((64, 100, 100, 10), False, 17_400),
    ],
)
def test_published_counts(widths, biases, count):
    networks = random_networks(widths, count=2, biases=biases)
    assert number_of_parameters(networks).tolist() == [count, count]
    assert number_of_parameters(PlainNetwork(networks)).tolist() == [count]


def test_shared_parameter_counts_once_and_buffers_do_not_count():
    layer = nn.Linear(3, 3, bias=False)
    assert number_of_parameters(nn.Sequential(layer, layer, nn.BatchNorm1d(3))).tolist() == [9 + 6]
