"""From tables to tables. Every file that makes a table of a study bears its name.

The function of that name says in its signature what it needs: tables, each by its name or all that
there are as ``tables``; ``comparisons``, ``papers``, ``fitting`` and ``regularization`` of the
study; the ``resampling`` behind its intervals; and the settings of statistics.

Args:
    level: Level of the interval.
    counts: Number of times that each resample holds each ensemble; see ``draws``.
    measures: Ensemble means; NaN where a measure has no value, infinite values are ranked.
    gap: Mean generalization gap of every ensemble, finite.
    levels: Level of every swept factor in every ensemble.
    orders: Result of ``draws.permuted_orders`` without strata.
    claim: Claim of a paper.
    whole_ensembles: Whether an ensemble is left out of which any network has not fitted.
"""
