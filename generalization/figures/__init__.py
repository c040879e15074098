"""From tables to figures. A figure with nothing to show says so in words.

Every figure has a file of its name with a function of its name, which names in its signature what
it needs: tables, a ``measure``, ``baselines``, and settings of the study.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a figure stands, and in the reports of which studies.

    Attributes:
        chapter: Of the report.
        tables: That it is drawn from. The study must have them all.
        measures: That the study must take.
        one_per: If there is not one figure but one per ``measure`` of the study, or per ``factor``,
            a hyper-parameter that the study sweeps over: which of the two. The figure is given its
            name as an argument of this name.
        course: Whether it shows networks that were kept on their way, not only at its ends.
    """

    chapter: str
    tables: tuple[str, ...]
    measures: tuple[str, ...] = ()
    one_per: str = ""
    course: bool = False


SIMILARITY = "Similarity of representations"

FIGURES = {
    "measure_league": Place("Overview", ("statistics",)),
    "training_curves": Place("Overview", ("training",)),
    "capacity": Place(
        "Overview", ("measures", "statistics"), ("number_of_parameters", "training_loss")
    ),
    "gap_against_measure": Place(
        "Generalization gap against each measure", ("measures", "statistics"), one_per="measure"
    ),
    "pairs": Place("Pairs that differ in one setting", ("pairs", "pair_statistics")),
    "loss_against_sensitivity": Place(
        "Output sensitivity",
        ("measures", "output_sensitivities", "sensitivity_statistics"),
        ("output_sensitivity",),
    ),
    "sensitivity_before_and_after": Place(
        "Output sensitivity", ("measures", "sensitivity_statistics"), ("output_sensitivity",)
    ),
    "cross_entropy_against_mse": Place("Output sensitivity", ("prediction_errors", "training")),
    "sensitivity_by_factor": Place(
        "Output sensitivity, factor by factor",
        ("measures",),
        ("output_sensitivity",),
        one_per="factor",
    ),
    "ellipses": Place("On and off the data", ("ellipses", "training")),
    "boundaries": Place("On and off the data", ("boundaries", "training")),
    "translation_trajectory": Place("On and off the data", ("translation_trajectory", "training")),
    "transitions_per_layer": Place("On and off the data", ("transitions_per_layer", "training")),
    "loss_against_norm": Place("Single points", ("points", "training")),
    "loss_bounds": Place("Single points", ("points", "training")),
    "loss_estimates": Place(
        "Tangent sensitivity", ("loss_estimates", "loss_estimate_errors", "training")
    ),
    "tangent_bounds": Place("Tangent sensitivity", ("tangent_bounds", "training")),
    "activation_regions": Place("Tangent sensitivity", ("activation_regions", "training")),
    "similarity_heat_maps": Place(SIMILARITY, ("similarities", "training")),
    "similarity_over_training": Place(SIMILARITY, ("similarities", "training")),
    "similarity_of_groups": Place(SIMILARITY, ("similarity_contrasts",)),
    "similarity_against_width": Place(SIMILARITY, ("similarity_of_ensembles",)),
    "projection_accuracy": Place(SIMILARITY, ("projection_accuracy", "training")),
    "bias_variance": Place("Output sensitivity", ("bias_variance", "training")),
    "fitting_curves": Place("Random data", ("training", "fitting_times")),
    "corruption": Place("Random data", ("fitting_times",)),
    "noise_clouds": Place("Inner activations", ("noise_clouds", "training")),
    "noise_amplification": Place("Inner activations", ("noise_clouds", "training")),
    "ablation_curves": Place("Single directions", ("ablation_curves", "training")),
    "ablation_auc_at_topology": Place(
        "Single directions", ("ablation_curves", "training", "ablation_statistics")
    ),
    "ablation_auc_over_training": Place(
        "Single directions", ("measures",), ("ablation_auc",), course=True
    ),
    "single_units": Place(
        "Single directions", ("single_units", "single_unit_statistics", "training")
    ),
}

# Tables of numbers that the report shows as pages, if the study has them.
PAGES = (
    "claims",
    "statistics",
    "pair_statistics",
    "ellipse_contrasts",
    "boundary_contrasts",
    "sensitivity_statistics",
    "point_statistics",
    "point_statistics_of_networks",
    "bound_statistics",
    "bound_tightness",
    "sensitivity_factors",
    "depth_effects",
    "region_statistics",
    "loss_estimate_errors",
    "similarity_contrasts",
    "similarity_trends",
    "similarity_of_ensembles",
    "direction_statistics",
    "untrained_sensitivity",
    "bias_variance",
    "fitting_times",
    "noise_cloud_statistics",
    "ablation_statistics",
    "early_stopping",
    "dropout_protection",
    "single_unit_statistics",
    "excluded",
)
