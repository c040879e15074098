"""What exists: datasets, measures, profiles, similarities, tables, figures, papers.

The workflow, the tests and the documentation read it. No job does: what a job needs of an entry is
handed to it as an argument, so that a line added here makes nothing anew. Imports no torch.

A name is that of a function, and of its file unless the entry names another. No two files of the
package share a name, but for the ``claims.py`` of every experiment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Shape(NamedTuple):
    """Numbers of images, channels, pixels and classes, known before a dataset is read."""

    train: int
    test: int
    channels: int
    height: int
    width: int
    classes: int


# Files in generalization/datasets/.
DATASETS = {
    "digits": Shape(1_000, 797, 1, 8, 8, 10),
    "mnist_subset": Shape(1_000, 4_000, 1, 28, 28, 10),
    "mnist": Shape(60_000, 10_000, 1, 28, 28, 10),
    "fashion_mnist": Shape(60_000, 10_000, 1, 28, 28, 10),
    "cifar10": Shape(50_000, 10_000, 3, 32, 32, 10),
    "cifar100": Shape(50_000, 10_000, 3, 32, 32, 100),
}


@dataclass(frozen=True)
class Measure:
    """A number of one network.

    Attributes:
        shares_a_job: Whether it is computed, with default settings, in one job with all others that
            do: starting Python and torch costs more than most of them. Adding a measure here
            recomputes all measures of this job in every study.
        baseline: Whether it is one that any other measure has to beat.
        fully_connected_only: Whether it reads the layers of stacks of fully connected networks,
            and refuses a module.
        drawn_alone: Whether it is computed for one network at a time, with random numbers of its
            own: with those that the networks of an ensemble share, the values would all be equal.
        sees: Labels that it sees beside what is in the weights and in the course of the training
            loss: ``none``, ``training``, the labels that the networks were trained on, or ``test``,
            which only an oracle may.
        file: File of its family, if that is not the file of its own name: measures share a file
            where they share their computation. An edit of the file recomputes all of them.
    """

    shares_a_job: bool = False
    baseline: bool = False
    fully_connected_only: bool = False
    drawn_alone: bool = False
    sees: str = "none"
    file: str = ""


CHEAP = Measure(shares_a_job=True)
CHEAP_LABELS = Measure(shares_a_job=True, sees="training")
CHEAP_BASELINE = Measure(shares_a_job=True, baseline=True)
CHEAP_JACOBIAN = Measure(shares_a_job=True, file="jacobian_norm")
CHEAP_BOUND = Measure(shares_a_job=True, fully_connected_only=True, file="layerwise_norm")
CHEAP_SENSITIVITY = Measure(shares_a_job=True, file="output_sensitivity")
MARGIN = Measure(shares_a_job=True, sees="training", file="margins")
NORM = Measure(shares_a_job=True, file="norms")
NORM_OVER_MARGIN = Measure(shares_a_job=True, sees="training", file="norms")
COMPLEXITY = Measure(shares_a_job=True, file="spectral_complexity")
COMPLEXITY_OVER_MARGIN = Measure(shares_a_job=True, sees="training", file="spectral_complexity")
PREDICTION = Measure(shares_a_job=True, file="predictions")
PREDICTION_ERROR = Measure(shares_a_job=True, sees="training", file="predictions")
FEATURE = Measure(shares_a_job=True, file="features")
FEATURE_OF_CLASSES = Measure(shares_a_job=True, sees="training", file="features")
SPECTRUM = Measure(shares_a_job=True, file="spectra")
PAC_BAYES = Measure(sees="training", file="pac_bayes")
WORST_CASE = Measure(sees="training", file="worst_case_flatness")
SPEED = Measure(shares_a_job=True, file="optimization_speed")
GRADIENT = Measure(shares_a_job=True, sees="training", file="gradient_norm")
STIFFNESS = Measure(shares_a_job=True, sees="training", file="stiffness")
TAKEUCHI = Measure(shares_a_job=True, sees="training", file="takeuchi")

# Files in generalization/measures/.
MEASURES = {
    "jacobian_norm": CHEAP,
    "train_jacobian_norm": CHEAP_JACOBIAN,
    "translation_jacobian_norm": CHEAP_JACOBIAN,
    "gaussian_jacobian_norm": CHEAP_JACOBIAN,
    "logit_jacobian_norm": CHEAP_JACOBIAN,
    "transitions": CHEAP,
    "normalized_transitions": Measure(shares_a_job=True, fully_connected_only=True),
    "curvature": CHEAP,
    "tangent_sensitivity": CHEAP,
    "layerwise_norm": Measure(shares_a_job=True, fully_connected_only=True),
    "theorem_3_1_bound": CHEAP_BOUND,
    "layerwise_bound": CHEAP_BOUND,
    "layerwise_active_bound": CHEAP_BOUND,
    "theorem_3_2_bound": CHEAP_BOUND,
    "output_sensitivity": CHEAP,
    "output_sensitivity_per_output": CHEAP_SENSITIVITY,
    "centered_output_sensitivity": CHEAP_SENSITIVITY,
    "softmax_output_sensitivity": CHEAP_SENSITIVITY,
    "ablation_auc": CHEAP_LABELS,
    "normalized_ablation_auc": Measure(shares_a_job=True, sees="training", file="ablation_auc"),
    "class_selectivity": CHEAP_LABELS,
    "class_information": CHEAP_LABELS,
    "output_entropy": CHEAP_BASELINE,
    "training_loss": Measure(shares_a_job=True, baseline=True, sees="training"),
    "noise_to_signal_slope": CHEAP,
    "weight_norm": CHEAP_BASELINE,
    "distance_from_initialization": Measure(shares_a_job=True, baseline=True, file="weight_norm"),
    "number_of_parameters": CHEAP_BASELINE,
    "training_margin": MARGIN,
    "inverse_squared_margin": MARGIN,
    "lower_normalized_margin": MARGIN,
    "median_normalized_margin": MARGIN,
    "upper_normalized_margin": MARGIN,
    "spectral_product": NORM,
    "spectral_product_over_margin": NORM_OVER_MARGIN,
    "spectral_sum": NORM,
    "spectral_sum_over_margin": NORM_OVER_MARGIN,
    "frobenius_product": NORM,
    "frobenius_product_over_margin": NORM_OVER_MARGIN,
    "frobenius_sum": NORM,
    "frobenius_sum_over_margin": NORM_OVER_MARGIN,
    "stable_rank_sum": NORM,
    "spectral_complexity_from_origin": COMPLEXITY_OVER_MARGIN,
    "spectral_complexity_from_initialization": COMPLEXITY_OVER_MARGIN,
    "bartlett_complexity": COMPLEXITY,
    "bartlett_complexity_from_initialization": COMPLEXITY,
    "bartlett_complexity_over_margin": COMPLEXITY_OVER_MARGIN,
    "spectral_distance": NORM,
    "path_norm": CHEAP,
    "path_norm_over_margin": Measure(shares_a_job=True, sees="training", file="path_norm"),
    "gauss_newton_trace": CHEAP,
    "fisher_rao_norm": CHEAP,
    "empirical_fisher_rao_norm": Measure(
        shares_a_job=True, sees="training", file="fisher_rao_norm"
    ),
    "sample_gradient_norm": GRADIENT,
    "gradient_norm": CHEAP_LABELS,
    "gradient_variance": GRADIENT,
    "gradient_noise_scale": GRADIENT,
    "gradient_disparity": STIFFNESS,
    "stiffness": CHEAP_LABELS,
    "sign_stiffness": STIFFNESS,
    "within_class_stiffness": STIFFNESS,
    "tic_of_traces": TAKEUCHI,
    "tic_of_diagonals": TAKEUCHI,
    "takeuchi_criterion": TAKEUCHI,
    "gauss_newton_eigenvalue": Measure(),
    "confidence_error": PREDICTION,
    "thresholded_confidence_error": PREDICTION_ERROR,
    "prediction_nuclear_norm": PREDICTION,
    "training_calibration_error": PREDICTION_ERROR,
    "training_brier_score": PREDICTION_ERROR,
    "effective_rank": FEATURE,
    "neural_collapse": FEATURE_OF_CLASSES,
    "davies_bouldin_index": FEATURE_OF_CLASSES,
    "label_wise_mixup_error": FEATURE_OF_CLASSES,
    "davies_bouldin_mixup": FEATURE_OF_CLASSES,
    "mixup_margin": FEATURE_OF_CLASSES,
    "power_law_exponent": SPECTRUM,
    "weighted_power_law_exponent": SPECTRUM,
    "log_alpha_norm": SPECTRUM,
    "pac_bayes_flatness": PAC_BAYES,
    "pac_bayes_from_initialization": PAC_BAYES,
    "pac_bayes_from_origin": PAC_BAYES,
    "magnitude_aware_flatness": PAC_BAYES,
    "magnitude_aware_from_initialization": PAC_BAYES,
    "magnitude_aware_from_origin": PAC_BAYES,
    "worst_case_flatness": Measure(sees="training"),
    "worst_case_from_initialization": WORST_CASE,
    "worst_case_from_origin": WORST_CASE,
    "magnitude_aware_worst_case_flatness": WORST_CASE,
    "magnitude_aware_worst_case_from_initialization": WORST_CASE,
    "magnitude_aware_worst_case_from_origin": WORST_CASE,
    "adaptive_sharpness": Measure(sees="training"),
    "local_learning_coefficient": Measure(sees="training"),
    "steps_to_loss": SPEED,
    "steps_between_losses": SPEED,
    "facet_distance": Measure(fully_connected_only=True),
    "random_number": Measure(shares_a_job=True, baseline=True, drawn_alone=True),
    "sampled_transitions": Measure(),
    "mean_tangent_sensitivity": Measure(),
    "balanced_tangent_sensitivity": Measure(),
    "noise_cloud_slope": Measure(),
}


class EnsembleMeasure(NamedTuple):
    """A number of a pair of networks of one ensemble, whose mean is that of the ensemble.

    Attributes:
        file: File of its family, if that is not the file of its own name.
        sees: Labels that it sees, as of a measure.
    """

    file: str = ""
    sees: str = "none"


DISAGREEMENT = EnsembleMeasure(file="disagreement")

# Files in generalization/ensemble_measures/. All with default settings share a job.
ENSEMBLE_MEASURES = {
    "disagreement": EnsembleMeasure(),
    "agreement_gap": EnsembleMeasure(file="disagreement", sees="training"),
    "independent_error": DISAGREEMENT,
    "seed_similarity": EnsembleMeasure(),
}


class Similarity(NamedTuple):
    """A number of two layers.

    Attributes:
        invariances: Change of a layer → the layers, ``a``, ``b`` or both, of which it leaves the
            value as it is (the table of Kornblith et al. 2019).
        asymmetric: Whether it changes when the layers change places.
    """

    invariances: Mapping[str, str]
    asymmetric: bool = False


ANY_AXES = dict.fromkeys(
    ("permutations of units", "translations", "isotropic scaling", "orthogonal maps"), "ab"
)
LINEAR = "invertible linear maps"

# Files in generalization/similarities/.
SIMILARITIES = {
    "mean_cca": Similarity(ANY_AXES | {LINEAR: "ab"}),
    "svcca": Similarity(ANY_AXES),
    "pwcca": Similarity(ANY_AXES | {"orthogonal maps": "b", LINEAR: "b"}, asymmetric=True),
    "linear_cka": Similarity(ANY_AXES),
}


@dataclass(frozen=True)
class Profile:
    """A table of one network with many rows.

    Attributes:
        fully_connected_only: As of a measure.
        taken_together: Whether it compares networks, and is given a whole stack of convolutional
            ones, too.
        recorded: Whether it is computed from a record of noisy copies instead of the networks.
    """

    fully_connected_only: bool = False
    taken_together: bool = False
    recorded: bool = False


@dataclass(frozen=True)
class Table:
    """A table of statistics.

    Attributes:
        made_from: Tables and settings; a study that has all of them has the table.
        page: Whether the report shows it, with the caption beside its file.
        for_papers: Whether only studies have it that judge the claims of papers.
        sweeps: Hyper-parameters of which ensembles of the study must differ in one alone, if there
            are such.
    """

    made_from: tuple[str, ...]
    page: bool = True
    for_papers: bool = False
    sweeps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A figure, with the caption beside its file.

    Attributes:
        chapter: Chapter of the report.
        made_from: Tables; a study that has all of them, and all of ``measures``, has the figure.
        measures: Measures that the study must have.
        one_per: If there is not one figure but one per ``measure`` of the study, or per ``factor``,
            a hyper-parameter that the study sweeps over: which of the two. The figure is given its
            name as an argument of this name.
        course: Whether it shows networks that were kept on their way, not only at its ends.
        training: Whether it shows how the study itself trained its networks.
        pairs: Pairs of networks that a similarity of the study must compare, if there are such.
        sweeps: Hyper-parameter of which the study must have several values, if there is one.
    """

    chapter: str
    made_from: tuple[str, ...]
    measures: tuple[str, ...] = ()
    one_per: str = ""
    course: bool = False
    training: bool = False
    pairs: str = ""
    sweeps: str = ""


@dataclass(frozen=True)
class Room:
    """What stands in one folder.

    Attributes:
        profiles: Name → what is known of it.
        tables: Tables of statistics.
        figures: In the order of the report.
        papers: Whose claims stand in its ``claims.py``.
    """

    profiles: Mapping[str, Profile] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    papers: tuple[str, ...] = ()


SINGLE_POINTS = "Single points"
REGIONS = "On and off the data"
TANGENT = "Tangent sensitivity"
SENSITIVITY = "Output sensitivity"
RANDOM = "Random data"
SIMILARITY = "Similarity of representations"
DIRECTIONS = "Single directions"
CLOUDS = "Inner activations"

# How networks are trained, and how wide they are: a measure of generalization should ignore it
# where the gap does.
NUISANCE = (
    "optimizer",
    "learning_rate",
    "decay_epochs",
    "batch_size",
    "initialization",
    "init_scale",
    "width",
)

# Folders of generalization/.
ROOMS = {
    "statistics": Room(
        # The league reads it, if the study has it.
        profiles={"image_errors": Profile()},
        tables={
            # And from all tables that the claims of these papers are about, if the study has them.
            "claims": Table(("statistics", "training", "papers")),
            "pairs": Table(("measures", "comparisons"), page=False),
            "pair_statistics": Table(("pairs",)),
            "paper_relations": Table(("measures",), for_papers=True),
            "model_statistics": Table(("measures", "statistics")),
            "selection_on_fit": Table(("measures", "statistics")),
            "fragility": Table(("measures",), sweeps=NUISANCE),
        },
    ),
    # And from audit_checks and fragility, if the study has them.
    "audit": Room(tables={"audit": Table(("statistics",))}),
    "figures": Room(
        figures={
            "measure_league": Figure("Overview", ("statistics",)),
            "training_curves": Figure("Overview", ("training",), training=True),
            "capacity": Figure(
                "Overview",
                ("measures", "statistics"),
                ("number_of_parameters", "training_loss"),
                training=True,
            ),
            "gap_residuals": Figure("Overview", ("measures", "statistics")),
            "gap_against_measure": Figure(
                "Generalization gap against each measure",
                ("measures", "statistics"),
                one_per="measure",
            ),
            "paired_ensembles": Figure(
                "Pairs that differ in one setting", ("pairs", "pair_statistics")
            ),
        }
    ),
    "experiments/output_sensitivity": Room(
        profiles={
            "output_sensitivities": Profile(),
            "output_distances": Profile(taken_together=True),
            "prediction_errors": Profile(),
        },
        tables={
            "sensitivity_statistics": Table(("measures", "output_sensitivities")),
            "untrained_sensitivity": Table(("output_sensitivities", "training")),
            "bias_variance": Table(("output_distances", "output_sensitivities", "training")),
            "loss_chain": Table(("prediction_errors", "training")),
            "variance_chain": Table(("bias_variance", "training")),
        },
        figures={
            "loss_against_sensitivity": Figure(
                SENSITIVITY,
                ("measures", "output_sensitivities", "sensitivity_statistics"),
                ("output_sensitivity",),
            ),
            "sensitivity_before_and_after": Figure(
                SENSITIVITY, ("measures", "sensitivity_statistics"), ("output_sensitivity",)
            ),
            "cross_entropy_against_mse": Figure(SENSITIVITY, ("prediction_errors", "training")),
            "sensitivity_by_factor": Figure(
                "Output sensitivity, factor by factor",
                ("measures",),
                ("output_sensitivity",),
                one_per="factor",
            ),
            "variance_against_sensitivity": Figure(SENSITIVITY, ("bias_variance", "training")),
        },
        papers=("forouzesh_2020",),
    ),
    "experiments/linear_regions": Room(
        profiles={
            "ellipses": Profile(fully_connected_only=True),
            "boundaries": Profile(fully_connected_only=True),
            "transitions_per_layer": Profile(fully_connected_only=True),
            "translation_trajectory": Profile(fully_connected_only=True),
        },
        tables={
            "ellipse_contrasts": Table(("ellipses", "training")),
            "boundary_contrasts": Table(("boundaries", "training")),
        },
        figures={
            "ellipse_trajectories": Figure(REGIONS, ("ellipses", "training")),
            "boundary_maps": Figure(REGIONS, ("boundaries", "training")),
            "translation_rings": Figure(REGIONS, ("translation_trajectory", "training")),
            "transitions_against_layer": Figure(REGIONS, ("transitions_per_layer", "training")),
        },
        papers=("novak_2018",),
    ),
    "experiments/jacobian": Room(
        profiles={"points": Profile()},
        tables={
            "point_statistics": Table(("points", "training")),
            "point_statistics_of_networks": Table(("points", "training")),
            "bound_statistics": Table(("points", "training")),
        },
        figures={
            "loss_against_norm": Figure(SINGLE_POINTS, ("points", "training")),
            "loss_bounds": Figure(SINGLE_POINTS, ("points", "training")),
        },
        papers=("novak_2018",),
    ),
    "experiments/tangent_sensitivity": Room(
        profiles={
            "activation_regions": Profile(fully_connected_only=True),
            "tangent_bounds": Profile(fully_connected_only=True),
            "train_test_sensitivity": Profile(fully_connected_only=True),
        },
        tables={
            "bound_tightness": Table(("tangent_bounds", "training")),
            "sensitivity_factors": Table(("tangent_bounds", "training")),
            "depth_effects": Table(("tangent_bounds", "training")),
            "region_statistics": Table(("activation_regions", "training")),
            "loss_estimates": Table(("train_test_sensitivity", "training"), page=False),
            "loss_estimate_errors": Table(("loss_estimates", "training")),
            "bound_courses": Table(("train_test_sensitivity", "training")),
        },
        figures={
            "loss_estimate_curves": Figure(
                TANGENT, ("loss_estimates", "loss_estimate_errors", "training")
            ),
            "bounds_against_depth": Figure(TANGENT, ("tangent_bounds", "training")),
            "regions_around_points": Figure(TANGENT, ("activation_regions", "training")),
        },
        papers=("daroczy_2020",),
    ),
    "experiments/similarity": Room(
        profiles={
            "projection_accuracy": Profile(taken_together=True),
            "canonical_spectra": Profile(taken_together=True),
        },
        tables={
            "similarity_contrasts": Table(("similarities", "training")),
            "similarity_trends": Table(("similarities", "training")),
            "similarity_of_ensembles": Table(("similarities", "training")),
            "direction_statistics": Table(("projection_accuracy", "training")),
            "stability_statistics": Table(("canonical_spectra", "training")),
            "solution_clusters": Table(("similarities", "training")),
            "freezing_courses": Table(
                ("training", "images"), page=False, sweeps=("freeze_layers",)
            ),
            "freezing_effects": Table(("freezing_courses",)),
        },
        figures={
            "similarity_heat_maps": Figure(SIMILARITY, ("similarities", "training")),
            "similarity_over_training": Figure(
                SIMILARITY, ("similarities", "training"), pairs="over_training"
            ),
            "similarity_of_groups": Figure(SIMILARITY, ("similarity_contrasts",)),
            "similarity_against_width": Figure(
                SIMILARITY, ("similarity_of_ensembles",), pairs="between_seeds", sweeps="width"
            ),
            "accuracy_on_directions": Figure(SIMILARITY, ("projection_accuracy", "training")),
            "sorted_correlations": Figure(SIMILARITY, ("canonical_spectra", "training")),
            "direction_stability": Figure(
                SIMILARITY, ("canonical_spectra", "training"), course=True
            ),
            "cluster_maps": Figure(
                SIMILARITY, ("similarities", "training"), pairs="between_ensembles"
            ),
            "freezing_costs": Figure(SIMILARITY, ("freezing_courses",), sweeps="freeze_layers"),
        },
        papers=("raghu_2017", "morcos_2018_similarity"),
    ),
    "experiments/random_labels": Room(
        tables={
            "fitting_times": Table(("training", "fitting")),
            "regularization_effects": Table(("training", "regularization")),
        },
        figures={
            "fitting_curves": Figure(RANDOM, ("training", "fitting_times")),
            "corruption": Figure(RANDOM, ("fitting_times",)),
            "regularizers": Figure(RANDOM, ("regularization_effects",)),
        },
        papers=("zhang_2017",),
    ),
    "experiments/noise_clouds": Room(
        profiles={"noise_clouds": Profile(recorded=True)},
        tables={"noise_cloud_statistics": Table(("noise_clouds", "training"))},
        figures={
            "cloud_components": Figure(CLOUDS, ("noise_clouds", "training")),
            "noise_amplification": Figure(CLOUDS, ("noise_clouds", "training")),
        },
        papers=("graham_inner_activations",),
    ),
    "experiments/single_directions": Room(
        profiles={"ablation_curves": Profile(), "single_units": Profile()},
        tables={
            "ablation_statistics": Table(("ablation_curves", "training")),
            "early_stopping": Table(("ablation_curves", "training")),
            "dropout_protection": Table(("ablation_curves", "training")),
            "single_unit_statistics": Table(("single_units", "training")),
        },
        figures={
            "accuracy_under_ablation": Figure(DIRECTIONS, ("ablation_curves", "training")),
            "ablation_auc_at_topology": Figure(
                DIRECTIONS, ("ablation_curves", "training", "ablation_statistics")
            ),
            "ablation_auc_over_training": Figure(
                DIRECTIONS, ("measures",), ("ablation_auc",), course=True
            ),
            "selectivity_and_importance": Figure(
                DIRECTIONS, ("single_units", "single_unit_statistics", "training")
            ),
        },
        papers=("morcos_2018",),
    ),
}

PROFILES = {name: one for room in ROOMS.values() for name, one in room.profiles.items()}
TABLES = {name: one for room in ROOMS.values() for name, one in room.tables.items()}
FIGURES = {name: one for room in ROOMS.values() for name, one in room.figures.items()}

# What may be called as `generalization.NAME`.
FUNCTIONS = (*MEASURES, *ENSEMBLE_MEASURES, *PROFILES, *SIMILARITIES)

# Tables of every study, which need no entry of their own, and those of them that the report shows.
ALWAYS = ("measures", "training", "statistics", "design")
PAGES = (
    "statistics",
    "design",
    "excluded",
    *(name for name, table in TABLES.items() if table.page),
)

# Tables that a study has if it has an entry of this name.
COLLECTED = ("similarities", "ensemble_measures", "audit_checks")

# Settings of a study from which tables are made, beside other tables.
SETTINGS = ("comparisons", "papers", "fitting", "regularization", "images")

# Paper → the modules of its claims, in the order in which it makes them.
PAPERS = {
    "novak_2018": ("jacobian", "linear_regions"),
    "daroczy_2020": ("tangent_sensitivity",),
    "forouzesh_2020": ("output_sensitivity",),
    "morcos_2018": ("single_directions",),
    "raghu_2017": ("similarity",),
    "morcos_2018_similarity": ("similarity",),
    "graham_inner_activations": ("noise_clouds",),
    "zhang_2017": ("random_labels",),
}


# What may be checked: measures of networks, of pairs of networks, and of pairs of layers.
CHECKABLE = (*MEASURES, *ENSEMBLE_MEASURES, *SIMILARITIES)


def seen_by(name: str) -> str:
    """Return the labels that what may be checked sees; a similarity sees none."""
    known = MEASURES | ENSEMBLE_MEASURES
    return known[name].sees if name in known else "none"


def folder_of(name: str) -> str:
    """Folder of the file of a measure, similarity, dataset, profile, table or figure.

    Args:
        name: Name of the file and its function.

    Returns:
        Relative to the root of the repository.

    Raises:
        KeyError: If the catalog has no such name.
    """
    flat = {
        "measures": MEASURES,
        "ensemble_measures": ENSEMBLE_MEASURES,
        "similarities": SIMILARITIES,
        "datasets": DATASETS,
    }
    rooms = {
        folder: {**room.profiles, **room.tables, **room.figures} for folder, room in ROOMS.items()
    }
    for folder, entries in {**flat, **rooms}.items():
        if name in entries:
            return f"generalization/{folder}"
    raise KeyError(name)


def file_of(name: str) -> str:
    """File of an entry, relative to the root of the repository."""
    in_families = MEASURES | ENSEMBLE_MEASURES
    family = in_families[name].file if name in in_families else ""
    return f"{folder_of(name)}/{family or name}.py"


def caption_of(name: str) -> str:
    """File of the caption of a table or figure, relative to the root of the repository.

    It lies beside the file of an experiment; what all studies share has its captions with the
    report.
    """
    folder = folder_of(name) if name in TABLES | FIGURES else ""
    beside = folder.startswith("generalization/experiments/")
    return f"{folder if beside else 'workflow/report'}/{name}.rst"


def module_of(name: str) -> str:
    """Module of an entry."""
    return file_of(name).removesuffix(".py").replace("/", ".")


def place_of(name: str) -> str:
    """Place of the function of an entry, ``module:function``, from which a script imports it."""
    return f"{module_of(name)}:{name}"
