"""Which parameters of a module are weights of layers."""

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer, resnet18
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.swin_transformer import SwinTransformer

from generalization.measures.weight_norm import weight_norm
from generalization.networks.layer_weights import layer_weights, named_weights, weight_precisions
from generalization.networks.perturbed_weights import weights_by_name


class Own(nn.Module):
    """Parameters of no layer of torch, which are multiplied or added as their shapes allow."""

    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(6, 4))
        self.of_heads = nn.Parameter(torch.randn(2, 4, 3))
        self.kernel = nn.Parameter(torch.randn(1, 1, 3, 3))
        self.one_unit = nn.Parameter(torch.randn(1, 4))
        self.token = nn.Parameter(torch.randn(1, 1, 4))
        self.positions = nn.Parameter(torch.randn(1, 9, 4))
        self.scale = nn.Parameter(torch.randn(4, 1, 1))
        self.gamma = nn.Parameter(torch.randn(1, 1, 1, 4))
        self.bias_table = nn.Parameter(torch.randn(9, 2))
        self.temperature = nn.Parameter(torch.tensor(2.0))


def of_matrices(*shape):
    """A normalization of as many dimensions as the images that it normalizes."""
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.LayerNorm([4, *shape]), nn.Flatten())


KINDS = [
    (of_matrices(2, 2), {"1.weight", "1.bias"}),
    (nn.Sequential(nn.Linear(6, 4), nn.RMSNorm([2, 4])), {"1.weight"}),
    (Own(), {"token", "positions", "scale", "gamma", "bias_table"}),
    (
        ConvNeXt([CNBlockConfig(8, None, 2)], num_classes=3),
        {f"features.1.{block}.layer_scale" for block in (0, 1)},
    ),
    (VisionTransformer(16, 8, 1, 2, 8, 16), {"class_token", "encoder.pos_embedding"}),
    (
        SwinTransformer([2, 2], 8, [1, 1], [2, 2], [2, 2], num_classes=3),
        {f"features.{part}.0.attn.relative_position_bias_table" for part in (1, 3)},
    ),
    (nn.MultiheadAttention(8, 2, add_bias_kv=True), {"bias_k", "bias_v"}),
    (resnet18(num_classes=3), set()),
    (nn.LSTM(4, 5, 2), set()),
    (nn.Embedding(1, 5), set()),
    (nn.Linear(5, 1), set()),
]


@pytest.mark.parametrize(("module", "others"), KINDS, ids=lambda one: type(one).__name__)
def test_weights_are_what_layers_multiply_by(module, others):
    arrays = {name for name, parameter in module.named_parameters() if parameter.dim() > 1}
    assert others <= arrays
    expected = arrays - others
    assert named_weights(module).keys() == weights_by_name(module).keys() == expected
    assert len(layer_weights(module)) == len(weight_precisions(module)) == len(expected)


def test_shared_weights_count_once_or_for_every_layer():
    layer = nn.Linear(4, 4)
    module = nn.Sequential(layer, nn.LayerNorm([4]), layer, nn.Linear(4, 4))
    assert list(named_weights(module)) == ["0.weight", "3.weight"]
    assert list(named_weights(module, every_layer=True)) == ["0.weight", "2.weight", "3.weight"]


def test_norm_of_weights_leaves_out_a_normalization_of_images():
    layers = nn.Conv2d(1, 4, 3, padding=1), nn.LayerNorm([4, 6, 6]), nn.Linear(144, 3)
    module = nn.Sequential(*layers[:2], nn.ReLU(), nn.Flatten(), layers[2])
    squares = sum(layer.weight.double().square().sum() for layer in (layers[0], layers[2]))
    assert weight_norm(module)[0] == pytest.approx(squares.sqrt().item(), rel=1e-12)
