"""What a paper claims: rows of a table of statistics, and where their estimates should lie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """A claim that an estimate lies on one side of a number.

    Attributes:
        claim: In words.
        source: Where the paper makes it.
        table: Table of statistics in which the estimate stands.
        rows: Which of its rows speak to the claim, as a query of pandas; each is judged by itself.
        expected: ``above`` or ``below`` the number, or ``near`` it, for a claim of no relation.
        number: That a claim is measured against: 0 for a correlation, 1 for a ratio, ½ for a share.
        columns: Of the estimate and its interval.
        tolerance: How near is near.
    """

    claim: str
    source: str
    table: str
    rows: str
    expected: str
    number: float = 0.0
    columns: tuple[str, str, str] = ("estimate", "low", "high")
    # ASSUME: "does not correlate" replicates if the interval of a correlation lies within ±0.3, or
    # that of a fraction within 0.5 ± 0.3: a larger effect would have been detected.
    tolerance: float = 0.3
