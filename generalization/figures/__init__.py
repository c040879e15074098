"""From tables to figures. A figure with nothing to show says so in words.

Every figure has a file of its name with a function of its name, which names in its signature what
it needs: tables, a ``measure`` or ``factor``, and settings of the study.
What has rows and columns of panels is drawn by ``SmallMultiples``: settings in a
dataclass, a table in, artists out. No figure imports another, but for families in one room.
"""
