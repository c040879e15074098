"""Absolute moments of normal variables, in logarithms."""

import math

import torch
from jaxtyping import Float64
from torch import Tensor


def log_absolute_moment(
    order: int, mean: Float64[Tensor, "*_"], deviation: Float64[Tensor, "*_"]
) -> Float64[Tensor, "*_"]:
    """The logarithm of E|X|^ν for X ~ N(μ, s²), which no order, mean or deviation overflows.

    Winkelbauer 2012 has it by Kummer's function, which overflows or cancels for large μ/s,

        E|X|^ν = s^ν 2^{ν/2} Γ((ν + 1)/2)/√π ₁F₁(−ν/2; ½; −μ²/(2s²)).

    For whole ν partial integration (Stein: E[(X − μ) g(X)] = s² E g'(X)) gives the same by sums of
    what is not negative, which add up in logarithms. With μ ≥ 0, T_n = E[sgn(X)^{ν−n} |X|^n] and
    g(X) = sgn(X)^{ν−n+1} |X|^{n−1},

        T_n = μ T_{n−1} + (n − 1) s² T_{n−2},   T_ν = E|X|^ν,

    from T_0 = 1 and T_1 = μ if ν is even; if ν is odd, from T_0 = E sgn X = erf(μ/(s√2)) and
    T_1 = E|X| = μ T_0 + s √(2/π) exp(−μ²/(2s²)).

    Args:
        order: ν, a whole number from 0 on.
        mean: μ; its sign does not matter.
        deviation: s, not negative. Where it is 0, the moment is |μ|^ν.

    Returns:
        One logarithm for each mean and deviation; −∞ where both are 0, unless ν is 0.
    """
    mean = mean.abs()
    ratio = (mean / deviation).nan_to_num(nan=0.0)  # An infinite one becomes very large.
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
