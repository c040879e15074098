"""Ablation of feature maps of residual networks: forward hooks on every activation function."""

import pytest
import torch
from own_modules.cases import Residual as SmallResidual
from torch import nn
from torch.testing import assert_close

from generalization.devices import BUDGETS, Budget
from generalization.experiments.single_directions.ablation_curves import ablation_curves
from generalization.experiments.single_directions.single_units import single_units
from generalization.measures.ablation_auc import ablation_auc
from generalization.networks.hidden_layers import is_sequence, module_activations, unit_activations
from generalization.networks.standard_architectures import resnet
from generalization.units import activation_noise, module_ablations
from generalization.units.ablations import ablated_accuracies
from generalization.units.activation_noise import noisy_accuracies
from generalization.units.single_ablations import accuracies_without
from generalization.units.unit_orders import random_orders

MODES = ["zero", "mean", "class_mean"]
IMAGE, CLASSES, COUNT = (2, 8, 8), 3, 12


def network(depth=18):
    """A ResNet as built in, with biases and statistics that are not those of the beginning."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = resnet(IMAGE, CLASSES, depth, width_scale=1 / 32).double()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                for tensor in (part.weight, part.running_var):
                    tensor.data.uniform_(0.5, 1.5)
                for tensor in (part.bias, part.running_mean):
                    tensor.data.normal_()
        with torch.no_grad():  # So that predictions differ between samples.
            module[-1].bias -= module.eval()(points(40)[0]).mean(0)
    return module.eval()


def points(count=COUNT):
    generator = torch.Generator().manual_seed(1)
    inputs = 2 * torch.randn(count, *IMAGE, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(CLASSES, (count,), generator=generator)


def orders_of(module, layers=None, counts=None, orders=2):
    widths = [layer.shape[-1] for layer in unit_activations(module, points()[0][:1])]
    layers = range(len(widths)) if layers is None else layers
    total = sum(widths[layer] for layer in layers)
    generator = torch.Generator().manual_seed(2)
    return random_orders(widths, layers, counts or (0, 1, total // 2, total), orders, generator)


def activation_modules(module):
    return [part for part in module.modules() if isinstance(part, nn.ReLU)]


def hooked(module, inputs, change):
    """Logits, where hooks replace what the activation functions return, in their order."""
    hooks = [
        part.register_forward_hook(lambda _, __, out, layer=layer: change(layer, out.clone()))
        for layer, part in enumerate(activation_modules(module))
    ]
    with torch.no_grad():
        logits = module(inputs)
    for hook in hooks:
        hook.remove()
    return logits


def intact_layers(module, inputs):
    layers = []
    hooked(module, inputs, lambda _, out: layers.append(out))
    return layers


def replacement(intact, labels, mode):
    """What the map of one unit becomes, for every sample."""
    means = intact.flatten(1).mean(1)
    if mode == "zero":
        return torch.zeros_like(means)
    if mode == "mean":
        return means.mean().expand_as(means)
    return torch.stack([means[labels == label].mean() for label in labels])


def slow_accuracy(module, inputs, labels, ablated, mode):
    layers = intact_layers(module, inputs)

    def ablate(layer, out):
        for unit in ablated.get(layer, ()):
            given = replacement(layers[layer][:, unit], labels, mode)
            out[:, unit] = given.view(-1, 1, 1)
        return out

    return (hooked(module, inputs, ablate).argmax(-1) == labels).double().mean().item()


def units_of(order, count):
    numbers = [(layer, unit) for layer in order.layers for unit in range(order.widths[layer])]
    chosen = [numbers[number] for number in order.units[:count].tolist()]
    return {layer: [unit for of, unit in chosen if of == layer] for layer in order.layers}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layers", [None, (2,), (8,), (1, 4, 16)])
def test_feature_maps_are_replaced_as_by_hooks(layers, mode):
    module, (inputs, labels) = network(), points()
    assert not is_sequence(module)
    orders = orders_of(module, layers)
    found = ablated_accuracies(module, inputs, labels, orders, mode=mode)
    slow = [
        [slow_accuracy(module, inputs, labels, units_of(o, count), mode) for count in o.counts]
        for o in orders
    ]
    assert found[0].tolist() == slow
    assert len({accuracy for of_order in slow for accuracy in of_order}) > 1


def test_logits_of_every_ablation_are_those_of_hooks(monkeypatch):
    module, (inputs, labels) = network(), points()
    (order,) = orders_of(module, counts=(0, 3, 20, 40), orders=1)
    seen = []
    plain = module_ablations.logits_of_changed_layers

    def recorded(*arguments):
        seen.append(plain(*arguments))
        return seen[-1]

    monkeypatch.setattr(module_ablations, "logits_of_changed_layers", recorded)
    ablated_accuracies(module, inputs, labels, [order], mode="zero")
    found = torch.cat(seen).view(4, COUNT, CLASSES)
    for count, logits in zip(order.counts, found, strict=True):
        units = units_of(order, count)

        def ablate(layer, out, units=units):
            out[:, units[layer]] = 0
            return out

        assert_close(logits, hooked(module, inputs, ablate))


def test_a_map_is_lost_to_the_shortcut_too():
    # With the output of the stem at zero, the first block sees nothing but its own biases.
    module, (inputs, labels) = network(), points()
    widths = [layer.shape[1] for layer in module_activations(module, inputs)]
    found = ablated_accuracies(module, inputs, labels, orders_of(module, (0,), (widths[0],)))
    with torch.no_grad():
        stem = torch.zeros_like(module[:3](inputs))
        constant = module[3:](stem).argmax(-1)
    assert_close(found, (constant == labels).double().mean().expand_as(found))


def test_modules_that_are_used_twice_and_in_place_are_ablated_call_by_call():
    module = SmallResidual().double().eval()
    inputs, labels = torch.randn(9, 1, 4, 4).double(), torch.arange(9) % 2
    layers = module_activations(module, inputs)
    assert len(layers) == 5
    generator = torch.Generator().manual_seed(2)
    # The second layer is inside of the first block.
    (order,) = random_orders([4] * 5, (1,), (4,), 1, generator)
    found = ablated_accuracies(module, inputs, labels, [order])
    with torch.no_grad():
        stem = module.stem(inputs)
        first, second = module.blocks
        out = first.bn2(first.conv2(torch.zeros_like(stem)))
        maps = second(torch.relu(out + stem))
        logits = module.fc(module.pool(maps).flatten(1))
    assert found.item() == (logits.argmax(-1) == labels).double().mean().item()


def test_working_in_pieces_changes_nothing(monkeypatch):
    module, data = network(), points()
    orders = orders_of(module)
    expected = ablated_accuracies(module, *data, orders, mode="class_mean")
    monkeypatch.setitem(BUDGETS, "operation", Budget(50, 50))
    monkeypatch.setattr(module_ablations, "SAMPLES_PER_CHUNK", 5)
    assert_close(ablated_accuracies(module, *data, orders, mode="class_mean"), expected)


def test_single_units_are_ablated_alone():
    module, (inputs, labels) = network(), points()
    widths = [layer.shape[1] for layer in module_activations(module, inputs)]
    found = accuracies_without(module, inputs, labels, widths=widths, layer=3)
    slow = [slow_accuracy(module, inputs, labels, {3: [unit]}, "zero") for unit in range(widths[3])]
    assert found[0].tolist() == slow


@pytest.mark.parametrize("layers", [(0, 5), (16,)])
def test_noise_is_added_as_by_hooks(layers, monkeypatch):
    module, (inputs, labels) = network(), points(40)
    scales = torch.tensor([0.0, 1.0, 9.0], dtype=torch.float64)
    found = noisy_accuracies(
        module, inputs, labels, torch.Generator().manual_seed(4), scales=scales, draws=2,
        layers=layers,
    )  # fmt: skip
    intact, generator = intact_layers(module, inputs), torch.Generator().manual_seed(4)
    for draw in range(2):
        noise = {}
        for layer in layers:
            drawn = torch.randn(intact[layer].shape, generator=generator).double()
            deviation = intact[layer].movedim(1, 0).flatten(1).std(1, correction=0)
            noise[layer] = drawn * deviation.view(1, -1, 1, 1)
        for place, scale in enumerate(scales.tolist()):

            def disturb(layer, out, scale=scale, noise=noise):
                return out + scale**0.5 * noise[layer] if layer in noise else out

            right = hooked(module, inputs, disturb).argmax(-1) == labels
            assert found[0, draw, place].item() == right.double().mean().item()


def test_deviations_of_noise_are_of_all_chunks():
    module, (inputs, _) = network(), points(30)
    found = activation_noise._deviations_of_calls(module, inputs.split(7), [0, 4])
    layers = intact_layers(module, inputs)
    for layer, deviation in found.items():
        assert_close(deviation, layers[layer].movedim(1, 0).flatten(1).std(1, correction=0))


def test_profiles_and_measures_read_residual_networks():
    module, (inputs, labels) = network().float(), points()
    data = inputs.float(), labels, torch.Generator().manual_seed(0)
    curves = ablation_curves(module, *data, orders=2, increments=3, class_means=True)
    assert set(curves["mode"]) == {"zero", "mean", "class_mean", "noise"}
    assert curves["accuracy"].between(0, 1).all()
    units = single_units(module, *data, permutations=1)
    widths = [layer.shape[1] for layer in module_activations(module, inputs.float())]
    assert units.groupby("layer").size().tolist() == widths
    assert 0 <= ablation_auc(module, *data, orders=2, increments=3).item() <= 1
