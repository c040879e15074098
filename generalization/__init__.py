"""Measures of trained networks, and how well they predict generalization.

Pure functions: nothing in this package knows the workflow, its configuration or its results.

An argument is explained once, in the narrowest place that all who share it are in: the function,
its module, its folder, or here. An argument that bears the name of a table, profile or similarity
of the catalog is that table of the study; ``training`` and ``measures`` hold the rows of
``collect_training`` and ``collect_measures``.

Args:
    kept: Networks of an ensemble, at every step at which they were kept.
    data: What they were trained and tested on.
    networks: A stack of R networks or, where the annotation is ``Networks``, a ``torch.nn.Module``
        that maps inputs to logits and, if hidden layers are needed, can be taken apart by
        ``layer_maps``.
    network: A stack of one.
    inputs: N points, in the dtype of the weights.
    labels: Their classes.
    train_inputs: N training inputs, in the dtype of the weights.
    train_labels: Their labels, as the networks were trained on them.
    train_samples: Number of training inputs, the first ones; all, if there are fewer.
    widths: Units per layer: input, hidden layers, logits.
    hyperparameters: Those of the networks.
    pixel_deviations: Pixels per unit of input, at every point.
    pixel_noise_std: σ in pixels, which are from 0 to 1.
    generator: Source of the draws.
    draws: Number of draws of noise at every point.
    reduction: Outputs, as for ``tangent_sensitivity``.
    ensembles: Ensemble of every network, 0 … E − 1.
    fitted_accuracy: Train accuracy from which on a network counts as fitted.
    primary: Statistic by which measures are judged, a setting of the study.
    resampling: Generator, number of resamples and level of the intervals.
    axes: Axes to draw on.
    color: Hyper-parameter shown by colors, see ``told_apart``.
    marker: Hyper-parameter shown by markers.
    path: Path of the file.
"""
