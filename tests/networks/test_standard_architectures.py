"""Architectures of the papers: layers, published numbers of parameters, training, measures."""

from dataclasses import replace

import pytest
import torch
import torchvision
from oracles.blobs import blobs
from torch import nn
from torch.nn import functional

from generalization.hyperparameters import Hyperparameters
from generalization.networks.architecture_sizes import described_architecture
from generalization.networks.foreign_architecture import ForeignArchitecture
from generalization.networks.standard_architectures import (
    alexnet,
    alexnet_small,
    inception_small,
    resnet,
    vgg,
)
from generalization.training import train_ensemble

PLACE = "generalization.networks.standard_architectures"
CIFAR, MNIST = (3, 32, 32), (1, 28, 28)
SMALL = {
    "alexnet": {"width_scale": 1 / 32, "units": 16},
    "vgg": {"width_scale": 1 / 32, "depth": 13},
    "resnet": {"width_scale": 1 / 32, "depth": 50},
    "inception_small": {},
    "alexnet_small": {},
}


def shapes(network: nn.Module) -> list[tuple[int, ...]]:
    return sorted(tuple(values.shape) for values in network.parameters())


def parameters(network: nn.Module) -> int:
    return sum(values.numel() for values in network.parameters())


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_layers_of_vgg_are_those_of_torchvision(depth):
    with torch.device("meta"):
        ours = vgg(CIFAR, 10, depth)
        theirs = getattr(torchvision.models, f"vgg{depth}_bn")(num_classes=10).features
    assert shapes(ours) == shapes(nn.Sequential(theirs, nn.Linear(512, 10)))


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_layers_of_resnets_are_those_of_torchvision(depth):
    with torch.device("meta"):
        ours = resnet(CIFAR, 10, depth)
        theirs = getattr(torchvision.models, f"resnet{depth}")(num_classes=10)
        theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    assert shapes(ours) == shapes(theirs)


@pytest.mark.parametrize("depth", [18, 50])
def test_resnets_compute_what_those_of_torchvision_do(depth):
    with torch.device("meta"):
        ours = resnet(CIFAR, 10, depth).eval()
        theirs = getattr(torchvision.models, f"resnet{depth}")(num_classes=10).eval()
        theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    # In both the layers of a block come before its shortcut.
    generator = torch.Generator().manual_seed(0)
    values = [
        (torch.rand(one.shape, generator=generator) / max(one.shape[1:].numel(), 1)).to(one.dtype)
        for one in ours.state_dict().values()
    ]
    for network in (ours, theirs):
        state = dict(zip(network.state_dict(), values, strict=True))
        network.load_state_dict(state, assign=True)
    image = torch.rand(2, *CIFAR, generator=generator)
    torch.testing.assert_close(ours(image), theirs(image))


def test_parameters_are_as_many_as_published():
    with torch.device("meta"):
        # Zhang et al. 2017, Table 1: Inception with and without normalization has one number.
        assert parameters(inception_small((3, 28, 28), 10, False)) == 1_649_402
        assert parameters(alexnet_small((3, 28, 28), 10)) == 1_387_786
        normalized = inception_small((3, 28, 28), 10)
        of_batches = [one for one in normalized.modules() if isinstance(one, nn.BatchNorm2d)]
        assert parameters(normalized) - sum(map(parameters, of_batches)) == 1_649_402
        # What the code of Forouzesh et al. 2020 builds for CIFAR-10.
        assert parameters(alexnet(CIFAR, 10)) == 23_272_266
        assert parameters(vgg(CIFAR, 10, 16)) == 14_728_266
        assert parameters(resnet(CIFAR, 10, 18)) == 11_173_962


def test_channels_are_scaled_as_by_the_authors():
    with torch.device("meta"):
        assert vgg(CIFAR, 10, width_scale=0.3)[0].out_channels == 19  # int(0.3 · 64)
        assert resnet(CIFAR, 10, 50, width_scale=0.3)[-1].in_features == 153 * 4
        assert alexnet(MNIST, 10, width_scale=0.5)[-6].in_features == 4 * 32
        assert alexnet(CIFAR, 10, width_scale=0.5)[-6].in_features == 4 * 32 * 4


def test_images_of_28_pixels_survive_five_poolings():
    for depth in (11, 19):
        network = vgg(MNIST, 10, depth, width_scale=1 / 32)
        paddings = [one.padding for one in network if isinstance(one, nn.Conv2d)]
        assert paddings == [(2, 2)] * 3 + [(1, 1)] * (len(paddings) - 3)
        assert network.eval()(torch.rand(2, *MNIST)).shape == (2, 10)


def test_inception_has_seven_pixels_before_the_mean():
    network = inception_small((3, 28, 28), 10).eval()
    maps = network[:-3](torch.rand(1, 3, 28, 28))
    assert maps.shape == (1, 336, 7, 7)


def test_halving_is_the_mirror_image_of_tensorflow_s():
    """``SAME`` pads an even side by one pixel behind: the windows of a flipped image before."""
    image, halved = torch.rand(1, 2, 28, 28), nn.MaxPool2d(3, 2, 1)
    same = functional.max_pool2d(functional.pad(image, (0, 1, 0, 1), value=-1), 3, 2)
    torch.testing.assert_close(halved(image.flip(2, 3)).flip(2, 3), same)


def test_responses_are_normalized_over_nine_channels():
    layer = alexnet_small((3, 28, 28), 10)[3]
    maps = torch.rand(1, 12, 2, 2)
    of_window = (maps**2)[:, 1:10].sum(1)  # Four channels on each side of channel 5.
    expected = maps[:, 5] / (1 + 0.001 / 9 * of_window) ** 0.75
    torch.testing.assert_close(layer(maps)[:, 5], expected)


@torch.no_grad()
def test_initializations_are_those_of_the_built_in_networks():
    def weights(kind):
        torch.manual_seed(0)
        network = vgg(CIFAR, 10, width_scale=1 / 4, initialization=kind)
        return [one for one in network if isinstance(one, nn.Conv2d | nn.Linear)]

    for layer in weights("normal"):
        fan_in = layer.weight[0].numel()
        assert layer.weight.std() * fan_in**0.5 == pytest.approx(2**0.5, rel=0.1)
        assert not layer.bias.any()
    for layer in weights("standard_normal"):
        assert layer.weight.std() == pytest.approx(1, rel=0.1)
        assert layer.bias.std() == pytest.approx(1, rel=0.9)
    for layer in weights("uniform"):
        assert layer.weight.abs().max() * layer.weight[0].numel() ** 0.5 <= 1


@pytest.mark.parametrize(
    ("build", "arguments", "sentence"),
    [
        (vgg, {"depth": 12}, "depth must be one of 11, 13, 16, 19, not 12."),
        (resnet, {"depth": 20}, "depth must be one of 18, 34, 50, 101, 152, not 20."),
        (
            resnet,
            {"width_scale": 0.01},
            "width_scale must leave at least one of 64 channels, not 0.01.",
        ),
        (
            alexnet,
            {"initialization": "zero"},
            "initialization must be one of uniform, normal, standard_normal, not 'zero'.",
        ),
    ],
)
def test_what_is_not_offered_is_refused(build, arguments, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        build(CIFAR, 10, **arguments)


@pytest.mark.parametrize("name", SMALL)
def test_architectures_train_for_a_step(name):
    side = 28 if name.endswith("_small") else 32
    data = blobs(channels=3, height=side, width=side, train=8, test=4)
    settings = replace(
        _named(name), batch_size=4, max_steps=1, stop_at_accuracy=None, learning_rate=0.001
    )
    trained = train_ensemble(data, settings, [0], device=torch.device("cpu"))
    begun, ended = trained.kept.networks
    assert any(
        not torch.equal(begun.tensors[one], ended.tensors[one]) for one in begun.template.parameters
    )


@pytest.mark.parametrize("name", SMALL)
def test_hidden_layers_of_architectures_are_seen(name):
    about = described_architecture(ForeignArchitecture.of(_named(name), CIFAR, 10))
    assert about["hides"] == "" and len(about["hidden"]) >= 4
    assert about["couples"] == (name in {"vgg", "resnet", "inception_small"})
    assert about["draws"] == (name == "alexnet")


def _named(name):
    return Hyperparameters(
        dataset="blobs", architecture=f"{PLACE}:{name}", architecture_arguments=SMALL[name]
    )
