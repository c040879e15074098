"""Does tangent sensitivity, or a bound of it, predict the test loss? Daróczy 2020.

Profiles:
    activation_regions, tangent_bounds, train_test_sensitivity.
Tables:
    bound_tightness, sensitivity_factors, depth_effects, region_statistics, loss_estimates,
    loss_estimate_errors, bound_courses.
Figures:
    loss_estimate_curves, bounds_against_depth, regions_around_points.
"""
