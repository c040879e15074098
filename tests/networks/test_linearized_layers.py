import pytest
import torch
from torch import nn
from torch.func import jvp
from torch.nn.utils import parametrizations
from torch.testing import assert_close

from generalization.errors import InputError
from generalization.networks.linearized_layers import (
    flat_layers,
    is_sequence_of_known_layers,
    linear_map,
)
from generalization.networks.modules import refuse_statistics_of_batches

LAYERS = [
    nn.Linear(6, 3),
    nn.Conv2d(4, 6, (2, 3), stride=(1, 2), padding=(1, 0), groups=2),
    nn.Conv2d(4, 2, 3, padding="same", padding_mode="replicate"),
    nn.BatchNorm2d(4),
    nn.BatchNorm2d(4, affine=False),
    nn.MaxPool2d(2),
    nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True),
    nn.AvgPool2d(2),
    nn.AdaptiveAvgPool2d(2),
    nn.Flatten(),
    nn.Dropout(),
    nn.ReLU(inplace=True),
    nn.Hardtanh(-0.5, 0.25),
    nn.LeakyReLU(0.3),
    nn.Hardsigmoid(),
]


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_map_is_the_derivative_by_forward_differentiation(layer):
    layer = layer.double().eval()
    values, changes = normal(3, 4, 5, 6), normal(3, 2, 4, 5, 6, seed=1)
    expected = [
        jvp(lambda x: layer(x.clone()), (values,), (change,))[1] for change in changes.unbind(1)
    ]
    assert_close(linear_map(layer, values)(changes), torch.stack(expected, dim=1))
    assert torch.equal(values, normal(3, 4, 5, 6))


def test_sequences_in_sequences_are_one():
    linear, relu, last = nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)
    module = nn.Sequential(nn.Sequential(linear, nn.Sequential(relu)), last)
    assert flat_layers(module) == [linear, relu, last]
    assert flat_layers(linear) == [linear]
    assert is_sequence_of_known_layers(module)


class Residual(nn.Sequential):
    def forward(self, inputs):
        return inputs + super().forward(inputs)


class DoubledLinear(nn.Linear):
    def forward(self, inputs):
        return 2 * super().forward(inputs)


def shared():
    linear = nn.Linear(3, 3)
    return nn.Sequential(linear, nn.ReLU(), linear)


def hooked():
    module = nn.Sequential(nn.Linear(3, 3))
    module[0].register_forward_hook(lambda layer, inputs, values: 2 * values)
    return module


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(3, 3), nn.Tanh()),
        nn.Sequential(nn.Linear(3, 3), nn.PReLU()),
        nn.Sequential(Residual(nn.Linear(3, 3))),
        nn.Sequential(DoubledLinear(3, 3)),
        nn.Sequential(parametrizations.orthogonal(nn.Linear(3, 3))),
        shared(),
        hooked(),
    ],
    ids=lambda module: type(module[-1]).__name__,
)
def test_anything_else_is_not_recognized_as_such_a_sequence(module):
    assert not is_sequence_of_known_layers(module)


def test_activation_may_be_used_twice():
    relu = nn.ReLU()
    assert is_sequence_of_known_layers(nn.Sequential(nn.Linear(3, 3), relu, nn.Linear(3, 3), relu))


def test_statistics_of_a_batch_couple_its_points():
    refuse_statistics_of_batches(nn.Sequential(nn.BatchNorm1d(3)))
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, track_running_stats=False))
    message = (
        r"^networks must normalize batches by running statistics, since those of a batch couple "
        r"its points, not by BatchNorm1d without\.$"
    )
    with pytest.raises(InputError, match=message):
        refuse_statistics_of_batches(module)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_weight_made_by_a_hook_is_not_mistaken_for_a_parameter():
    assert not is_sequence_of_known_layers(nn.utils.weight_norm(nn.Linear(3, 3)))
