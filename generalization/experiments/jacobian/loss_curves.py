"""The Jacobian norm at a point as a function of the loss there (Novak et al. 2018, §A.3, eqs 5–7).

With l the cross-entropy of a point, p = e^{-l} is the probability of its true class. All curves
assume that G = M·I + 1vᵀ + v1ᵀ for some v: the gradients of the K logits, but for what they have in
common, are orthogonal and of one length. (The paper assumes G ≈ M·I. As the rows of the softmax's
Jacobian C = diag(σ) − σσᵀ sum to zero, both have the same J.) Then, with the sums S_k = Σ σ_i^k,

    ‖J_y‖² = M p² [(1 − p)² + Σ_{j≠y} σ_j²],      ‖J‖_F² = M ‖C‖_F² = M (S_2 − 2 S_3 + S_2²).

The paper derives the first by dropping the products of different gradients from a square of sums
(eqs 2–4), with "=" where only this assumption makes it so.

``rivals`` are the classes other than the true one: they share 1 − p evenly, or one has it all.
"""

from __future__ import annotations

import numpy as np

Values = np.ndarray | float  # Shapes of a loss and an M are broadcast.


def true_row_with_even_rivals(loss: Values, m: Values, classes: int) -> Values:
    """√(KM/(K−1)) p(1−p), the least ‖J_y‖ for a loss: eq. 5, left; eq. 6 bounds ‖J‖_F by it.

    Args:
        loss: Cross-entropy l in nats.
        m: M, in logits² per squared unit of input.
    """
    return np.sqrt(classes / (classes - 1) * m) * _spread(loss)


def true_row_with_one_rival(loss: Values, m: Values) -> Values:
    """√(2M) p(1−p), the largest ‖J_y‖ for a loss: eq. 5, right."""
    return np.sqrt(2 * m) * _spread(loss)


def norm_at_least(loss: Values, m: Values, classes: int) -> Values:
    """√M K/(K−1) p(1−p), a lower bound of ‖J‖_F: eq. 6, tightened by √(K/(K−1)).

    The rows of J sum to zero, so that those of the other classes have the sum −J_y, and the sum of
    their K − 1 squares is at least ‖J_y‖²/(K−1): ‖J‖_F² ≥ K/(K−1) ‖J_y‖², for any network.
    """
    return np.sqrt(classes / (classes - 1)) * true_row_with_even_rivals(loss, m, classes)


def norm_with_even_rivals(loss: Values, m: Values, classes: int) -> Values:
    """√M/(K−1) (1−p) √(K²p² + K − 2): eq. 7.

    It is right, though the row of a rival in the display before it, whose square is
    M (1−p)²/(K−1)³ (Kp² + K − 2), is printed with the last factor squared. But it is introduced as
    an upper bound, and is none: for p ≥ 1/2 even rivals make ‖J‖_F as small as it can be.
    """
    root = np.hypot(classes * np.exp(-loss), np.sqrt(classes - 2))
    return np.sqrt(m) / (classes - 1) * -np.expm1(-loss) * root


def norm_with_one_rival(loss: Values, m: Values) -> Values:
    """2√M p(1−p): ‖J‖_F where two classes share all probability, the most there is for p ≥ 1/2."""
    return 2 * np.sqrt(m) * _spread(loss)


def _spread(loss: Values) -> Values:
    """p(1−p), right to the last digits where p rounds to 1."""
    return np.exp(-loss) * -np.expm1(-loss)
