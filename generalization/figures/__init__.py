"""From tables to figures. A figure with nothing to show says so in words.

Every figure has a file of its name with a function of its name, which names in its signature what
it needs: the tables ``measures``, ``statistics`` and ``training``, a ``measure``, ``baselines``,
and settings of the study.
"""

# Figure → the chapter of the report in which it stands.
FIGURES = {
    "measure_league": "Overview",
    "training_curves": "Overview",
    "gap_against_measure": "Generalization gap against each measure",
}

# Tables of numbers that the report shows as pages.
PAGES = ("statistics", "excluded")
