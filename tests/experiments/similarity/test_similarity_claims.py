"""Claims of Morcos et al. 2018, *Insights*, judged on studies whose truth is planted."""

import numpy as np
import pandas as pd
import pytest
from oracles.similarity_tables import made_study

from generalization.experiments.similarity.claims import CLAIMS, EQUAL
from generalization.experiments.similarity.similarity_contrasts import similarity_contrasts
from generalization.experiments.similarity.similarity_trends import similarity_trends
from generalization.statistics.resampling import Resampling
from generalization.statistics.verdicts import (
    CONTROL_SHOWS_IT,
    MAYBE_CONTROL,
    OPPOSITE,
    REPLICATES,
    verdict,
)

WIDTHS = (25, 50, 100, 200, 400, 800)
TABLES = {"similarity_contrasts": similarity_contrasts, "similarity_trends": similarity_trends}


def verdicts(study, table, expected):
    """Every verdict on claims of a table that expect this, over all of their rows."""
    resampling = Resampling(np.random.default_rng(1), 300)
    rows = TABLES[table](*study, resampling=resampling)
    claims = [claim for claim in CLAIMS["morcos_2018_similarity"] if claim.table == table]
    found = {
        (claim.claim, row["layer"]): verdict(row, claim)[0]
        for claim in claims
        if claim.expected == expected
        for row in rows.query(claim.rows).to_dict("records")
    }
    assert found
    return set(found.values())


def with_untrained(study, value):
    """The study, and all of its pairs at step 0, as similar as a function of the pairs says."""
    similarities, training = study
    pairs = similarities[similarities["pairs"] != "over_training"]
    untrained = pairs.assign(step_a=0, step_b=0, value=value(pairs))
    return pd.concat([similarities, untrained]), training


def contrasted(**changes):
    """Networks of which memorizing ones are farther apart, the more the higher the layer."""
    return made_study(np.random.default_rng(0), widths=WIDTHS, noise=1e-3, **changes)


def test_later_layers_of_memorizing_networks_are_farther_than_before_training():
    learned = with_untrained(contrasted(), lambda pairs: 0.5)
    assert verdicts(learned, "similarity_contrasts", "above") == {REPLICATES}


def test_what_untrained_networks_show_too_does_not_replicate():
    same = with_untrained(contrasted(), lambda pairs: pairs["value"])
    assert verdicts(same, "similarity_contrasts", "above") == {CONTROL_SHOWS_IT}


def test_study_without_untrained_networks_does_not_replicate_what_needs_them():
    assert verdicts(contrasted(), "similarity_contrasts", "above") == {MAYBE_CONTROL}


@pytest.mark.parametrize(("shift", "word"), [(0, REPLICATES), (EQUAL + 0.02, OPPOSITE)])
def test_equal_distances_are_equal_within_the_tolerance(shift, word):
    similarities, training = contrasted()
    # Memorizing networks among each other, whose ensembles are the second half.
    memorizing = similarities["ensemble_a"].str[1:].astype(int) >= len(WIDTHS)
    value = similarities["value"] - shift * memorizing * (similarities["pairs"] == "between_seeds")
    study = similarities.assign(value=value), training
    assert verdicts(study, "similarity_contrasts", "near") == {word}


def test_width_replicates_only_beyond_wide_random_layers():
    def widths(pairs):
        return pairs["ensemble_a"].str[1:].astype(int)

    study = contrasted(corruptions=(0.0,))
    narrow = with_untrained(study, lambda pairs: 0.8 - 0.1 * widths(pairs))
    assert verdicts(narrow, "similarity_trends", "above") == {REPLICATES}
    same = with_untrained(study, lambda pairs: 0.3 + 0.1 * widths(pairs))
    assert verdicts(same, "similarity_trends", "above") == {CONTROL_SHOWS_IT}
