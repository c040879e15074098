import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, nn

from generalization.devices import BUDGETS, Budget
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.sequences import sequence_of
from generalization.regions.breakpoints import interpolated
from generalization.regions.module_polylines import borders_of_regions, crossings_per_activation
from generalization.regions.polylines import crossings_per_layer
from generalization.regions.trajectories import equidistant_points

DOUBLE = torch.float64


def closed_curves(count, *shape, seed=0):
    """Quadrangles."""
    curves = torch.randn(count, 4, *shape, generator=Generator().manual_seed(seed)).double()
    return torch.cat((curves, curves[:, :1]), dim=1)


def spread(module, seed=0):
    """All its parameters and running statistics away from where they begin, in eval mode."""
    generator = Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor += torch.rand(tensor.shape, generator=generator)
        elif tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
    return module.double().eval()


def sampled_crossings(module, vertices, points):
    """Changes of the code of what enters activations, between equidistant points of each edge."""
    loop = equidistant_points(vertices, points, 0, points + 1)
    counts = []
    for curve in loop:
        values, of_curve = curve, []
        for layer in module:
            thresholds = {
                nn.ReLU: (0.0,),
                nn.LeakyReLU: (0.0,),
                nn.ReLU6: (0.0, 6.0),
                nn.Hardtanh: (-1.0, 1.0),
                nn.Hardsigmoid: (-3.0, 3.0),
            }.get(type(layer))
            if thresholds:
                code = sum((values > threshold).long() for threshold in thresholds)
                of_curve.append(code.diff(dim=0).abs().sum().item())
            values = layer(values.clone())
        counts.append(of_curve)
    return counts


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ["relu", "relu6", "hardtanh", "hardsigmoid"])
def test_layers_of_a_stack_give_its_counts(activation, biases, normalized):
    generators = [Generator().manual_seed(seed) for seed in (1, 2)]
    scale = 6 if activation == "relu6" else 2
    networks = initialize_fully_connected(
        (12, 9, 8, 7, 3),
        activation,
        generators,
        init_scale=scale,
        biases=biases,
        normalized=normalized,
    ).to(DOUBLE)
    vertices = closed_curves(5, 12)
    for network in networks:
        expected = crossings_per_layer(network.folded(), vertices)
        assert (expected.sum(dim=0) > 0).all()
        assert torch.equal(crossings_per_activation(sequence_of(network), vertices), expected)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 3, 3),
        nn.Conv2d(2, 4, (2, 3), stride=(1, 2), padding=1, groups=2, bias=False),
        nn.Conv2d(2, 3, 2, dilation=2, padding="same", padding_mode="circular"),
        nn.AvgPool2d(2, stride=1),
        nn.AdaptiveAvgPool2d((2, 3)),
        nn.ZeroPad2d((1, 0, 2, 1)),
        nn.BatchNorm2d(2),
    ],
    ids=str,
)
def test_layer_counts_as_the_matrix_that_it_is(layer):
    layer = spread(nn.Sequential(layer))
    unit_images = torch.eye(40, dtype=DOUBLE).view(40, 2, 4, 5)
    shift = layer(torch.zeros_like(unit_images[:1])).flatten(1)
    dense = nn.Linear(40, shift.shape[1]).double()
    dense.weight.data, dense.bias.data = (layer(unit_images).flatten(1) - shift).T, shift[0]
    above = spread(nn.Sequential(nn.ReLU(), nn.Linear(shift.shape[1], 6), nn.ReLU()))
    vertices = closed_curves(3, 2, 4, 5)
    counts = crossings_per_activation(nn.Sequential(layer, nn.Flatten(), above), vertices)
    as_matrix = nn.Sequential(nn.Flatten(), dense, above)
    assert torch.equal(crossings_per_activation(as_matrix, vertices), counts)
    assert (counts.sum(dim=0) > 0).all()


ACTIVATIONS = [nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Hardsigmoid, nn.LeakyReLU]


@st.composite
def tiny_networks(draw):
    """Two blocks of layers in any order, and logits."""
    layers, channels = [], 2
    for _ in range(2):
        out = draw(st.integers(1, 3))
        padding, stride = draw(st.integers(0, 1)), draw(st.integers(1, 2))
        layers.append(nn.Conv2d(channels, out, 2, padding=padding, stride=stride))
        parts = [draw(st.sampled_from(ACTIVATIONS))(), nn.BatchNorm2d(out), nn.Dropout()]
        pools = [nn.MaxPool2d(2, 1, 1), nn.AvgPool2d(2, 1, 1), nn.MaxPool2d((2, 1), 2, (1, 0), 1)]
        layers += draw(st.permutations([*parts, draw(st.sampled_from(pools))]))
        channels = out
    layers += [nn.Flatten(), nn.LazyLinear(3), draw(st.sampled_from(ACTIVATIONS))()]
    module = nn.Sequential(*layers)
    module.eval()(torch.zeros(1, 2, 6, 6))
    return spread(module, seed=draw(st.integers(0, 99)))


@settings(max_examples=25)
@given(module=tiny_networks(), seed=st.integers(0, 99))
def test_samples_count_less_the_fewer_they_are(module, seed):
    vertices = 2 * closed_curves(2, 2, 6, 6, seed=seed)
    exact = crossings_per_activation(module, vertices)
    coarse, fine = (
        torch.tensor(sampled_crossings(module, vertices, points)) for points in (2**4, 2**13)
    )
    assert (coarse <= exact).all()
    # Crossings nearer to each other than 5e-4 of an edge are missed, in pairs.
    assert (exact - fine >= 0).all()
    assert (exact - fine).sum() <= 0.01 * exact.sum() + 2


def pooled(*layers):
    return spread(nn.Sequential(nn.Conv2d(2, 3, 2), *layers, nn.Conv2d(3, 3, 2), nn.ReLU()))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_maximum_may_be_taken_before_or_after_an_activation(activation):
    vertices = 2 * closed_curves(3, 2, 5, 5)
    below, above = pooled(activation(), nn.MaxPool2d(2)), pooled(nn.MaxPool2d(2), activation())
    counts, fewer = (crossings_per_activation(module, vertices) for module in (below, above))
    assert torch.equal(counts[:, 1], fewer[:, 1])
    assert (counts[:, 0] > fewer[:, 0]).all()
    assert (counts[:, 1] > 0).any()


@pytest.mark.parametrize("numbers", [1, 100, 2**18])
def test_counts_do_not_depend_on_the_pieces(monkeypatch, numbers):
    module, vertices = pooled(nn.ReLU(), nn.MaxPool2d(2)), closed_curves(4, 2, 5, 5)
    counts = crossings_per_activation(module, vertices)
    borders = borders_of_regions(module, vertices)
    monkeypatch.setitem(BUDGETS, "operation", Budget(numbers, numbers))
    assert torch.equal(crossings_per_activation(module, vertices), counts)
    assert torch.allclose(borders_of_regions(module, vertices), borders, rtol=0, atol=1e-9)
    one_by_one = [crossings_per_activation(module, curve) for curve in vertices.split(1)]
    assert torch.equal(torch.cat(one_by_one), counts)


def test_unit_above_a_dead_map_rests_at_zero():
    # Two pixels die at 1 and come to life at 2: the layer above goes from above 0 to 0 to above 0.
    module = nn.Sequential(
        nn.Conv2d(1, 2, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 1, 1, bias=False), nn.ReLU()
    ).double()
    module[0].weight.data[:] = torch.tensor([-0.7, 0.3]).view(2, 1, 1, 1)
    module[0].bias.data[:] = torch.tensor([0.7, -0.6])
    module[3].weight.data.fill_(0.1)
    for begin, end in [(0.1, 2.9), (-0.2, 3.3), (0.5, 7.7)]:
        vertices = torch.tensor([begin, end]).double().view(1, 2, 1, 1, 1).expand(1, 2, 1, 2, 2)
        assert crossings_per_activation(module, vertices).tolist() == [[8, 2]]


def test_regions_of_a_module_are_those_on_which_it_is_affine():
    module = pooled(nn.ReLU(), nn.MaxPool2d(2)).append(nn.Flatten())
    vertices = closed_curves(1, 2, 5, 5)
    borders = borders_of_regions(module, vertices)

    inside, ends = (
        module(interpolated(places, vertices[0])[0])
        for places in ((borders[1:] + borders[:-1]) / 2, borders)
    )
    assert torch.allclose(inside, (ends[1:] + ends[:-1]) / 2, rtol=0, atol=1e-10)
    assert borders[0] == 0
    assert borders[-1] == 4
    assert len(borders) > 20
