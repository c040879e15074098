"""Is the network sensitive where it fails? Novak et al. 2018, §4.4 and §A.3.

Profiles:
    points.
Tables:
    point_statistics, point_statistics_of_networks, bound_statistics.
Figures:
    loss_against_norm, loss_bounds.
Shared by these:
    single_points, loss_curves.

Args:
    resampling: Bootstrap of points, and level of the intervals, see ``means_over_networks``.
    counts: Number of times that each resample holds each point.
    network: The rows of the network.
"""
