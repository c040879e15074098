"""From tables to tables. Every file that makes a table of a study bears its name.

The function of that name says in its signature what it needs: tables, each by its name or all that
there are as ``tables``; ``comparisons``, ``papers`` and ``fitting`` of the study; the
``resampling`` behind its intervals; and the settings of statistics.
"""
