import numpy as np
import pytest
import torch

from generalization.representations.layers import compared_layers, represented_layer
from generalization.similarities.linear_cka import linear_cka
from generalization.similarities.pwcca import pwcca
from generalization.similarities.svcca import svcca


def network(widths, dtype, seed):
    generator = np.random.default_rng(seed)
    return [generator.standard_normal((80, width)).astype(dtype) for width in widths]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("similarity", "settings"),
    [(pwcca, {}), (svcca, {"explained_variance": 0.7}), (linear_cka, {"debiased": True})],
)
def test_all_pairs_at_once_are_the_pairs_one_by_one(similarity, settings, dtype):
    a, b = network([3, 6, 2], dtype, 0), network([5, 4], dtype, 1)
    represented = [[represented_layer(torch.from_numpy(one)) for one in net] for net in (a, b)]
    found = list(
        compared_layers(similarity, *represented, asymmetric=similarity is pwcca, **settings)
    )
    assert {(i, j) for i, j, *_ in found} == {(i, j) for i in range(3) for j in range(2)}
    for i, j, score, exchanged in found:
        for one, expected in (
            (score, similarity(a[i], b[j], **settings)),
            (exchanged, similarity(b[j], a[i], **settings)),
        ):
            assert one.value == pytest.approx(expected.value, abs=1e-12)
            assert one.held_out == pytest.approx(expected.held_out, abs=1e-12, nan_ok=True)
            assert (one.units_a, one.units_b) == (expected.units_a, expected.units_b)


def test_a_layer_of_single_precision_keeps_no_copy_in_double():
    values = torch.randn(50, 4)
    (representation,) = represented_layer(values)
    assert representation.values.dtype == torch.float32
    torch.testing.assert_close(representation.half(0).mean(0), torch.zeros(4).double())
