import math

import pytest
import torch

from generalization.ensemble_measures.disagreement import (
    agreement_gap,
    disagreement,
    independent_error,
)
from generalization.errors import InputError


def logits_of_classes(*networks, classes=4):
    one_hot = torch.nn.functional.one_hot(torch.tensor(networks), classes).float()
    return one_hot * torch.linspace(1, 2, one_hot.shape[1]).unsqueeze(1)


A = logits_of_classes([0, 1, 2, 3], [3, 3, 3, 3])
B = logits_of_classes([0, 1, 2, 0], [3, 1, 0, 3], [0, 1, 2, 3])


def test_disagreement_is_the_fraction_of_inputs_with_different_classes():
    assert disagreement(A, B).tolist() == [[0.25, 0.5, 0.0], [1.0, 0.5, 0.75]]


def test_two_networks_may_change_places():
    assert torch.equal(disagreement(A, B), disagreement(B, A).T)


def test_scale_of_the_logits_is_not_seen():
    assert torch.equal(disagreement(A, B), disagreement(1e3 * A, B / 1e3))


def test_disagreement_of_calibrated_networks_is_their_test_error():
    """GDE: labels drawn from the distribution of the networks' own classes."""
    generator = torch.Generator().manual_seed(0)
    shares = torch.rand(400, 5, generator=generator).softmax(-1)
    classes = torch.multinomial(shares, 40, replacement=True, generator=generator).T
    logits = torch.nn.functional.one_hot(classes, 5).double()
    labels = torch.multinomial(shares, 1, generator=generator)[:, 0]
    error = (classes != labels).double().mean()
    upper = torch.triu_indices(40, 40, 1)
    found = disagreement(logits, logits)[upper[0], upper[1]].mean()
    assert found == pytest.approx(error.item(), abs=0.02)


def test_agreement_gap_is_the_gap_if_agreement_is_the_test_accuracy():
    train_a, train_b = torch.tensor([1.0, 0.5]).double(), torch.tensor([1.0, 0.8, 0.6]).double()
    expected = torch.tensor([[0.25, 0.4, -0.2], [0.75, 0.15, 0.3]]).double()
    torch.testing.assert_close(agreement_gap(A, B, train_a, train_b), expected)


@pytest.mark.parametrize("classes", [2, 4, 10])
@pytest.mark.parametrize("error", [0.0, 0.1, 0.4])
def test_independent_error_inverts_the_agreement_of_independent_errors(classes, error):
    agreement = (1 - error) ** 2 + error**2 / (classes - 1)
    inputs = 100_000
    same = round(agreement * inputs)
    one = logits_of_classes([0] * inputs, classes=classes)
    other = logits_of_classes([0] * same + [1] * (inputs - same), classes=classes)
    assert independent_error(one, other).item() == pytest.approx(error, abs=1e-4)


def test_networks_that_agree_less_than_by_chance_err_as_by_chance():
    one, other = logits_of_classes([0, 1, 2, 3]), logits_of_classes([1, 2, 3, 0])
    assert independent_error(one, other).item() == 0.75
    assert math.isfinite(independent_error(one, one).item())


@pytest.mark.parametrize(
    ("logits", "found"),
    [
        (torch.nn.Linear(2, 3), "of shape (networks, samples, classes), not a Linear"),
        (A[0], "of shape (networks, samples, classes), not of shape (4, 4)"),
    ],
)
def test_what_is_no_logits_of_networks_is_refused(logits, found):
    ones = torch.ones(2).double()
    for measure, rest in (
        (disagreement, ()),
        (independent_error, ()),
        (agreement_gap, (ones,) * 2),
    ):
        with pytest.raises(InputError) as caught:
            measure(A, logits, *rest)
        assert str(caught.value) == f"{measure.__name__}: logits_b must be {found}."


def test_networks_of_one_class_agree_on_nothing():
    with pytest.raises(InputError) as caught:
        independent_error(A[..., :1], B[..., :1])
    assert str(caught.value) == "independent_error: logits must be of at least two classes, not 1."
