"""Random controls: measures that are known to say nothing, or known to say almost everything.

Args:
    shape: Number of ensembles and of seeds.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def random_per_network(
    shape: tuple[int, int], generator: np.random.Generator
) -> Float[np.ndarray, "ensembles seeds"]:
    """Draw a standard normal number for every network: a measure without any signal."""
    return generator.standard_normal(shape)


def random_per_ensemble(
    shape: tuple[int, int], generator: np.random.Generator
) -> Float[np.ndarray, "ensembles seeds"]:
    """Draw a standard normal number for every ensemble: repeatable, and without any signal."""
    return np.repeat(generator.standard_normal((shape[0], 1)), shape[1], axis=1)


def random_main_effects(
    levels: Int[np.ndarray, "ensembles factors"], seeds: int, generator: np.random.Generator
) -> Float[np.ndarray, "ensembles seeds"]:
    """Draw a standard normal number for every level of every factor, and add them up.

    It knows the hyper-parameters and nothing else, as every real measure does before it knows
    anything of generalization. A statistic that does not condition on the design takes it for a
    good measure in a third of draws.

    Args:
        levels: Level of every swept factor in every ensemble, codes from 0.
        seeds: Number of networks in each ensemble.
    """
    total = np.zeros(len(levels))
    for codes in levels.T:
        total += generator.standard_normal(codes.max(initial=-1) + 1)[codes]
    return np.repeat(total[:, None], seeds, axis=1)


def noisy_oracle(
    gap: Float[np.ndarray, "ensembles seeds"],
    generator: np.random.Generator,
    *,
    noise: float = 0.5,
) -> Float[np.ndarray, "ensembles seeds"]:
    """Add normal noise to the gap itself: every statistic must find it.

    Args:
        gap: Generalization gap of every network; NaN stays NaN.
        noise: Standard deviation of the noise, as a share of that of the gap over networks.
    """
    return gap + noise * np.nanstd(gap) * generator.standard_normal(gap.shape)
