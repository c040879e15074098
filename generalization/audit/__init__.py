"""Checks of measures: what changes them that should not, and what their numbers cost.

``check_measure`` runs the same checks on any function. The workflow runs them on every measure of
the catalog; the table ``audit`` has a card for each.

Args:
    case: Networks and points, see ``cases``.
    seed: Seeds random numbers of measures, points and networks.
"""
