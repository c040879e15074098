"""How long does it take to fit random data, and does regularization prevent it? Zhang et al. 2017.

Tables:
    fitting_times, regularization_effects.
Figures:
    fitting_curves, corruption, regularizers.

Args:
    resampling: Level of the intervals; nothing is resampled.
    classes: Dataset → number of classes.
"""
