"""From tables to tables. Every file that makes a table of a study bears its name.

The function of that name says in its signature what it needs: tables, each by its name or all that
there are as ``tables``; ``comparisons``, ``papers`` and ``fitting`` of the study; a ``generator``;
and the settings of statistics.
"""

# Table → what it is made from; a study that has all of it has the table.
TABLES = {
    "pairs": ("measures", "comparisons"),
    "pair_statistics": ("pairs",),
    "ellipse_contrasts": ("ellipses", "training"),
    "point_statistics": ("points", "training"),
    "point_statistics_of_networks": ("points", "training"),
    "bound_statistics": ("points", "training"),
    "boundary_contrasts": ("boundaries", "training"),
    "bound_tightness": ("tangent_bounds", "training"),
    "sensitivity_factors": ("tangent_bounds", "training"),
    "depth_effects": ("tangent_bounds", "training"),
    "region_statistics": ("activation_regions", "training"),
    "loss_estimates": ("train_test_sensitivity", "training"),
    "loss_estimate_errors": ("loss_estimates", "training"),
    "similarity_contrasts": ("similarities", "training"),
    "similarity_trends": ("similarities", "training"),
    "similarity_of_ensembles": ("similarities", "training"),
    "direction_statistics": ("projection_accuracy", "training"),
    "untrained_sensitivity": ("output_sensitivities", "training"),
    "bias_variance": ("output_distances", "output_sensitivities", "training"),
    "noise_cloud_statistics": ("noise_clouds", "training"),
    "fitting_times": ("training", "fitting"),
    "sensitivity_statistics": ("measures", "output_sensitivities"),
    "ablation_statistics": ("ablation_curves", "training"),
    "early_stopping": ("ablation_curves", "training"),
    "dropout_protection": ("ablation_curves", "training"),
    "single_unit_statistics": ("single_units", "training"),
    # And from all tables that the claims of these papers are about, if the study has them.
    "claims": ("statistics", "papers"),
}

# Deeper and narrower: a factor, beside hyper-parameters, that keeps the number of parameters.
FIXED_SIZE = "depth_at_fixed_size"

# What of these is set by the study, not a table.
SETTINGS = ("comparisons", "papers", "fitting")
