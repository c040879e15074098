"""Daróczy 2020, *Tangent space sensitivity and the distribution of linear regions*."""

from collections.abc import Iterator

from generalization.statistics.claim import Claim


def _gap() -> Iterator[Claim]:
    yield Claim(
        "The tangent sensitivity correlates with the gap",
        "§5",
        "statistics",
        "statistic == 'spearman' and selection == 'fitted' and measure == 'tangent_sensitivity'",
        "above",
    )


def _regions() -> Iterator[Claim]:
    yield Claim(
        "In most trained networks, the number of active units is normal over test points",
        "§3, Theorem 3.2, Fig. 1",
        "region_statistics",
        "trained and statistic == 'active_normal'",
        "above",
        0.5,
    )


def _factors() -> Iterator[Claim]:
    for bound, name in (("theorem_3_2", "the bound of Theorem 3.2"), ("exact", "the exact value")):
        for contrast, one, other in (
            ("depth - norm", "depth explains", "the norms of layers"),
            ("norm - active_variance", "norms of layers explain", "the variance of active units"),
        ):
            yield Claim(
                f"Across networks, {one} more of the tangent sensitivity than {other}: {name}",
                "§5, Fig. 2",
                "sensitivity_factors",
                f"trained and sensitivity == '{bound}' and factor == '{contrast}'",
                "above",
            )


def _depth() -> Iterator[Claim]:
    for bound, name in (
        ("theorem_3_2", "Theorem 3.2"),
        ("theorem_3_2_author", "Theorem 3.2 as its author computes it"),
        ("exact", "the exact value"),
    ):
        yield Claim(
            f"For small norms, the tangent sensitivity decreases beyond some depth: {name}",
            "§5, Fig. 2",
            "depth_effects",
            f"trained and sensitivity == '{bound}' and smallest_scale and deepest",
            "below",
        )


def _estimators() -> Iterator[Claim]:
    for equation in (5, 6, 7):
        for quantity in ("loss", "accuracy"):
            yield Claim(
                f"The test {quantity} is closer to its estimate by Eq. {equation} than to the "
                f"training {quantity}",
                f"§4, §5, Eq. {equation}, Table 2",
                "loss_estimate_errors",
                f"estimator == 'eq_{equation}_log' and quantity == '{quantity}'",
                "below",
                0.0,
                ("difference", "difference_low", "difference_high"),
            )


CLAIMS = {"daroczy_2020": (*_gap(), *_factors(), *_depth(), *_regions(), *_estimators())}
