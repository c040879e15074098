"""How do networks behave on and off the data? Novak et al. 2018, §4.1.

Profiles:
    ellipses, boundaries, transitions_per_layer, translation_trajectory.
Tables:
    ellipse_contrasts, boundary_contrasts.
Figures:
    ellipse_trajectories, boundary_maps, translation_rings, transitions_against_layer.
Shared by these:
    bitmaps, boundary_densities.

Args:
    distance: From an image within which a pixel is near, where the square is [−1, 1]².
"""
