"""Passages of the sources that claims quote, and what of their notation makes no difference.

``quotations.csv`` has one row a passage: its source, where it stands there, and at most 25 words as
they are printed, with the TeX of formulas.
"""

import re
import unicodedata
from pathlib import Path

import pandas as pd

PASSAGES = pd.read_csv(Path(__file__).with_name("quotations.csv"))
SYMBOLS = {"approx": "≈", "sqrt": "√", "epsilon": "ε", "cdot": "·", "Sigma": "Σ"}


def folded(text: str) -> str:
    """Return a text without what differs between a print and its quotation.

    Case, white space, quotation marks, emphasis and hyphens of broken lines are gone; TeX commands
    are the symbols that they print, without groups.
    """
    text = unicodedata.normalize("NFKC", re.sub(r"-\s*\n\s*", "", text))
    text = re.sub(r"\\frac\{1\}\{2\}", "½", text)
    text = re.sub(r"\\(?:text|mathrm)\b", "", text)
    for command, symbol in SYMBOLS.items():
        text = re.sub(rf"\\{command}(?![A-Za-z])", symbol, text)
    text = re.sub(r"1⁄2", "½", text)
    text = re.sub(r"[“”\"'‘’`*_${}()\[\]\\]", "", text)
    return re.sub(r"\s+", " ", text).strip().casefold()


def parts(quote: str) -> list[str]:
    """Split a quotation at what it leaves out, folded."""
    return [folded(part).strip(" .,") for part in quote.split("…")]
