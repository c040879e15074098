"""The networks that a league compares, as arrays: measures, gaps and levels of swept factors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from generalization.statistics.controls import (
    noisy_oracle,
    random_main_effects,
    random_per_ensemble,
    random_per_network,
)
from generalization.statistics.design import (
    level_codes,
    main_effects,
    most_explaining_factor,
    residuals,
    strata_codes,
)
from generalization.statistics.packed_errors import PackedErrors, errors_of_networks
from generalization.statistics.selection import has_fitted
from generalization.tables import NETWORK, swept_hyperparameters

KINDS = ("candidate", "baseline", "factor", "control")
# ASSUME: each kind of random control is drawn this often: one draw may be far off by chance.
CONTROLS_OF_A_KIND = 3
# ASSUME: noise of a tenth of the spread of the gap leaves an oracle that every judge should find.
NOISE_OF_ORACLE = 0.1


class OfPairs(NamedTuple):
    """Measures of ensembles, from pairs of networks; NaN and 0 for measures of networks.

    Attributes:
        means: Mean over the pairs of every ensemble; NaN where there is none.
        pairs: Number of pairs behind each measure.
        networks: Number of networks in these pairs.
    """

    means: Float[np.ndarray, "measures ensembles"]
    pairs: Int[np.ndarray, "measures"]
    networks: Int[np.ndarray, "measures"]


@dataclass(frozen=True)
class Population:
    """Networks of one dataset, or of all, that one selection leaves.

    Attributes:
        measures: Names of what is ranked: measures, then swept factors, then controls.
        kinds: ``candidate``, ``baseline``, ``factor`` or ``control`` of each.
        values: Value of every network; NaN where there is none, as for measures of ensembles.
        gap: Generalization gap of every network; NaN where there is no network.
        levels: Level of every swept factor in every ensemble, from 0.
        factors: Names of the swept factors.
        test_sizes: Number of test points of every ensemble.
        train_loss: Training loss of every network; NaN where it is not known.
        of_pairs: Values of measures of ensembles, if there are any.
        errors: Test images that every network gets wrong, if they are known of all.
        without_errors: Number of networks of which a study that has image errors lacks them.
    """

    measures: list[str]
    kinds: list[str]
    values: Float[np.ndarray, "measures ensembles seeds"]
    gap: Float[np.ndarray, "ensembles seeds"]
    levels: Int[np.ndarray, "ensembles factors"]
    factors: list[str]
    test_sizes: Int[np.ndarray, "ensembles"]
    train_loss: Float[np.ndarray, "ensembles seeds"]
    of_pairs: OfPairs | None = None
    errors: PackedErrors | None = None
    without_errors: int = 0

    @cached_property
    def means(self) -> Float[np.ndarray, "measures ensembles"]:
        """Mean over seeds or pairs of every measure in every ensemble; NaN without a value."""
        means = _mean_over_seeds(self.values)
        if self.of_pairs is None:
            return means
        return np.where(self.of_ensembles[:, None], self.of_pairs.means, means)

    @property
    def of_ensembles(self) -> Bool[np.ndarray, "measures"]:
        """Whether each measure is one of ensembles, and no network has a value of its own."""
        return self.pairs() > 0

    def pairs(self) -> Int[np.ndarray, "measures"]:
        """How many pairs of networks each measure of ensembles has; 0 for measures of networks."""
        nothing = np.zeros(len(self.measures), int)
        return nothing if self.of_pairs is None else self.of_pairs.pairs

    @cached_property
    def mean_gap(self) -> Float[np.ndarray, "ensembles"]:
        """Mean gap over seeds of every ensemble."""
        return _mean_over_seeds(self.gap)

    @cached_property
    def mean_log_loss(self) -> Float[np.ndarray, "ensembles"]:
        """Mean of ln(training loss) over seeds; NaN where no seed has one, −∞ where one is 0."""
        with np.errstate(divide="ignore"):
            return _mean_over_seeds(np.log(self.train_loss))

    @cached_property
    def design(self) -> Float[np.ndarray, "ensembles columns"]:
        """An intercept and dummies of the levels of all swept factors."""
        return main_effects(self.levels)

    @property
    def candidates(self) -> np.ndarray:
        """Positions of the measures over which p-values are corrected."""
        return np.flatnonzero(np.array(self.kinds) == "candidate")

    @property
    def baselines(self) -> np.ndarray:
        """Positions of the measures that any other has to beat."""
        return np.flatnonzero(np.array(self.kinds) == "baseline")

    @property
    def rivals(self) -> np.ndarray:
        """Positions of what knows least: baselines, and swept factors as measures."""
        return np.flatnonzero(np.isin(self.kinds, ["baseline", "factor"]))

    @cached_property
    def gap_within_datasets(self) -> Float[np.ndarray, "ensembles"]:
        """Mean gap of every ensemble less that of its dataset, where there are several."""
        return residuals(self.mean_gap, main_effects(self.blocks))

    def sample(self, most: int, generator: np.random.Generator) -> Population:
        """Return a population of at most so many ensembles, drawn at random; itself if it is small.

        Of measures of ensembles, the means are those of the sample, and the numbers of pairs and
        networks behind them those of all.
        """
        if len(self.gap) <= most:
            return self
        some = np.sort(generator.choice(len(self.gap), most, replace=False))
        pairs = self.of_pairs
        return replace(
            self,
            values=self.values[:, some],
            gap=self.gap[some],
            levels=self.levels[some],
            test_sizes=self.test_sizes[some],
            train_loss=self.train_loss[some],
            of_pairs=None if pairs is None else pairs._replace(means=pairs.means[:, some]),
            errors=None if self.errors is None else self.errors.some(some),
        )

    def dominant(self) -> str:
        """Factor that explains most of the gap within datasets; empty without any."""
        places = [place for place, name in enumerate(self.factors) if name != "dataset"]
        gap = self.gap_within_datasets
        if not places or len(gap) < 2 or np.ptp(self.mean_gap) == 0:
            return ""
        return self.factors[places[most_explaining_factor(gap, self.levels[:, places])]]

    def strata_of(self, factor: str) -> Int[np.ndarray, "ensembles"]:
        """Levels of a factor, of each dataset by itself where there are several."""
        held = [place for place, one in enumerate(self.factors) if one in {factor, "dataset"}]
        return strata_codes(self.levels[:, held])

    @property
    def blocks(self) -> Int[np.ndarray, "ensembles factors"]:
        """Dataset of every ensemble, within which the design explains the gap."""
        return self.levels[:, [name == "dataset" for name in self.factors]]

    def networks(self) -> Int[np.ndarray, "measures"]:
        """How many networks have each measure, or are in a pair that has it."""
        networks = np.isfinite(self.values).sum((1, 2))
        return networks if self.of_pairs is None else networks + self.of_pairs.networks

    def ensembles(self) -> Int[np.ndarray, "measures"]:
        """How many ensembles have each measure."""
        return (~np.isnan(self.means)).sum(1)


def population(
    measures: pd.DataFrame,
    selection: str,
    *,
    generator: np.random.Generator,
    fitted_accuracy: float,
    baselines: Collection[str] = (),
    test_sizes: Mapping[str, int] | None = None,
    ensemble_measures: pd.DataFrame | None = None,
    image_errors: pd.DataFrame | None = None,
) -> Population:
    """Arrange the networks of a table of measures at their last step.

    A network counts for every measure that has a value of it: one that lacks one measure is not
    lost to the others. Of ``ensemble_measures``, pairs of two of these networks count.

    Args:
        selection: ``fitted``, networks that fit their training set, or ``all``.
        generator: Source of the random controls.
        baselines: Measures that any other has to beat.
        test_sizes: Dataset → number of test points.
        image_errors: Table of the profile of this name, if the study has it.

    Raises:
        InputError: If the errors of a network are not those of as many images as its row says.
    """  # noqa: DOC502
    final = measures[measures["final"] & np.isfinite(measures["generalization_gap"])]
    if selection == "fitted":
        final = final[has_fitted(final, fitted_accuracy=fitted_accuracy)]
    networks = final.drop_duplicates(NETWORK)
    ensembles = networks.drop_duplicates("ensemble").set_index("ensemble").sort_index()
    seeds = sorted(networks["seed"].unique())
    index = pd.MultiIndex.from_product([ensembles.index, seeds], names=NETWORK)
    shape = (len(ensembles), len(seeds))
    gap, loss = (
        networks.set_index(NETWORK)[column].reindex(index).to_numpy(float).reshape(shape)
        for column in ("generalization_gap", "train_loss")
    )
    names = list(measures["measure"].unique())
    by_measure = final.pivot_table(index=NETWORK, columns="measure", values="value", dropna=False)
    table = by_measure.reindex(index=index, columns=names).to_numpy(float)
    factors = swept_hyperparameters(ensembles)
    levels = _levels(ensembles, factors)
    paired = [] if ensemble_measures is None else list(ensemble_measures["measure"].unique())
    kinds = ["baseline" if name in baselines else "candidate" for name in [*names, *paired]]
    more = _controls(gap, levels, generator)
    every_seed = np.where(np.isnan(gap), np.nan, 1.0)
    as_measures = levels.T[:, :, None] * every_seed
    sizes = test_sizes or {}
    errors, without_errors = None, 0
    if image_errors is not None:
        given = networks, ensembles.index, seeds
        errors, without_errors = errors_of_networks(image_errors, *given)
    measured = [*names, *paired, *factors, *more]
    return Population(
        measures=measured,
        kinds=[*kinds, *["factor"] * len(factors), *["control"] * len(more)],
        values=np.concatenate([
            table.T.reshape(len(names), *shape),
            np.full((len(paired), *shape), np.nan),
            as_measures,
            np.stack([*more.values()]).reshape(len(more), *shape),
        ]),
        gap=gap,
        levels=levels,
        factors=factors,
        test_sizes=np.array([sizes.get(name, 10_000) for name in ensembles["dataset"]], int),
        train_loss=loss,
        of_pairs=_of_pairs(ensemble_measures, networks, ensembles.index, measured)
        if paired
        else None,
        errors=errors,
        without_errors=without_errors,
    )


def _of_pairs(
    pairs: pd.DataFrame, networks: pd.DataFrame, ensembles: pd.Index, measures: Sequence[str]
) -> OfPairs:
    """Average measures of pairs over those of two networks that are left, ensemble by ensemble."""
    left = networks[NETWORK]
    for side in ("a", "b"):
        pairs = pairs.merge(left.rename(columns={"seed": f"seed_{side}"}))
    pairs = pairs[np.isfinite(pairs["value"])]
    means = pairs.pivot_table(index="measure", columns="ensemble", values="value", aggfunc="mean")
    sides = [pairs[["measure", "ensemble", f"seed_{side}"]].to_numpy(object) for side in "ab"]
    members = pd.DataFrame(np.concatenate(sides), columns=["measure", *NETWORK]).drop_duplicates()
    return OfPairs(
        means.reindex(index=measures, columns=ensembles).to_numpy(float),
        pairs["measure"].value_counts().reindex(measures, fill_value=0).to_numpy(int),
        members["measure"].value_counts().reindex(measures, fill_value=0).to_numpy(int),
    )


def _levels(
    ensembles: pd.DataFrame, factors: Sequence[str]
) -> Int[np.ndarray, "ensembles factors"]:
    """Level codes of hyper-parameters, in the order of their values, a missing one last."""
    if not factors:
        return np.zeros((len(ensembles), 0), int)
    columns = []
    for factor in factors:
        column = ensembles[factor]
        known = sorted(column.dropna().unique())
        codes = column.map({value: code for code, value in enumerate(known)})
        columns.append(codes.fillna(len(known)).astype(int).to_numpy())
    return level_codes(columns)


def _controls(
    gap: Float[np.ndarray, "ensembles seeds"],
    levels: Int[np.ndarray, "ensembles factors"],
    generator: np.random.Generator,
) -> dict[str, Float[np.ndarray, "ensembles seeds"]]:
    """Name → value of every network, NaN where there is no network."""
    shape, there = gap.shape, np.where(np.isnan(gap), np.nan, 1.0)
    drawn = {}
    for draw in range(1, CONTROLS_OF_A_KIND + 1):
        drawn[f"random_per_network_{draw}"] = random_per_network(shape, generator)
        drawn[f"random_per_ensemble_{draw}"] = random_per_ensemble(shape, generator)
        effects = random_main_effects(levels, shape[1], generator)
        drawn[f"random_main_effects_{draw}"] = effects
    drawn["noisy_oracle"] = noisy_oracle(gap, generator, noise=NOISE_OF_ORACLE)
    return {name: values * there for name, values in sorted(drawn.items())}


def _mean_over_seeds(values: Float[np.ndarray, "*rows seeds"]) -> Float[np.ndarray, "*rows"]:
    """Mean of the values that exist; NaN where none does."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(-1) / there.sum(-1)
