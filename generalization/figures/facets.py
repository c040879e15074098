"""Split of a table into rows or columns of panels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from generalization.names import setting_name


@dataclass(frozen=True)
class Facet:
    """One side of a grid of panels: rows or columns of panels, one per value.

    Attributes:
        keys: Columns of the table that hold the values. Without any, every panel sees all rows.
        values: One per panel, in their order; tuples, if there are several keys.
        names: Heading of each value.
        left_out: Sentence about values without panels, if there are any.
    """

    keys: tuple[str, ...] = ()
    values: tuple[Any, ...] = ("",)
    names: tuple[str, ...] = ("",)
    left_out: str = ""

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        *keys: str,
        order: Sequence[Any] | None = None,
        most: int | None = None,
        name: Callable[..., str] | None = None,
        noun: str = "",
    ) -> Facet:
        """Split a table by the values of some columns.

        Args:
            table: Rows that are drawn; there is a panel for each value that they have.
            keys: Columns; none, if nothing is split.
            order: Values to show, in their order; all in ascending order, if not given.
            most: Maximum number of panels.
            name: Function from the value of every key to a heading; joined ``setting_name``, if not
                given.
            noun: Plural noun for values, in the sentence about those without panels.
        """
        if not keys:
            return cls()
        rows = table[[*keys]].drop_duplicates().sort_values([*keys]).itertuples(index=False)
        there = [_one_missing(row) for row in rows]
        chosen = there
        if order is not None:
            wanted = (value if isinstance(value, tuple) else (value,) for value in order)
            chosen = [value for value in map(_one_missing, wanted) if value in there]
        chosen = chosen[:most]
        name = name or (lambda *values: ", ".join(map(setting_name, keys, values)))
        cut = noun and len(chosen) < len(there)
        return cls(
            keys,
            tuple(value if len(keys) > 1 else value[0] for value in chosen),
            tuple(name(*value) for value in chosen),
            f"{len(chosen)} of {len(there)} {noun} are shown." if cut else "",
        )

    @classmethod
    def each(cls, names: Mapping[Any, str]) -> Facet:
        """Give every value a panel that sees all rows.

        Args:
            names: Value, for example a column of the table, → heading.
        """
        return cls((), tuple(names), tuple(names.values()))

    def select(self, table: pd.DataFrame, value: Any) -> pd.DataFrame:
        """Return the rows of a value; a missing value equals itself."""
        for key, one in zip(self.keys, value if len(self.keys) > 1 else (value,), strict=False):
            table = table[table[key].isna() if pd.isna(one) else table[key] == one]
        return table

    def split(self, table: pd.DataFrame) -> Iterator[tuple[Any, pd.DataFrame]]:
        """Yield every value with its rows."""
        for value in self.values:
            yield value, self.select(table, value)


WHOLE = Facet()  # One panel, which sees all rows.


def _one_missing(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return values with None for what is missing, which equals itself, as NaN does not."""
    return tuple(None if pd.isna(value) else value for value in values)
