"""What a paper claims: rows of a table of statistics, and where their estimates should lie."""

from __future__ import annotations

from dataclasses import dataclass

# How we know what a paper says that is not among our sources: every claim of it says one of these.
BLOG = "not among our sources; words as the blog has them"
ABSTRACT = "not among our sources; read in its abstract"
MEMORY = "not among our sources; from memory of the paper"


@dataclass(frozen=True)
class Control:
    """What would show the same if the claim said nothing.

    Attributes:
        name: In words, for example "untrained networks".
        columns: Contrast to the control and its interval, in the same row as the estimate.
        number: Contrast where the control shows the same: 0, or 1 for a ratio.
        beside: Why it is no alternative explanation, so that the verdict does not depend on it; it
            is shown beside, with this reason. Empty of one that decides.
    """

    name: str
    columns: tuple[str, str, str]
    number: float = 0.0
    beside: str = ""

    @property
    def words(self) -> str:
        """Its name, and why it does not decide."""
        return f"{self.name} (does not decide: {self.beside})" if self.beside else self.name


@dataclass(frozen=True)
class Claim:
    """A claim that an estimate lies on one side of a number.

    Attributes:
        claim: In words.
        source: Where the paper makes it.
        table: Table of statistics in which the estimate stands.
        rows: Rows that speak to the claim, as a query of pandas. Name no dataset there:
            each is judged by itself, and then all are joined.
        expected: ``above`` or ``below`` the number; ``near`` it, for a claim of no relation;
            ``always``, for a theorem, which one of the row's ``exceptions`` refutes.
        number: Number that a claim is measured against: 0 for a correlation, 1 for a ratio, ½ for
            a share.
        columns: Columns of the estimate and its interval.
        tolerance: Equivalence margin of a claim that is ``near``, and of no other; of a ratio, on
            the scale ``log``, the logarithm of the factor.
        quote: At most 25 words of the source.
        ours: Parts of the expectation that are ours, not the paper's: ``threshold``, ``tolerance``,
            ``side``, ``statistic``; empty if all of it is printed in the source.
        scale: On which estimates are joined over datasets and tested for equivalence:
            ``identity``, ``fisher`` (correlations), ``log`` (ratios), ``logit`` (shares).
        control: Control that decides with the claim or stands beside it, if there is one.
        counted: Whether the estimate is counted from the design, such as FLOPs: if all units have
            the same, it is the number itself, and no sign that the interval says nothing.

    Raises:
        ValueError: If a claim that is ``near`` has no tolerance, or another one has.
    """

    claim: str
    source: str
    table: str
    rows: str
    expected: str
    number: float = 0.0
    columns: tuple[str, str, str] = ("estimate", "low", "high")
    tolerance: float | None = None
    quote: str = ""
    ours: str = ""
    scale: str = "identity"
    control: Control | None = None
    counted: bool = False

    def __post_init__(self) -> None:
        if (self.expected == "near") != (self.tolerance is not None):
            raise ValueError(
                "tolerance must be given for a claim that is 'near', and for no other, "
                f"not {self.tolerance!r} for {self.expected!r}."
            )
