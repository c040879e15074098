"""How many rows of the Jacobians of a module are computed. Imports no torch."""

# ASSUME: of modules with more classes than this, rows are drawn. ``measure`` repeats a draw three
# times, 96 passes in all; up to 128 classes all rows take hardly longer, and have no error.
MOST_EXACT_CLASSES = 128
# ASSUME: 32 rows. At one input the relative standard error is then below 18 % even if the part that
# is drawn has rank one; over the N inputs of a measure it is divided by √N.
ROWS = 32
FEWEST_ROWS = 4


def computed_rows(classes: int, rows: int | str = ROWS) -> int:
    """Return how many rows of the Jacobian of a module are computed.

    Args:
        rows: Setting of a measure, a number or ``all``.
    """
    if rows == "all":
        return classes
    return classes if classes <= max(rows, MOST_EXACT_CLASSES) else rows
