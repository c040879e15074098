"""Similarity of what two networks compute in their last hidden layer."""

import torch

from generalization.ensemble_measures import FeaturesA, FeaturesB, Pairs, refuse_others
from generalization.refusals import refuses_by_name
from generalization.representations.representation import represented
from generalization.similarities.linear_cka import linear_cka


@refuses_by_name
def seed_similarity(features_a: FeaturesA, features_b: FeaturesB) -> Pairs:
    """Linear CKA of the last hidden layers of two networks at test inputs (Kornblith et al. 2019).

    Feature maps are averaged over positions. It is invariant to permuting units, to scaling the
    layer, and to scaling the logits.

    Returns:
        R × S numbers from 0 to 1; NaN where all units of a layer are constant.
    """
    refuse_others("units", features_a=features_a, features_b=features_b)
    layers_a, layers_b = (list(map(represented, some)) for some in (features_a, features_b))
    values = [[linear_cka(a, b).value for b in layers_b] for a in layers_a]
    shape = len(features_a), len(features_b)
    return torch.tensor(values, dtype=torch.float64, device=features_a.device).reshape(shape)
