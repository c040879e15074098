"""How long does it take to fit random data? Zhang et al. 2017.

Tables:
    fitting_times.
Figures:
    fitting_curves, corruption.

Args:
    classes: Dataset → number of classes.
"""
