import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from generalization.networks.modules import logits_at
from generalization.networks.reading import reads_networks
from generalization.networks.recurrent import STEP_BY_STEP

LAYERS = [
    nn.RNN(4, 3, nonlinearity="relu", bias=False),
    nn.RNN(4, 3, num_layers=2, batch_first=True),
    nn.GRU(4, 3, num_layers=2, bidirectional=True),
    nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True),
    nn.LSTM(4, 3, proj_size=2),
    nn.LSTM(4, 3, proj_size=2, bias=False),
    nn.RNNCell(4, 3, nonlinearity="relu"),
    nn.RNNCell(4, 3),
    nn.GRUCell(4, 3, bias=False),
    nn.LSTMCell(4, 3),
]


@reads_networks
def outputs(networks, inputs):
    """Return the logits as measures see them."""
    return networks(inputs)


class Last(nn.Module):
    """The output of a layer at its last step, or of a single step of a cell."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        cell = isinstance(self.layer, nn.RNNCellBase)
        x = x[:, -1] if cell else x if self.layer.batch_first else x.transpose(0, 1)
        found = self.layer(x)
        found = found if isinstance(found, torch.Tensor) else found[0]
        return found if cell else found[:, -1] if self.layer.batch_first else found[-1]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_steps_give_what_the_fused_kernel_gives(layer):
    torch.manual_seed(0)
    module = Last(copy.deepcopy(layer)).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    inputs = torch.randn(5, 6, 4, dtype=torch.float64)
    torch.testing.assert_close(outputs(module, inputs), module(inputs))


def test_sequences_of_different_lengths_are_left_to_the_fused_kernel():
    torch.manual_seed(0)
    layer = nn.GRU(4, 3)
    packed = pack_sequence([torch.randn(length, 4) for length in (5, 2)])
    begin = torch.zeros(1, 2, 3)
    arguments = packed.data, packed.batch_sizes, begin, layer._flat_weights, True, 1, 0.0, False
    found = STEP_BY_STEP[torch.gru](*arguments, False)
    torch.testing.assert_close(found[0], layer(packed)[0].data)


def test_logits_at_other_parameters_are_those_of_a_layer_that_has_them():
    torch.manual_seed(0)
    module, other = (Last(nn.LSTM(4, 3, batch_first=True)) for _ in range(2))
    inputs, before = torch.randn(2, 6, 4), list(module.layer._flat_weights)
    found = logits_at(module, dict(other.named_parameters()), inputs)
    torch.testing.assert_close(found, other(inputs))
    assert all(one is own for one, own in zip(module.layer._flat_weights, before, strict=True))
