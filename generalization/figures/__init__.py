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
    """

    chapter: str
    tables: tuple[str, ...]
    measures: tuple[str, ...] = ()


FIGURES = {
    "measure_league": Place("Overview", ("statistics",)),
    "training_curves": Place("Overview", ("training",)),
    "capacity": Place(
        "Overview", ("measures", "statistics"), ("number_of_parameters", "training_loss")
    ),
    "gap_against_measure": Place(
        "Generalization gap against each measure", ("measures", "statistics")
    ),
    "pairs": Place("Pairs that differ in one setting", ("pairs", "pair_statistics")),
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
    "bias_variance": Place("Output sensitivity", ("bias_variance", "training")),
    "ablation_curves": Place("Single directions", ("ablation_curves", "training")),
    "ablation_auc_over_training": Place("Single directions", ("measures",), ("ablation_auc",)),
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
    "point_statistics",
    "point_statistics_of_networks",
    "bound_statistics",
    "bound_tightness",
    "sensitivity_factors",
    "depth_effects",
    "region_statistics",
    "loss_estimate_errors",
    "untrained_sensitivity",
    "bias_variance",
    "ablation_statistics",
    "early_stopping",
    "dropout_protection",
    "single_unit_statistics",
    "excluded",
)
