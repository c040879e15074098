"""Readable names and numbers for figures, tables and sentences."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from numbers import Integral, Number, Real

import numpy as np
import pandas as pd

# Words that are written in another way than in lower case.
PROPER = {
    "jacobian": "Jacobian",
    "gaussian": "Gaussian",
    "gauss newton": "Gauss–Newton",
    "fisher rao": "Fisher–Rao",
    "frobenius": "Frobenius",
    "davies bouldin": "Davies–Bouldin",
    "bartlett": "Bartlett",
    "brier": "Brier",
    "pac bayes": "PAC-Bayes",
    "theorem 3 1": "Theorem 3.1",
    "theorem 3 2": "Theorem 3.2",
    "svcca": "SVCCA",
    "pwcca": "PWCCA",
    "cca": "CCA",
    "cka": "CKA",
    "tic": "TIC",
    "ols": "OLS",
    "auc": "AUC",
    "r squared": "R²",
}


def readable(name: str) -> str:
    """Return the readable name of a measure, statistic or hyper-parameter.

    Args:
        name: Name as in tables, for example ``logit_jacobian_norm``. The digits after a hyphen
            identify settings of a measure that differ from its defaults.
    """
    words = re.sub(r"-([0-9a-f]{8})$", r" (\1)", name).replace("_", " ")
    words = re.sub(rf"\b({'|'.join(PROPER)})\b", lambda word: PROPER[word[1]], words)
    return words if words.startswith("p ") else words[:1].upper() + words[1:]


def within(name: str) -> str:
    """Return the readable name for use within a sentence, capitalizing only proper names."""
    words = readable(name)
    return words if words.startswith(tuple(PROPER.values())) else words[:1].lower() + words[1:]


def number(value: Real, digits: int = 3) -> str:
    """Format a number with the given number of significant digits, a missing one as a dash."""
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
    """Format an estimate with its interval as ``0.83 [0.71, 0.90]``, with equally many decimals.

    A number that would be written as zero, but is not, has two significant digits.

    Args:
        estimate: Estimate; if missing, the result is a dash.
        low: Lower end; if missing, the estimate is returned without an interval.
        high: Upper end, missing if and only if the lower end is.
    """
    if math.isnan(estimate):
        return number(estimate)
    largest = max(abs(value) for value in (estimate, low, high) if not math.isnan(value))
    if not 1e-4 <= largest < 1e6 and largest:
        shown = [number(value) for value in (estimate, low, high)]
    else:
        decimals = 2 if 0.1 <= largest < 10 else _decimals(largest, 2)
        shown = [_minus(f"{value:.{decimals}f}") for value in (estimate, low, high)]
    shown = [
        number(value, digits=2) if value and not re.search("[1-9–]", one) else one
        for one, value in zip(shown, (estimate, low, high), strict=True)
    ]
    return shown[0] if math.isnan(low) else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def value_name(value: object) -> str:
    """Format the value of a hyper-parameter as in a configuration file."""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, Number):
        return "null" if value != value else f"{value:g}"
    return "null" if value is None else str(value)


def short_name(value: object) -> str:
    """Format the value of a hyper-parameter for a figure, without modules and braces."""
    if isinstance(value, str) and value.startswith("{"):
        given = json.loads(value).items()
        return ", ".join(f"{within(key)} {value_name(one)}" for key, one in given)
    name = value_name(value)
    return name.rpartition(":")[2] if re.fullmatch(r"[\w.]+:\w+", name) else name


def setting_name(key: str, value: object) -> str:
    """Format a hyper-parameter with its value; datasets and architectures by value only.

    Of a function that builds networks, its name tells; of its arguments, each and its value.
    """
    if key == "architecture":
        return short_name(value).replace("_", " ")
    if key == "architecture_arguments" and isinstance(value, str):
        return short_name(value)
    return value_name(value) if key == "dataset" else f"{within(key)} {value_name(value)}"


def values_of(column: pd.Series) -> list:
    """Return the distinct values of a hyper-parameter in ascending order, a missing one last."""
    there = sorted(column.dropna().unique())
    return [*there, None] if column.isna().any() else there


def listed(items: Sequence[str]) -> str:
    """Join items to ``a``, ``a and b``, or ``a, b, and c``."""
    if len(items) < 3:
        return " and ".join(items)
    return f"{', '.join(items[:-1])}, and {items[-1]}"


def _decimals(value: float, digits: int) -> int:
    return max(digits - 1 - (math.floor(math.log10(abs(value))) if value else 0), 0)


def _minus(digits: str) -> str:
    """Replace the hyphen by a minus sign, and drop the sign of zero."""
    return digits.replace("-", "−" if re.search("[1-9]", digits.split("e")[0]) else "")
