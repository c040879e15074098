"""Whether the output sensitivity of untrained networks is what closed forms say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from generalization.statistics.means import check_resampling, mean_over_networks, missing
from generalization.tables import with_networks

COLUMNS = [
    "dataset",
    "variant",
    "ratio",
    "hyperparameter",
    "setting",
    "estimate",
    "low",
    "high",
    "level",
    "networks",
    "ensembles",
    "note",
]
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
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Output sensitivities at step 0 over their expectations, which need no network.

    S_before of Forouzesh, Salehi & Thiran 2020, slide 14. The ratios:

    ``little_noise``
        The limit of little noise over its expectation, of which the mean is 1 at any widths.
    ``noise``
        The measure over its expectation for wide networks.
    ``noise_over_little_noise``
        The measure over its limit: whether its noise is little.

    Args:
        output_sensitivities: Table of the profile of a study.
        training: Table of ``collect_training``.
        generator: Of resamples. Every row sees the same ones.
        resamples: Number of bootstrap resamples, of ensembles and then of seeds within them.
        level: Of the percentile intervals.

    Returns:
        One row per dataset, variant and ratio, of which the estimate is the mean over networks;
        then one for each ``setting`` of those of ``HYPERPARAMETERS`` that have several; with the
        columns ``COLUMNS``. What does not exist is empty; ``note`` says why.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples are none.
    """  # noqa: DOC502
    check_resampling(level, resamples)
    entropy = int(generator.integers(2**63))
    networks = with_networks(output_sensitivities, training)
    rows = []
    for about, alike in _groups(networks[networks["step"] == 0]):
        above, below = RATIOS[about["ratio"]]
        mean = mean_over_networks(
            (alike[above] / alike[below]).astype(float),
            alike["ensemble"],
            generator=np.random.default_rng(entropy),
            resamples=resamples,
            level=level,
        )
        rows.append(about | mean | {"note": missing(mean["networks"], len(alike), "closed form")})
    return pd.DataFrame(rows, columns=COLUMNS).assign(level=level)


def _groups(networks: pd.DataFrame) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """What a row of the result is about, and the networks that it is made from."""
    for (dataset, variant), alike in networks.groupby(["dataset", "variant"], sort=False):
        # Probabilities have no closed form.
        for ratio in ["noise_over_little_noise"] if variant == "softmax" else RATIOS:
            about = {"dataset": dataset, "variant": variant, "ratio": ratio}
            yield about, alike
            for key in HYPERPARAMETERS:
                if alike[key].nunique() > 1:
                    for setting, some in alike.groupby(key):
                        yield about | {"hyperparameter": key, "setting": setting}, some
