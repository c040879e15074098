from math import cos, pi, sin

import numpy as np
import pandas as pd
import pytest
import torch
from oracles.transitions import FUNCTIONS, THRESHOLDS
from torch import Generator

from generalization.devices import BUDGETS, Budget
from generalization.experiments.linear_regions.bitmaps import packed
from generalization.experiments.linear_regions.boundaries import (
    COLUMNS,
    VERTICES,
    boundaries,
    boundary_pixels,
    networks_on_plane,
    three_images,
)
from generalization.experiments.linear_regions.boundary_densities import (
    boundary_map,
    images,
    places,
)
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.tables import read_table, write_table

DOUBLE = torch.float64
LABELS = torch.tensor([7, 3, 3, 9, 2, 7, 2])


def random_networks(widths, activation="relu", *, biases=False, count=1):
    """Float64 networks whose units reach all of their regions."""
    generators = [Generator().manual_seed(number) for number in range(count)]
    scale = 6.0 if activation == "relu6" else 2.0
    networks = initialize_fully_connected(widths, activation, generators, init_scale=scale)
    if biases:
        biases = tuple(torch.randn(count, units, generator=generators[0]) for units in widths[1:])
        networks = FullyConnectedNetworks(networks.weights, activation, biases)
    return networks.to(DOUBLE)


def random_images(height=2, width=3, channels=2):
    shape = (len(LABELS), channels, height, width)
    return torch.randn(shape, generator=Generator().manual_seed(0)).double()


def slow_boundaries(network, points, grid):
    """Pixel by pixel, from points of input space, with nothing from the package."""
    first, second, third = (point.numpy() for point in points.flatten(1))
    c, a, b = (
        (first + second + third) / 3,
        (first + third - 2 * second) / 3,
        (first - third) / 3**0.5,
    )
    weights = [weight[0].numpy() for weight in network.weights]
    biases = [bias[0].numpy() for bias in network.biases] or [0] * len(weights)

    def code(row, column):
        u, v = -1 + 2 * column / (grid - 1), 1 - 2 * row / (grid - 1)
        units = c + (u * a + v * b) / 0.8
        for layer in range(len(weights) - 1):
            z = weights[layer] @ units + biases[layer]
            units = FUNCTIONS[network.activation](z)
        return [sum(unit > threshold for threshold in THRESHOLDS[network.activation]) for unit in z]

    codes = [[code(row, column) for column in range(grid)] for row in range(grid)]
    return [
        [
            (column + 1 < grid and codes[row][column] != codes[row][column + 1])
            or (row + 1 < grid and codes[row][column] != codes[row + 1][column])
            for column in range(grid)
        ]
        for row in range(grid)
    ]


def found(network, points, grid):
    return boundary_pixels(networks_on_plane(network, points.flatten(1)), grid)


@pytest.mark.parametrize("rows", [1, 4, 100])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", THRESHOLDS)
def test_pixels_are_those_of_the_definition(activation, biases, rows, monkeypatch):
    # Blocks of one row, of some that do not divide the grid, of all.
    monkeypatch.setitem(BUDGETS, "operation", Budget(rows * 17 * 8, rows * 17 * 8))
    network = random_networks((12, 8, 8, 6, 2), activation, biases=biases)
    points = random_images()[:3]
    pixels = found(network, points, 17)
    assert pixels.tolist() == slow_boundaries(network, points, 17)
    assert 10 < pixels.sum() < 16 * 16


def test_images_are_the_vertices():
    network = random_networks((12, 5, 2), biases=True)
    points = random_images()[:3]
    for angle, place in zip((pi / 3, pi, 5 * pi / 3), VERTICES, strict=True):
        assert place == pytest.approx((0.8 * cos(angle), 0.8 * sin(angle)))
    on_plane = networks_on_plane(network, points.flatten(1))
    at_vertices = on_plane.logits(torch.tensor([(u, v, 1) for u, v in VERTICES], dtype=DOUBLE))
    assert torch.allclose(at_vertices, network.logits(points), rtol=1e-12)


def test_networks_on_the_plane_are_affine_there_before_the_first_layer():
    network = random_networks((12, 5, 4, 2), biases=True)
    points = random_images()[:3]
    shares = torch.rand(20, 3, generator=Generator().manual_seed(1), dtype=DOUBLE)
    shares /= shares.sum(1, keepdim=True)
    mixed = network.logits(shares @ points.flatten(1))
    vertices = torch.tensor([(u, v, 1) for u, v in VERTICES], dtype=DOUBLE)
    on_plane = networks_on_plane(network, points.flatten(1)).logits(shares @ vertices)
    assert torch.allclose(on_plane, mixed, rtol=1e-12)


@pytest.mark.parametrize("activation", THRESHOLDS)
def test_boundaries_of_one_hidden_layer_are_straight_lines(activation):
    """z(u, v) = w · x + b is affine: a pixel is found where one of these lines passes it."""
    grid = 65
    network = random_networks((12, 3, 2), activation, biases=True)
    points = random_images()[:3]
    (weight, *_), (bias, *_) = network.weights, network.biases
    c = points.flatten(1).mean(0)
    a, b = c - points[1].flatten(), (points[0] - points[2]).flatten() / 3**0.5
    step = 2 / (grid - 1)
    passes = torch.zeros(grid, grid, dtype=torch.bool)
    for w, shift in zip(weight[0], bias[0], strict=True):
        along_u, along_v = (w @ a / 0.8).item(), (w @ b / 0.8).item()
        u = torch.linspace(-1, 1, grid, dtype=DOUBLE)
        z = (w @ c + shift) + along_u * u[None, :] - along_v * u[:, None]
        for threshold in THRESHOLDS[activation]:
            above = z - float(threshold)
            right = above * (above + along_u * step) < 0
            below = above * (above - along_v * step) < 0
            right[:, -1] = below[-1] = False
            passes |= right | below
    assert passes.any()
    assert torch.equal(found(network, points, grid), passes)


def test_linear_networks_have_no_boundary():
    points = random_images()[:3]
    assert not found(random_networks((12, 2)), points, 9).any()
    # Units that stay far above their threshold.
    network = random_networks((12, 5, 4, 2), biases=True)
    raised = FullyConnectedNetworks(
        tuple(weight.abs() for weight in network.weights),
        "relu",
        tuple(bias + 1000 for bias in network.biases),
    )
    assert not found(raised, points, 9).any()


def test_only_the_last_hidden_layer_counts():
    network = random_networks((12, 5, 4, 2), biases=True)
    high = torch.full_like(network.biases[1], 1e6)
    still = FullyConnectedNetworks(
        network.weights, "relu", (network.biases[0], high, network.biases[2])
    )
    points = random_images()[:3]
    assert found(network, points, 9).any()
    assert not found(still, points, 9).any()


def test_a_diverged_network_has_no_boundary():
    network = random_networks((12, 5, 4, 2)).map(lambda weight: weight * torch.nan)
    assert not found(network, random_images()[:3], 9).any()


def test_float32_finds_the_same_boundaries():
    network = random_networks((12, 20, 20, 20, 2), biases=True)
    points = random_images()[:3]
    single = found(network.to(torch.float32), points.float(), 64)
    double = found(network, points, 64)
    assert single.sum() > 500
    assert (single != double).sum() <= 2


@pytest.fixture
def table():
    networks = random_networks((12, 6, 4, 2), biases=True, count=2).to(torch.float32)
    return boundaries(networks, random_images().float(), LABELS, grid=10)


def test_table_holds_every_network_with_its_images(table):
    assert list(table) == COLUMNS
    rows = table.groupby(["network", "kind"]).size()
    assert rows.to_dict() == {
        (network, kind): count
        for network in (0, 1)
        for kind, count in {"boundary": 10, "image": 3 * 2}.items()
    }
    networks = random_networks((12, 6, 4, 2), biases=True, count=2).to(torch.float32)
    points = three_images(random_images().float(), LABELS)
    for number, network in enumerate(networks):
        rows = table[table["network"] == number]
        assert (boundary_map(rows) == found(network, points, 10).numpy()).all()
        assert places(rows) == pytest.approx(np.array(VERTICES))


def test_images_are_gray_levels_of_the_first_of_three_classes(table):
    gray = random_images()[[4, 1, 0]].mean(1).numpy()
    rows = table[table["network"] == 1]
    for shown, image in zip(images(rows), gray, strict=True):
        assert shown.min() == 0
        assert shown.max() == 255
        expected = 255 * (image - image.min()) / np.ptp(image)
        assert shown == pytest.approx(expected, abs=0.51)


def test_a_constant_image_is_black():
    inputs = torch.ones_like(random_images())
    table = boundaries(random_networks((12, 5, 2)), inputs, LABELS, grid=4)
    assert not any(shown.any() for shown in images(table))


@pytest.mark.parametrize("grid", [2, 7, 8, 13])
def test_bits_survive_being_written(grid, tmp_path):
    pixels = torch.rand(grid, grid, generator=Generator().manual_seed(0)) < 0.5
    # No row may be read as a number: of zeros, of digits, with an e between them.
    pixels[0] = False
    table = pd.DataFrame({"kind": "boundary", "row": range(grid), "pixels": packed(pixels.numpy())})
    write_table(tmp_path / "boundaries.csv", table.sample(frac=1, random_state=0))
    assert (boundary_map(read_table(tmp_path / "boundaries.csv")) == pixels.numpy()).all()


def test_planes_pass_through_different_images():
    points = torch.arange(12.0)[:, None, None, None]
    labels = torch.arange(12) % 4
    chosen = [three_images(points, labels, plane).flatten().tolist() for plane in range(3)]
    # Image number p of classes 0, 1, 2; 3, 0, 1; 2, 3, 0.
    assert chosen == [[0, 1, 2], [7, 4, 5], [10, 11, 8]]
    with pytest.raises(
        ValueError, match=r"^planes must be at most the 3 images of a class, not 4\.$"
    ):
        three_images(points, labels, 3)


def test_every_plane_has_the_rows_of_its_images():
    networks = random_networks((12, 6, 4, 2), count=2).to(torch.float32)
    inputs, labels = random_images()[:6].float(), torch.tensor([0, 1, 2, 0, 1, 2])
    table = boundaries(networks, inputs, labels, grid=6, planes=2)
    assert table.groupby(["network", "plane"]).size().unique().tolist() == [6 + 3 * 2]
    for plane in range(2):
        points = three_images(inputs, labels, plane)
        for number, network in enumerate(networks):
            rows = table[(table["network"] == number) & (table["plane"] == plane)]
            assert (boundary_map(rows) == found(network, points, 6).numpy()).all()


def test_no_plane_is_refused():
    with pytest.raises(ValueError, match=r"^planes must be at least 1, not 0\.$"):
        boundaries(random_networks((12, 5, 2)), random_images(), LABELS, planes=0)


def test_too_small_a_grid_is_refused():
    with pytest.raises(ValueError, match=r"^grid must be at least 2, not 1\.$"):
        boundaries(random_networks((12, 5, 2)), random_images(), LABELS, grid=1)


def test_two_classes_span_no_plane():
    with pytest.raises(ValueError, match=r"^train_labels must be of at least 3 classes, not 2\.$"):
        boundaries(random_networks((12, 5, 2)), random_images(), LABELS.clamp(max=3))
