import numpy as np
import pytest
import torch
from oracles.similarities import canonical

from generalization.errors import InputError
from generalization.representations.convolutions import layer_matrices, smallest_size
from generalization.representations.layers import compared_layers, represented_layer
from generalization.similarities.linear_cka import linear_cka
from generalization.similarities.mean_cca import mean_cca
from generalization.similarities.pwcca import pwcca


def feature_maps(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_channels_are_units_and_pixels_are_datapoints():
    maps = feature_maps(3, 2, 4, 5)
    (matrix,) = layer_matrices(maps, "channels")
    assert matrix.shape == (3, 20, 2)
    assert matrix[1, 7].tolist() == maps[1, :, 1, 2].tolist()


def test_means_are_over_pixels():
    maps = feature_maps(3, 2, 4, 5)
    (matrix,) = layer_matrices(maps, "mean")
    torch.testing.assert_close(matrix[:, 0], maps.mean((2, 3)))


def test_interpolation_to_a_divisor_of_the_size_keeps_what_is_linear():
    rows = torch.arange(8.0).expand(1, 1, 8, 8).mT
    (matrix,) = layer_matrices(rows, "interpolate", (4, 4))
    inner = matrix.view(4, 4)[1:3]
    torch.testing.assert_close(inner, torch.tensor([[2.5], [4.5]]).expand(2, 4))
    (same,) = layer_matrices(rows, "interpolate", (8, 8))
    assert torch.equal(same, layer_matrices(rows, "channels")[0])
    assert smallest_size([(5, 3, 8, 4), (5, 2, 6, 6)]) == (6, 4)
    assert smallest_size([(5, 3, 8, 4), (5, 10)]) == (8, 4)
    units = torch.randn(3, 2)
    (same,) = layer_matrices(units, "interpolate", (4, 4))
    assert torch.equal(same[:, 0], units)


def test_fourier_transform_keeps_lengths():
    maps = feature_maps(3, 2, 4, 5)
    matrices = layer_matrices(maps, "dft")
    assert len(matrices) == 20
    total = sum(matrix.abs().square().sum() for matrix in matrices)
    torch.testing.assert_close(total, maps.square().sum())


def shifted(maps):
    height, width = maps.shape[2:]
    return torch.cat([maps.roll((i, j), (2, 3)) for i in range(height) for j in range(width)])


def test_of_all_cyclic_shifts_frequencies_have_the_correlations_of_whole_maps():
    x, noise = feature_maps(12, 2, 3, 3), feature_maps(12, 3, 3, 3, seed=1)
    y = torch.cat([x, x[:, :1]], 1).roll(1, 2) + noise
    flat = [shifted(maps).flatten(1).numpy() for maps in (x, y)]
    _, expected, _ = canonical(*flat)
    (((_, _, found, _),)) = compared_layers(
        mean_cca, *([represented_layer(shifted(maps), "dft")] for maps in (x, y))
    )
    assert found.value == pytest.approx(expected.mean(), abs=1e-10)
    assert found.directions == len(expected) == 18


def by_frequencies(similarity, x, y, **settings):
    layers = ([represented_layer(maps, "dft")] for maps in (x, y))
    ((_, _, found, _),) = compared_layers(similarity, *layers, **settings)
    return found


def test_of_all_cyclic_shifts_frequencies_have_the_alignment_of_whole_maps():
    x, noise = feature_maps(12, 2, 3, 3), feature_maps(12, 3, 3, 3, seed=1)
    x, y = shifted(x), shifted(torch.cat([x, x[:, :1]], 1).roll(1, 2) + noise)
    found = by_frequencies(linear_cka, x, y)
    assert found.value == pytest.approx(linear_cka(x.flatten(1), y.flatten(1)).value, abs=1e-10)


def test_frequencies_weigh_what_their_directions_explain():
    """Maps of which the mean is large have the similarity of means, the others that of the rest."""
    x, y = feature_maps(40, 2, 3, 3), feature_maps(40, 2, 3, 3, seed=1)
    means = [maps.mean((2, 3), keepdim=True) for maps in (x, y)]
    loud = [maps + 1e6 * mean for maps, mean in zip((x, y), means, strict=True)]
    expected = pwcca(*(mean.flatten(1) for mean in means)).value
    assert by_frequencies(pwcca, *loud).value == pytest.approx(expected, abs=1e-5)
    assert by_frequencies(pwcca, x, y).value != pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize("similarity", [mean_cca, pwcca, linear_cka])
def test_null_of_feature_maps_knows_that_pixels_are_not_independent(similarity):
    """Maps that are the same at all of their 36 pixels are as many samples as images."""
    x, y = (feature_maps(400, 6, 1, 1, seed=seed).expand(-1, -1, 6, 6) for seed in (0, 1))
    layers = [[represented_layer(maps)] for maps in (x, y)]
    ((_, _, found, exchanged),) = compared_layers(
        similarity, *layers, asymmetric=similarity is pwcca
    )
    plain = similarity(x[:, :, 0, 0], y[:, :, 0, 0])
    assert found.value == pytest.approx(plain.value)
    assert found.null == pytest.approx(plain.null, rel=0.2)
    assert found.null > 3 * similarity(*(one[0][0] for one in layers)).null
    assert exchanged.null == pytest.approx(plain.null, rel=0.2)


def test_images_count_not_pixels():
    layers = [[represented_layer(feature_maps(20, 5, 6, 6, seed=seed))] for seed in (0, 1)]
    ((_, _, found, _),) = compared_layers(mean_cca, *layers)
    assert (found.samples, found.status) == (20 * 36, "few_samples")


@pytest.mark.parametrize("convolution", ["channels", "interpolate", "mean", "dft"])
def test_maps_of_two_sizes_are_compared_where_they_can_be(convolution):
    x, y = feature_maps(30, 2, 4, 4), feature_maps(30, 3, 2, 2, seed=1)
    layers = [[represented_layer(maps, convolution, (2, 2))] for maps in (x, y)]
    ((_, _, score, exchanged),) = compared_layers(mean_cca, *layers)
    assert (score.status == "ok") == (convolution in {"interpolate", "mean"})
    if score.status != "ok":
        assert score.status == "sizes_differ"
        assert np.isnan(score.value)
    assert (score.units_a, score.units_b) == (2, 3) == (exchanged.units_b, exchanged.units_a)


def test_bad_input_is_reported_in_one_sentence():
    with pytest.raises(InputError) as caught:
        layer_matrices(feature_maps(3, 2), "flat")
    assert str(caught.value) == (
        "convolution must be one of channels, mean, interpolate, dft, not 'flat'."
    )
    with pytest.raises(InputError) as caught:
        layer_matrices(feature_maps(3, 2, 2), "mean")
    assert str(caught.value) == (
        "activations must be samples × units or samples × channels × height × width, "
        "not of shape (3, 2, 2)."
    )
