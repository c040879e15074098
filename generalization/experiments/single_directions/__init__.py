"""Do networks that generalize rely less on single units? Morcos et al. 2018.

Profiles:
    ablation_curves, single_units.
Tables:
    ablation_statistics, early_stopping, dropout_protection, single_unit_statistics.
Figures:
    accuracy_under_ablation, ablation_auc_at_topology, ablation_auc_over_training,
    selectivity_and_importance.
Shared by these:
    curve_areas.
"""
