"""Modules with batch normalizations have the measures of those that they are folded into."""

import warnings
from copy import deepcopy

import pytest
import torch
from torch import Generator, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.testing import assert_close

import generalization
from generalization.catalog import MEASURES, place_of
from generalization.errors import Approximated
from generalization.measures.norms import spectral_product
from generalization.networks.folding import folded_module
from generalization.signatures import imported, named_by

WIDTH = 52  # Layers with at least 50 eigenvalues have a power law.
# These measure networks as they were trained, with the parameters of normalizations.
AS_TRAINED = [
    "weight_norm",
    "distance_from_initialization",
    "number_of_parameters",
    "tangent_sensitivity",
    "mean_tangent_sensitivity",
]
# These follow layers of stacks, the course of training, or images.
OTHERS = [name for name, entry in MEASURES.items() if entry.fully_connected_only]
OTHERS += ["steps_to_loss", "steps_between_losses", "translation_jacobian_norm"]
OTHERS += ["transitions", "sampled_transitions", "curvature", "random_number"]


def drawn(module, seed=0):
    """The module with other statistics, scales and shifts than those at initialization."""
    generator = Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for tensor in (*part.parameters(), part.running_mean, part.running_var):
                tensor.data.uniform_(0.3, 2.0, generator=generator)
    return module.double().eval()


def pair(seed):
    """A module with normalizations, and its twin without."""
    torch.manual_seed(seed)
    layers = [nn.Linear(6, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU()]
    layers += [nn.Linear(WIDTH, WIDTH, bias=False), nn.BatchNorm1d(WIDTH), nn.ReLU()]
    module = drawn(nn.Sequential(*layers, nn.Linear(WIDTH, 3)), seed)
    first, second = (fuse_linear_bn_eval(module[i], module[i + 1]) for i in (0, 3))
    return module, nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), module[6]).eval()


@pytest.fixture(scope="module")
def twins():
    return [*zip(pair(0), pair(1), strict=True)]


def value_of(name, networks, initial_networks):
    generator = Generator().manual_seed(5)
    inputs = torch.randn(30, 6, generator=generator).double()
    with torch.no_grad():
        labels = networks(inputs).argmax(1)
    offered = {
        "networks": networks,
        "trained_networks": networks,
        "initial_networks": initial_networks,
        "inputs": inputs,
        "train_inputs": inputs,
        "train_labels": labels,
        "pixel_deviations": torch.ones(30).double(),
        "init_scale": 1.0,
        "loss": "cross_entropy",
        "generator": generator,
        "shared_generator": generator,
    }
    settings = {"chain_steps": 4} if name == "local_learning_coefficient" else {}
    measure = imported(place_of(name))
    return measure(**named_by(measure, offered), **settings)


@pytest.mark.filterwarnings("ignore:the training error rises")
@pytest.mark.parametrize("name", [m for m in MEASURES if m not in [*AS_TRAINED, *OTHERS]])
def test_measure_is_that_of_the_twin(name, twins):
    values = value_of(name, *twins[0])
    assert values.isfinite().any()
    assert_close(values, value_of(name, *twins[1]), rtol=1e-7, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("name", AS_TRAINED)
def test_measure_as_trained_is_another(name, twins):
    values, expected = value_of(name, *twins[0]), value_of(name, *twins[1])
    assert (values - expected).abs().mean() > 0.01 * expected.mean()


class Residual(nn.Module):
    """Normalizations after convolutions, under two names, before an addition and at the input."""

    def __init__(self):
        super().__init__()
        self.start = nn.BatchNorm2d(1)
        self.convolution = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm = self.again = nn.BatchNorm2d(4)
        self.inner = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.inner_norm = nn.BatchNorm2d(4, affine=False)
        self.layers = [self.inner]  # Also found where names do not lead.
        self.branching, self.after = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.last = nn.Linear(4, 3)

    def forward(self, inputs):
        maps = torch.relu(self.again(self.convolution(self.start(inputs))))
        maps = maps + self.inner_norm(self.layers[0](maps))
        branch = self.branching(maps)
        return self.last((self.after(branch) + branch).mean((2, 3)))


class Untraceable(nn.Module):
    """A module that looks at values."""

    def __init__(self):
        super().__init__()
        shared = (nn.Linear(4, 4), nn.BatchNorm1d(4))
        self.body = nn.Sequential(*shared, nn.Tanh(), nn.Sequential(*shared), nn.ReLU())
        self.last, self.norm = nn.Linear(4, 3), nn.BatchNorm1d(3)

    def forward(self, inputs):
        return self.norm(self.last(self.body(inputs if inputs.sum() > 0 else -inputs)))


@pytest.mark.parametrize(
    ("make", "shape", "left"), [(Residual, (1, 5, 5), "2 of 4"), (Untraceable, (4,), "1 of 2")]
)
def test_function_stays_and_the_module_is_left_as_it_was(make, shape, left):
    torch.manual_seed(0)
    module = drawn(make())
    before, state = dict(module.named_modules()), deepcopy(module.state_dict())
    inputs = torch.randn(7, *shape, dtype=torch.float64)
    folded, said = folded_module(module)
    with torch.no_grad():
        assert_close(folded(inputs), module(inputs), rtol=1e-12, atol=1e-12)
    assert said == (
        f"{left} batch normalizations could not be folded into weights, which needs a linear layer "
        "or a convolution of its own directly before"
    )
    assert dict(module.named_modules()) == before
    assert_close(module.state_dict(), state, rtol=0, atol=0)
    assert [type(one) for one in before.values()] == [type(one) for one in module.modules()]


def test_convolutions_are_those_of_torch():
    layer, norm = nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.BatchNorm2d(3)
    module = drawn(nn.Sequential(layer, norm, nn.Flatten()))
    (folded, said), expected = folded_module(module), fuse_conv_bn_eval(layer, norm)
    assert said == ""
    assert_close(folded[0].weight, expected.weight, rtol=1e-14, atol=0)
    assert_close(folded[0].bias, expected.bias, rtol=1e-14, atol=1e-15)
    assert isinstance(folded[1], nn.Identity)


def test_weights_with_two_uses_are_not_folded():
    module = drawn(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 3)))
    module[3].weight = module[0].weight
    folded, said = folded_module(module)
    assert said.startswith("1 of 1 batch normalizations could not be folded into weights, ")
    assert folded[0].weight is module[0].weight


def test_module_without_normalizations_is_not_copied():
    module = nn.Linear(2, 2)
    assert folded_module(module) == (module, "")


def test_what_is_not_folded_is_said():
    module = drawn(nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)))
    with pytest.warns(Approximated, match=r"^1 of 1 batch normalizations could not be folded "):
        spectral_product(module)
    inputs = torch.randn(5, 3)
    table = generalization.measure(module, inputs, measures=["spectral_product", "jacobian_norm"])
    assert table["status"].tolist() == ["ok", "ok"]
    assert [note[:29] for note in table["note"]] == ["1 of 1 batch normalizations c", ""]


def test_folded_modules_are_read_without_a_word():
    module = drawn(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spectral_product(module)
