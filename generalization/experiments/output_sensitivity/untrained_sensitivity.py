"""Whether the output sensitivity of untrained networks is what closed forms say."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from generalization.statistics.estimates import (
    ESTIMATE,
    Group,
    groups,
    mean_over_networks,
    table_of,
    with_subgroups,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import with_networks

COLUMNS = ["dataset", "variant", "ratio", "hyperparameter", "setting", *ESTIMATE]
# Name → above and below.
RATIOS = {
    "little_noise": ("small_noise", "expected_before"),
    "noise": ("value", "expected_before_wide"),
    "noise_over_little_noise": ("value", "small_noise"),
}
HYPERPARAMETERS = ("depth", "width", "initialization", "init_scale")


def untrained_sensitivity(
    output_sensitivities: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Output sensitivities at step 0 over their expectations, which need no network.

    S_before of Forouzesh, Salehi & Thiran 2020, slide 14. The ratios:

    ``little_noise``
        The limit of little noise over its expectation, of which the mean is 1 at any widths.
    ``noise``
        The measure over its expectation for wide networks.
    ``noise_over_little_noise``
        The measure over its limit: whether its noise is little.

    Returns:
        One row per dataset, variant and ratio, of which the estimate is the mean over networks;
        then one for each ``setting`` of those of ``HYPERPARAMETERS`` that have several; with the
        columns ``COLUMNS``. What does not exist is empty; ``note`` says why.
    """
    networks = with_networks(output_sensitivities, training)
    rows = []
    for about, alike in _groups(networks[networks["step"] == 0]):
        above, below = RATIOS[about["ratio"]]
        rows.append(
            about
            | mean_over_networks(
                (alike[above] / alike[below]).astype(float),
                alike["ensemble"],
                resampling,
                lacking="closed form",
            )
        )
    return table_of(rows, COLUMNS, resampling)


def _groups(networks: pd.DataFrame) -> Iterator[Group]:
    """Keys of every row of the result, with its networks."""
    for about, alike in groups(networks, ["dataset", "variant"]):
        # Probabilities have no closed form.
        for ratio in ["noise_over_little_noise"] if about["variant"] == "softmax" else RATIOS:
            yield from with_subgroups(
                [(about | {"ratio": ratio}, alike)], HYPERPARAMETERS, "setting"
            )
