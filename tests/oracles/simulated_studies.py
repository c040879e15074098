"""Studies of which the truth is known: ``study_statements`` is what must be said of them.

Ensembles are a full factorial of a dominant factor (4 levels), two more of 3 and 2 levels, and two
replicates of a factor without any effect. The gap is a sum of main effects, a normal residual of
every ensemble, and noise of seeds.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from generalization.statistics.controls import (
    random_main_effects,
    random_per_ensemble,
    random_per_network,
)
from generalization.statistics.power import least_correlation

LEVELS = np.array(list(np.ndindex(4, 3, 2, 2)))
ENSEMBLES, SEEDS = len(LEVELS), 2
DOMINANT = np.array([0.0, 2.0, 4.0, 6.0])[LEVELS[:, 0]]


class SimulatedStudy(NamedTuple):
    """Measures and gap of every network, and what is held fixed."""

    measures: np.ndarray  # measures × ensembles × seeds
    gap: np.ndarray  # ensembles × seeds
    levels: np.ndarray = LEVELS
    strata: np.ndarray = LEVELS[:, 0]
    truth: float = 0.0  # Spearman's ρ within strata
    averaged: tuple[int, ...] | None = None  # factors of Ψ; all but the dataset


def additive_gap(generator):
    """Half of the variance by the dominant factor, a quarter by the others, the rest by none."""
    others = 1.5 * (LEVELS[:, 1] == 1) + 1.0 * LEVELS[:, 2]
    residual = generator.normal(size=ENSEMBLES)
    return noisy(0.6 * DOMINANT + others + residual, generator), residual


def noisy(means, generator, spread=0.2):
    return means[..., None] + spread * generator.normal(size=(*means.shape, SEEDS))


def of_gap(function):
    def study(generator):
        gap, _ = additive_gap(generator)
        return SimulatedStudy(function(gap, generator)[None], gap)

    return study


def with_interaction(generator):
    """Measure and gap have an interaction of the two largest factors, each its own."""

    def interaction():
        return generator.normal(size=(4, 3))[LEVELS[:, 0], LEVELS[:, 1]]

    gap, _ = additive_gap(generator)
    known = random_main_effects(LEVELS, SEEDS, generator)[:, 0] + interaction()
    known = known + 0.3 * generator.normal(size=ENSEMBLES)
    return SimulatedStudy(noisy(known, generator)[None], gap + 1.5 * interaction()[:, None])


def within_not_across(generator):
    gap, residual = additive_gap(generator)
    means = residual - 2 * DOMINANT + 0.3 * generator.normal(size=ENSEMBLES)
    return SimulatedStudy(noisy(means, generator)[None], gap)


def across_not_within(generator):
    gap, _ = additive_gap(generator)
    return SimulatedStudy(noisy(DOMINANT + generator.normal(size=ENSEMBLES), generator)[None], gap)


def planted(rho, equal=1):
    """Normal within levels of the dominant factor with this Spearman correlation, no seed noise."""
    r = 2 * np.sin(np.pi / 6 * rho)

    def study(generator):
        residual = generator.normal(size=ENSEMBLES)
        noise = generator.normal(size=(equal, ENSEMBLES))
        measures = r * residual + np.sqrt(1 - r**2) * noise - DOMINANT
        gap = np.repeat((DOMINANT + residual)[:, None], SEEDS, axis=1)
        return SimulatedStudy(np.repeat(measures[..., None], SEEDS, axis=2), gap, truth=rho)

    return study


def two_datasets(rho):
    """Datasets that differ in measure and gap; within each this relation."""
    r = 2 * np.sin(np.pi / 6 * rho)
    levels = np.array(list(np.ndindex(2, 3, 4, 2)))
    shift = 4.0 * levels[:, 0]

    def study(generator):
        residual, noise = generator.normal(size=(2, ENSEMBLES))
        measure = r * residual + np.sqrt(1 - r**2) * noise + shift
        gap = noisy(residual + shift, generator, 0.0)
        measures = noisy(measure, generator, 0.0)[None]
        return SimulatedStudy(measures, gap, levels, levels[:, 0], rho, (1, 2, 3))

    return study


SCENARIOS: dict[str, Callable[[np.random.Generator], SimulatedStudy]] = {
    "perfect": of_gap(lambda gap, _: 3 * gap + 1),
    "reversed": of_gap(lambda gap, _: -gap),
    "constant": of_gap(lambda gap, _: np.full(gap.shape, 0.1)),
    "random per network": of_gap(lambda gap, g: random_per_network(gap.shape, g)),
    "random per ensemble": of_gap(lambda gap, g: random_per_ensemble(gap.shape, g)),
    "random per level": of_gap(lambda _, g: random_main_effects(LEVELS[:, :1], SEEDS, g)),
    "the dominant factor": of_gap(lambda gap, _: np.repeat(DOMINANT[:, None], SEEDS, axis=1)),
    "random main effects": of_gap(lambda _, g: random_main_effects(LEVELS, SEEDS, g)),
    "main effects and an interaction": with_interaction,
    "within and not across": within_not_across,
    "across and not within": across_not_within,
    "planted .3": planted(0.3),
    "planted .6": planted(0.6),
    "as strong as the study detects": planted(least_correlation(ENSEMBLES, 4)),
    "as strong as the study detects, given the design": planted(least_correlation(ENSEMBLES, 8)),
    "two equal measures": planted(0.5, 2),
    "15 equal measures": planted(0.5, 15),
    "15 null measures": planted(0.0, 15),
    "two datasets, none within": two_datasets(0.0),
    "two datasets, -.6 within": two_datasets(-0.6),
    "two datasets, +.6 within": two_datasets(0.6),
}
