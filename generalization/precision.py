"""Precision to which numbers were rounded, whatever type they are stored in.

Activations and weights of half or single precision are often converted before they are saved. What
rounding has added to them remains, and looks like directions of its own to the wider type.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Types that a type holds exactly, those of the fewest digits first.
NARROWER = {
    torch.float64: (torch.bfloat16, torch.float16, torch.float32),
    torch.float32: (torch.bfloat16, torch.float16),
    torch.complex128: (torch.complex64,),
}


def rounded_to(values: Tensor) -> torch.dtype:
    """Return the type of the fewest digits that holds numbers exactly, if they look rounded to it.

    Numbers with so many digits that are multiples of one number, such as integers and counts, were
    not rounded: they are of their own type. Others are not held by chance: a number of single
    precision is one of half precision with a probability of 2⁻¹³.
    """
    for narrow in NARROWER.get(values.dtype, ()):
        # Nearly all are told by a few.
        if all(_holds(narrow, some) for some in (values[:1], values)):
            return values.dtype if _is_fixed_point(values, narrow) else narrow
    return values.dtype


def _holds(narrow: torch.dtype, values: Tensor) -> bool:
    return torch.equal(values.to(narrow).to(values.dtype), values)


def _is_fixed_point(values: Tensor, narrow: torch.dtype) -> bool:
    """Return whether all numbers are multiples of the last digit of the largest."""
    numbers = torch.view_as_real(values) if values.is_complex() else values
    largest = numbers.abs().max() if numbers.numel() else numbers.new_zeros(())
    digit = torch.finfo(narrow).eps * torch.ldexp(
        torch.ones_like(largest), torch.frexp(largest)[1] - 1
    )
    return bool((numbers / digit == (numbers / digit).round()).all())
