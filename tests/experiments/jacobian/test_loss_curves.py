"""Curves against softmax outputs of networks with orthogonal logit gradients of one length."""

import numpy as np
import pytest
from scipy.special import softmax

from generalization.experiments.jacobian.loss_curves import (
    norm_at_least,
    norm_with_even_rivals,
    norm_with_one_rival,
    true_row_with_even_rivals,
    true_row_with_one_rival,
)

M = 5.0
each_number_of_classes = pytest.mark.parametrize("classes", [2, 3, 5, 10, 100])


def softmax_jacobian(sigma):
    """C = diag(σ) − σσᵀ without cancellation; J is √M C times orthonormal rows."""
    off_diagonal = 1 - np.eye(sigma.shape[-1])
    jacobian = -sigma[:, :, None] * sigma[:, None, :] * off_diagonal
    return jacobian + (sigma * (sigma @ off_diagonal))[:, :, None] * np.eye(sigma.shape[-1])


def norms(sigma, gram=None):
    """‖J_y‖ of the class y = 0, and ‖J‖_F, where the Gram matrix is M·I or another."""
    gram = M * np.eye(sigma.shape[-1]) if gram is None else gram
    jacobian = softmax_jacobian(sigma)
    squares = np.einsum("nij,jk,nik->ni", jacobian, gram, jacobian)
    return np.sqrt(squares[:, 0]), np.sqrt(squares.sum(1))


def random_sigma(classes, *, points=4000):
    """Loss of class 0 and σ all over the simplex, close to its corners too; half are right."""
    generator = np.random.default_rng(0)
    spread = 10 ** generator.uniform(-1, 1.7, size=(points, 1))
    logits = spread * generator.normal(size=(points, classes))
    logits[::2] = -np.sort(-logits[::2])
    below = np.exp(logits[:, 1:] - logits[:, :1]).sum(1)
    return np.log1p(below), softmax(logits, axis=1)


def rivals(classes, p, *, one):
    """σ where the rivals of class 0 share 1 − p evenly, or one has it all."""
    sigma = np.zeros((len(p), classes))
    sigma[:, 0] = p
    sigma[:, 1 : 2 if one else classes] = ((1 - p) / (1 if one else classes - 1))[:, None]
    return sigma


def at_most(less, more):
    return (less <= more * (1 + 1e-9)).all()


@each_number_of_classes
def test_true_row_lies_within_eq_5(classes):
    loss, sigma = random_sigma(classes)
    row, _ = norms(sigma)
    assert loss.min() < 1e-10
    assert loss.max() > 50
    assert at_most(true_row_with_even_rivals(loss, M, classes), row)
    assert at_most(row, true_row_with_one_rival(loss, M))


@each_number_of_classes
def test_norm_is_at_least_the_tightened_eq_6(classes):
    loss, sigma = random_sigma(classes)
    row, norm = norms(sigma)
    assert at_most(true_row_with_even_rivals(loss, M, classes), norm)
    assert at_most(norm_at_least(loss, M, classes), norm)
    # The inequality behind it holds for any network: any Gram matrix.
    factor = np.random.default_rng(1).normal(size=(classes, classes))
    row, norm = norms(sigma, factor @ factor.T)
    assert at_most(np.sqrt(classes / (classes - 1)) * row, norm)


@each_number_of_classes
def test_curves_are_attained(classes):
    p = np.linspace(0.01, 0.999, 50)
    row, norm = norms(rivals(classes, p, one=False))
    assert true_row_with_even_rivals(-np.log(p), M, classes) == pytest.approx(row)
    assert norm_with_even_rivals(-np.log(p), M, classes) == pytest.approx(norm)
    row, norm = norms(rivals(classes, p, one=True))
    assert true_row_with_one_rival(-np.log(p), M) == pytest.approx(row)
    assert norm_with_one_rival(-np.log(p), M) == pytest.approx(norm)


@each_number_of_classes
def test_from_one_half_on_the_norm_lies_between_even_rivals_and_one(classes):
    loss, sigma = random_sigma(classes)
    _, norm = norms(sigma)
    sure = loss <= np.log(2)
    assert sure.sum() > 30
    assert at_most(norm_with_even_rivals(loss, M, classes)[sure], norm[sure])
    assert at_most(norm[sure], norm_with_one_rival(loss, M)[sure])


def test_eq_7_is_no_upper_bound():
    loss, sigma = random_sigma(10)
    _, norm = norms(sigma)
    assert (norm > 1.01 * norm_with_even_rivals(loss, M, 10)).mean() > 0.1


@pytest.mark.parametrize("classes", [10, 30, 100])
def test_even_rivals_and_one_meet(classes):
    p = 1 / np.sqrt(3 * classes - 2)
    even = norm_with_even_rivals(-np.log(p), M, classes)
    assert even == pytest.approx(norm_with_one_rival(-np.log(p), M))


def test_row_of_a_rival_has_no_squared_factor():
    """Eq. 7 is the norm of the true row and of K − 1 rows M (1−p)²/(K−1)³ (Kp² + K − 2)."""
    classes, p = 10, 0.3
    rival = M * (1 - p) ** 2 / (classes - 1) ** 3 * (classes * p**2 + classes - 2)
    true = true_row_with_even_rivals(-np.log(p), M, classes)
    expected = np.sqrt(true**2 + (classes - 1) * rival)
    assert norm_with_even_rivals(-np.log(p), M, classes) == pytest.approx(expected)


def test_gradient_that_all_logits_share_changes_no_norm():
    _, sigma = random_sigma(10, points=200)
    v = np.random.default_rng(1).normal(size=10)
    shared = M * np.eye(10) + v[:, None] + v[None, :] + 9
    for plain, other in zip(norms(sigma), norms(sigma, shared), strict=True):
        assert other == pytest.approx(plain, rel=1e-6, abs=1e-12)
    centering = np.eye(10) - 0.1
    assert np.trace(centering @ shared @ centering) / 9 == pytest.approx(M)
    assert np.trace(shared) / 10 > 2 * M


@pytest.mark.parametrize("loss", [1e-300, 1e-20, 700.0])
def test_curves_keep_their_digits_where_the_softmax_is_saturated(loss):
    p_of_rivals = min(loss, 1.0)
    assert norm_with_one_rival(loss, 1.0) == pytest.approx(
        2 * np.exp(-loss) * p_of_rivals, rel=1e-12, abs=0
    )
    assert norm_with_even_rivals(loss, 1.0, 2) == pytest.approx(
        norm_with_one_rival(loss, 1.0), rel=1e-12, abs=0
    )
