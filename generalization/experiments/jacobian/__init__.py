"""Is the network sensitive where it fails? Novak et al. 2018, §4.4 and §A.3.

Profiles:
    points.
Tables:
    point_statistics, point_statistics_of_networks, bound_statistics.
Figures:
    loss_against_norm, loss_bounds.
Shared by these:
    single_points, loss_curves.
"""
