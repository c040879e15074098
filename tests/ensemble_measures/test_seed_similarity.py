import pytest
import torch

from generalization.ensemble_measures.seed_similarity import seed_similarity
from generalization.errors import InputError


def features(networks, units, seed=0):
    return torch.randn(networks, 50, units, generator=torch.Generator().manual_seed(seed)).double()


def test_it_is_the_normalized_inner_product_of_centered_kernels():
    a, b = features(2, 5), features(3, 7, seed=1)

    def kernel(one):
        centered = one - one.mean(0)
        kernel = centered @ centered.T
        return kernel / kernel.norm()

    expected = torch.stack([torch.stack([(kernel(x) * kernel(y)).sum() for y in b]) for x in a])
    torch.testing.assert_close(seed_similarity(a, b), expected)


def test_permuted_and_scaled_units_are_the_same_representation():
    a = features(1, 6)
    again = 3 * a[..., torch.randperm(6, generator=torch.Generator().manual_seed(0))] + 1
    assert seed_similarity(a, again).item() == pytest.approx(1)


def test_a_layer_without_varying_units_has_no_value():
    assert seed_similarity(features(1, 3), torch.ones(1, 50, 4).double()).isnan().all()


def test_a_module_has_no_activations():
    sentence = (
        "seed_similarity: features_a must be of shape (networks, samples, units), not a Linear."
    )
    with pytest.raises(InputError) as caught:
        seed_similarity(torch.nn.Linear(2, 3), features(1, 3))
    assert str(caught.value) == sentence
