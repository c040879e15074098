"""How much noise do inner activations carry? Graham, From Generalization to Inner Activations.

Profiles:
    noise_clouds.
Tables:
    noise_cloud_statistics.
Figures:
    cloud_components, noise_amplification.
Shared by these:
    cloud_courses, cloud_blocks.
"""
