"""Logarithms of absolute moments of normal variables."""

import math

import torch
from jaxtyping import Float64
from torch import Tensor


def log_absolute_moment(
    order: int, mean: Float64[Tensor, "*_"], deviation: Float64[Tensor, "*_"]
) -> Float64[Tensor, "*_"]:
    """Return ln E|X|^ν for X ~ N(μ, s²), without overflow for any order, mean or deviation.

    The formula of Winkelbauer 2012 by Kummer's function overflows or cancels for large μ/s,

        E|X|^ν = s^ν 2^{ν/2} Γ((ν + 1)/2)/√π ₁F₁(−ν/2; ½; −μ²/(2s²)).

    For integer ν, integration by parts (Stein: E[(X − μ) g(X)] = s² E g'(X)) expresses it by sums
    of nonnegative terms, which are added in logarithms. With μ ≥ 0, T_n = E[sgn(X)^{ν−n} |X|^n] and
    g(X) = sgn(X)^{ν−n+1} |X|^{n−1},

        T_n = μ T_{n−1} + (n − 1) s² T_{n−2},   T_ν = E|X|^ν,

    from T_0 = 1 and T_1 = μ if ν is even; if ν is odd, from T_0 = E sgn X = erf(μ/(s√2)) and
    T_1 = E|X| = μ T_0 + s √(2/π) exp(−μ²/(2s²)).

    Args:
        order: Order ν, a nonnegative integer.
        mean: Mean μ, of any sign.
        deviation: Standard deviation s ≥ 0; where it is 0, the moment is |μ|^ν.

    Returns:
        One logarithm per mean and deviation; −∞ where both are 0, unless ν is 0.
    """
    mean = mean.abs()
    ratio = (mean / deviation).nan_to_num(nan=0.0)  # Infinity becomes the largest finite number.
    log_mean, log_deviation = mean.log(), deviation.log()
    if order % 2:
        below = torch.erf(ratio / math.sqrt(2)).log()
        at_zero = math.log(2 / math.pi) / 2 - ratio.square() / 2
        moment = torch.logaddexp(log_mean + below, log_deviation + at_zero)
    else:
        below, moment = torch.zeros_like(mean), log_mean
    for n in range(2, order + 1):
        last = log_deviation.mul(2).add(math.log(n - 1)).add(below)
        below, moment = moment, torch.logaddexp(log_mean + moment, last)
    return moment if order else below
