"""Names and numbers as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from numbers import Integral, Number, Real

import numpy as np
import pandas as pd


def readable(name: str) -> str:
    """Name of a measure, statistic or hyper-parameter, in words.

    Args:
        name: As in tables, for example ``logit_jacobian_norm``. The digits after a hyphen name the
            settings of a measure that differ from its defaults.
    """
    words = re.sub(r"-([0-9a-f]{8})$", r" (\1)", name).replace("_", " ")
    words = (
        words
        .replace("jacobian", "Jacobian")
        .replace("ols", "OLS")
        .replace(" auc", " AUC")
        .replace("r squared", "R²")
    )
    return words if words.startswith("p ") else words[:1].upper() + words[1:]


def within(name: str) -> str:
    """``readable`` for the inside of a sentence, where only proper names have a capital."""
    words = readable(name)
    return words if words.startswith(("Jacobian", "OLS")) else words[:1].lower() + words[1:]


def number(value: Real, digits: int = 3) -> str:
    """A number with so many significant digits; what is missing is a dash."""
    if isinstance(value, Integral):
        return f"{value:,}"
    if not math.isfinite(value):
        return "–" if math.isnan(value) else f"{value}".replace("-", "−").replace("inf", "∞")
    if 1000 <= abs(value) < 1e6:
        return _minus(f"{value:,.0f}")
    return re.sub(
        r"e([+−])0*", lambda sign: f"e{sign[1].strip('+')}", _minus(f"{value:.{digits}g}")
    )


def interval(estimate: float, low: float, high: float) -> str:
    """An estimate and its interval, ``0.83 [0.71, 0.90]``, all with the same decimals.

    Args:
        estimate: If missing, a dash stands for all.
        low: If missing, as high is then, the estimate stands alone.
        high: Upper end.
    """
    if math.isnan(estimate):
        return number(estimate)
    largest = max(abs(value) for value in (estimate, low, high) if not math.isnan(value))
    if not 1e-4 <= largest < 1e6 and largest:
        shown = [number(value) for value in (estimate, low, high)]
    else:
        decimals = 2 if 0.1 <= largest < 10 else _decimals(largest, 2)
        shown = [_minus(f"{value:.{decimals}f}") for value in (estimate, low, high)]
    return shown[0] if math.isnan(low) else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def value_name(value: object) -> str:
    """Value of a hyper-parameter as a configuration says it."""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, Number):
        return "null" if value != value else f"{value:g}"
    return "null" if value is None else str(value)


def setting_name(key: str, value: object) -> str:
    """A hyper-parameter with its value, as headings say it; some are known by their value alone."""
    if key == "architecture":
        return value_name(value).replace("_", " ")
    return value_name(value) if key == "dataset" else f"{within(key)} {value_name(value)}"


def values_of(column: pd.Series) -> list:
    """The different values of a hyper-parameter, ascending, a missing one last."""
    there = sorted(column.dropna().unique())
    return [*there, None] if column.isna().any() else there


def listed(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b, and c``."""
    if len(items) < 3:
        return " and ".join(items)
    return f"{', '.join(items[:-1])}, and {items[-1]}"


def _decimals(value: float, digits: int) -> int:
    return max(digits - 1 - (math.floor(math.log10(abs(value))) if value else 0), 0)


def _minus(digits: str) -> str:
    """With the sign that is as wide as a plus, and none at zero."""
    return digits.replace("-", "−" if re.search("[1-9]", digits.split("e")[0]) else "")
