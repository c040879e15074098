# Made by `make stub`.
from generalization.audit.check_measure import check_measure
from generalization.ensemble_measures.disagreement import (
    agreement_gap,
    disagreement,
    independent_error,
)
from generalization.ensemble_measures.seed_similarity import seed_similarity
from generalization.experiments.jacobian.points import points
from generalization.experiments.linear_regions.boundaries import boundaries
from generalization.experiments.linear_regions.ellipses import ellipses
from generalization.experiments.linear_regions.transitions_per_layer import transitions_per_layer
from generalization.experiments.linear_regions.translation_trajectory import translation_trajectory
from generalization.experiments.noise_clouds.noise_clouds import noise_clouds
from generalization.experiments.output_sensitivity.output_distances import output_distances
from generalization.experiments.output_sensitivity.output_sensitivities import output_sensitivities
from generalization.experiments.output_sensitivity.prediction_errors import prediction_errors
from generalization.experiments.similarity.canonical_spectra import canonical_spectra
from generalization.experiments.similarity.projection_accuracy import projection_accuracy
from generalization.experiments.single_directions.ablation_curves import ablation_curves
from generalization.experiments.single_directions.single_units import single_units
from generalization.experiments.tangent_sensitivity.activation_regions import activation_regions
from generalization.experiments.tangent_sensitivity.tangent_bounds import tangent_bounds
from generalization.experiments.tangent_sensitivity.train_test_sensitivity import (
    train_test_sensitivity,
)
from generalization.measures.ablation_auc import ablation_auc, normalized_ablation_auc
from generalization.measures.adaptive_sharpness import adaptive_sharpness
from generalization.measures.balanced_tangent_sensitivity import balanced_tangent_sensitivity
from generalization.measures.class_information import class_information
from generalization.measures.class_selectivity import class_selectivity
from generalization.measures.curvature import curvature
from generalization.measures.facet_distance import facet_distance
from generalization.measures.features import (
    davies_bouldin_index,
    davies_bouldin_mixup,
    effective_rank,
    label_wise_mixup_error,
    mixup_margin,
    neural_collapse,
)
from generalization.measures.fisher_rao_norm import empirical_fisher_rao_norm, fisher_rao_norm
from generalization.measures.gauss_newton_eigenvalue import gauss_newton_eigenvalue
from generalization.measures.gauss_newton_trace import gauss_newton_trace
from generalization.measures.gradient_norm import (
    gradient_noise_scale,
    gradient_norm,
    gradient_variance,
    sample_gradient_norm,
)
from generalization.measures.jacobian_norm import (
    gaussian_jacobian_norm,
    jacobian_norm,
    logit_jacobian_norm,
    train_jacobian_norm,
    translation_jacobian_norm,
)
from generalization.measures.layerwise_norm import (
    layerwise_active_bound,
    layerwise_bound,
    layerwise_norm,
    theorem_3_1_bound,
    theorem_3_2_bound,
)
from generalization.measures.local_learning_coefficient import local_learning_coefficient
from generalization.measures.margins import (
    inverse_squared_margin,
    lower_normalized_margin,
    median_normalized_margin,
    training_margin,
    upper_normalized_margin,
)
from generalization.measures.mean_tangent_sensitivity import mean_tangent_sensitivity
from generalization.measures.noise_cloud_slope import noise_cloud_slope
from generalization.measures.noise_to_signal_slope import noise_to_signal_slope
from generalization.measures.normalized_transitions import normalized_transitions
from generalization.measures.norms import (
    frobenius_product,
    frobenius_product_over_margin,
    frobenius_sum,
    frobenius_sum_over_margin,
    spectral_distance,
    spectral_product,
    spectral_product_over_margin,
    spectral_sum,
    spectral_sum_over_margin,
    stable_rank_sum,
)
from generalization.measures.number_of_parameters import number_of_parameters
from generalization.measures.optimization_speed import steps_between_losses, steps_to_loss
from generalization.measures.output_entropy import output_entropy
from generalization.measures.output_sensitivity import (
    centered_output_sensitivity,
    output_sensitivity,
    output_sensitivity_per_output,
    softmax_output_sensitivity,
)
from generalization.measures.pac_bayes import (
    magnitude_aware_flatness,
    magnitude_aware_from_initialization,
    magnitude_aware_from_origin,
    pac_bayes_flatness,
    pac_bayes_from_initialization,
    pac_bayes_from_origin,
)
from generalization.measures.path_norm import path_norm, path_norm_over_margin
from generalization.measures.predictions import (
    confidence_error,
    prediction_nuclear_norm,
    thresholded_confidence_error,
    training_brier_score,
    training_calibration_error,
)
from generalization.measures.random_number import random_number
from generalization.measures.sampled_transitions import sampled_transitions
from generalization.measures.spectra import (
    log_alpha_norm,
    power_law_exponent,
    weighted_power_law_exponent,
)
from generalization.measures.spectral_complexity import (
    bartlett_complexity,
    bartlett_complexity_from_initialization,
    bartlett_complexity_over_margin,
    spectral_complexity_from_initialization,
    spectral_complexity_from_origin,
)
from generalization.measures.stiffness import (
    gradient_disparity,
    sign_stiffness,
    stiffness,
    within_class_stiffness,
)
from generalization.measures.takeuchi import takeuchi_criterion, tic_of_diagonals, tic_of_traces
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.measures.training_loss import training_loss
from generalization.measures.transitions import transitions
from generalization.measures.weight_norm import distance_from_initialization, weight_norm
from generalization.measures.worst_case_flatness import (
    magnitude_aware_worst_case_flatness,
    magnitude_aware_worst_case_from_initialization,
    magnitude_aware_worst_case_from_origin,
    worst_case_flatness,
    worst_case_from_initialization,
    worst_case_from_origin,
)
from generalization.own_networks import compare, measure
from generalization.similarities.linear_cka import linear_cka
from generalization.similarities.mean_cca import mean_cca
from generalization.similarities.pwcca import pwcca
from generalization.similarities.svcca import svcca
from generalization.statistics.image_errors import image_errors

__all__ = [
    "ablation_auc",
    "ablation_curves",
    "activation_regions",
    "adaptive_sharpness",
    "agreement_gap",
    "balanced_tangent_sensitivity",
    "bartlett_complexity",
    "bartlett_complexity_from_initialization",
    "bartlett_complexity_over_margin",
    "boundaries",
    "canonical_spectra",
    "centered_output_sensitivity",
    "check_measure",
    "class_information",
    "class_selectivity",
    "compare",
    "confidence_error",
    "curvature",
    "davies_bouldin_index",
    "davies_bouldin_mixup",
    "disagreement",
    "distance_from_initialization",
    "effective_rank",
    "ellipses",
    "empirical_fisher_rao_norm",
    "facet_distance",
    "fisher_rao_norm",
    "frobenius_product",
    "frobenius_product_over_margin",
    "frobenius_sum",
    "frobenius_sum_over_margin",
    "gauss_newton_eigenvalue",
    "gauss_newton_trace",
    "gaussian_jacobian_norm",
    "gradient_disparity",
    "gradient_noise_scale",
    "gradient_norm",
    "gradient_variance",
    "image_errors",
    "independent_error",
    "inverse_squared_margin",
    "jacobian_norm",
    "label_wise_mixup_error",
    "layerwise_active_bound",
    "layerwise_bound",
    "layerwise_norm",
    "linear_cka",
    "local_learning_coefficient",
    "log_alpha_norm",
    "logit_jacobian_norm",
    "lower_normalized_margin",
    "magnitude_aware_flatness",
    "magnitude_aware_from_initialization",
    "magnitude_aware_from_origin",
    "magnitude_aware_worst_case_flatness",
    "magnitude_aware_worst_case_from_initialization",
    "magnitude_aware_worst_case_from_origin",
    "mean_cca",
    "mean_tangent_sensitivity",
    "measure",
    "median_normalized_margin",
    "mixup_margin",
    "neural_collapse",
    "noise_cloud_slope",
    "noise_clouds",
    "noise_to_signal_slope",
    "normalized_ablation_auc",
    "normalized_transitions",
    "number_of_parameters",
    "output_distances",
    "output_entropy",
    "output_sensitivities",
    "output_sensitivity",
    "output_sensitivity_per_output",
    "pac_bayes_flatness",
    "pac_bayes_from_initialization",
    "pac_bayes_from_origin",
    "path_norm",
    "path_norm_over_margin",
    "points",
    "power_law_exponent",
    "prediction_errors",
    "prediction_nuclear_norm",
    "projection_accuracy",
    "pwcca",
    "random_number",
    "sample_gradient_norm",
    "sampled_transitions",
    "seed_similarity",
    "sign_stiffness",
    "single_units",
    "softmax_output_sensitivity",
    "spectral_complexity_from_initialization",
    "spectral_complexity_from_origin",
    "spectral_distance",
    "spectral_product",
    "spectral_product_over_margin",
    "spectral_sum",
    "spectral_sum_over_margin",
    "stable_rank_sum",
    "steps_between_losses",
    "steps_to_loss",
    "stiffness",
    "svcca",
    "takeuchi_criterion",
    "tangent_bounds",
    "tangent_sensitivity",
    "theorem_3_1_bound",
    "theorem_3_2_bound",
    "thresholded_confidence_error",
    "tic_of_diagonals",
    "tic_of_traces",
    "train_jacobian_norm",
    "train_test_sensitivity",
    "training_brier_score",
    "training_calibration_error",
    "training_loss",
    "training_margin",
    "transitions",
    "transitions_per_layer",
    "translation_jacobian_norm",
    "translation_trajectory",
    "upper_normalized_margin",
    "weight_norm",
    "weighted_power_law_exponent",
    "within_class_stiffness",
    "worst_case_flatness",
    "worst_case_from_initialization",
    "worst_case_from_origin",
]
