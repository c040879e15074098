"""Does the test loss follow the sensitivity to input noise? Forouzesh et al. 2020.

Profiles:
    output_sensitivities, output_distances, prediction_errors.
Tables:
    sensitivity_statistics, untrained_sensitivity, bias_variance, loss_chain,
    variance_chain.
Figures:
    loss_against_sensitivity, sensitivity_before_and_after, cross_entropy_against_mse,
    sensitivity_by_factor, variance_against_sensitivity.
Shared by these:
    sensitivities, predicted_loss, ensemble_points.
"""
