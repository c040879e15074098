"""Which layers of which networks are similar? Raghu et al. 2017, Morcos et al. 2018.

Profiles:
    projection_accuracy, canonical_spectra.
Tables:
    similarity_contrasts, similarity_trends, similarity_of_ensembles, direction_statistics,
    stability_statistics, solution_clusters.
Figures:
    similarity_heat_maps, similarity_over_training, similarity_of_groups,
    similarity_against_width, accuracy_on_directions, sorted_correlations,
    direction_stability, cluster_maps.
Shared by these:
    network_pairs, similarity_to_end, convergence_orders, width_correlations, layer_maps,
    layer_panels, stable_directions.
"""
