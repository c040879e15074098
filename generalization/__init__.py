"""Measures of trained networks, and how well they tell generalization.

Pure functions: nothing in this package knows the workflow, its configuration or its results.
"""
