"""Daróczy 2020, *Tangent space sensitivity and the distribution of linear regions*."""

from collections.abc import Iterator
from dataclasses import replace
from math import log

from generalization.experiments.tangent_sensitivity.bound_courses import OVER_EPOCH
from generalization.statistics.claim import Claim, Control

BOUNDS = {
    "tangent_sensitivity": "The tangent sensitivity",
    "layerwise_norm": "The layer-wise norm",
    "theorem_3_1_bound": "The bound of Theorem 3.1",
    "layerwise_bound": "The corrected bound of Theorem 3.1",
    "layerwise_active_bound": "The corrected bound of Theorem 3.1 with active units",
    "theorem_3_2_bound": "The bound of Theorem 3.2",
}
# Bounds that the paper analyses, and what is ours.
BOUNDS_OF_FACTORS = {
    "theorem_3_1": ("Theorem 3.1", ""),
    "theorem_3_2": ("Theorem 3.2", ""),
    "theorem_3_2_author": ("Theorem 3.2 as its author computes it", ""),
    "exact": ("the exact value", "; ours: the paper analyses its bounds"),
}


def _gap() -> Iterator[Claim]:
    # The author's networks end after 50 epochs, whether they have fitted or not, and so count here.
    # Bounds grow with depth and width: where their number ranks as well, it may be all there is.
    size = Control("number of parameters", ("control_estimate", "control_low", "control_high"))
    for measure, words in BOUNDS.items():
        yield Claim(
            f"{words} correlates with the gap",
            "abstract, §5, Fig. 3",
            "paper_relations",
            f"selection == 'all' and x == '{measure}' and y == 'generalization_gap' "
            "and statistic == 'spearman' and given in ['none', 'label_corruption']",
            "above",
            quote="even simple bounds and measures are associated with the empirical "
            "generalization gap",
            ours="statistic; across networks, where the author looked at epochs of one; given the "
            "design, see the league's partial correlation",
            scale="fisher",
            control=size,
        )


def _courses() -> Iterator[Claim]:
    measures = {
        "log_norm": "the layer-wise norm",
        "log_maximal_test": "the bound of Theorem 3.2 at test inputs",
        "log_empirical_test": "the empirical sensitivity at test inputs",
    }
    over_epoch = Control("the epoch itself", tuple(OVER_EPOCH))
    for quantity in ("loss", "accuracy"):
        for measure, words in measures.items():
            changes = Claim(
                f"From epoch to epoch, {words} changes in the direction of the gap in {quantity}",
                "§5, Fig. 3",
                "bound_courses",
                f"quantity == '{quantity}' and measure == '{measure}' "
                "and statistic == 'gap_change_spearman'",
                "above",
                quote="our previously introduced measures may estimate change in empirical "
                "generalization gap at some extent",
                ours="statistic",
            )
            yield changes
            yield replace(
                changes,
                claim=f"Over epochs, {words} goes with the gap in {quantity}",
                rows=changes.rows.replace("change", "level"),
                ours="statistic, reading",
                control=over_epoch,
            )


def _regions() -> Iterator[Claim]:
    yield Claim(
        "Far fewer units are active than there are",
        "§3, Fig. 1",
        "region_statistics",
        "trained and statistic == 'active_share'",
        "below",
        0.5,
        quote="number of active nodes is significantly less than the number of nodes in the "
        "network, see Fig 1",
        ours="threshold (half of the units)",
        scale="logit",
        control=Control(
            "untrained networks",
            ("over_untrained", "over_untrained_low", "over_untrained_high"),
            1.0,
        ),
    )
    distances = {
        "active_skewness": ("skewness", "near", 0.0, 0.5),
        "active_excess_kurtosis": ("excess kurtosis", "near", 0.0, 1.0),
        "active_ks": ("distance to the normal distribution function", "below", 0.05, None),
    }
    for statistic, (words, expected, number, tolerance) in distances.items():
        yield Claim(
            f"The number of active units is close to normal over test points: {words}",
            "§3, Theorem 3.2, App. B, Fig. 4",
            "region_statistics",
            f"trained and statistic == '{statistic}'",
            expected,
            number,
            tolerance=tolerance,
            quote="we may assume that the number of active nodes follows a normal distribution",
            ours="statistic, " + ("tolerance" if expected == "near" else "threshold"),
        )


def _theorems() -> Iterator[Claim]:
    for when, networks in {"not trained": "untrained", "trained": "trained"}.items():
        for theorem, rows in {
            "3_1": "hyperparameter.isna()",
            # Without assumptions, it is a bound for up to two hidden layers.
            "3_2": "hyperparameter == 'depth'",
        }.items():
            name = theorem.replace("_", ".")
            yield Claim(
                f"The bound of Theorem {name} holds for every network: {networks} ones",
                f"§3, Theorem {name}",
                "bound_tightness",
                f"({when}) and bound == 'theorem_{theorem}' and {rows}",
                "always",
            )
            yield Claim(
                f"The bound of Theorem {name} is hardly ever attained: {networks} networks",
                f"§3, Theorem {name}",
                "bound_tightness",
                f"({when}) and bound == 'theorem_{theorem}' and hyperparameter.isna()",
                "below",
                log(1 / 2),
                quote="the bound almost never occurs" if theorem == "3_1" else "",
                ours="threshold (half of the bound), statistic",
            )


def _factors() -> Iterator[Claim]:
    for bound, (name, ours) in BOUNDS_OF_FACTORS.items():
        if bound == "theorem_3_2_author":
            continue
        for contrast, one, other in (
            ("depth - norm", "depth explains", "the norms of layers"),
            ("norm - active_variance", "norms of layers explain", "the variance of active units"),
        ):
            # Theorem 3.1 knows of no active units.
            if bound != "theorem_3_1" or contrast == "depth - norm":
                yield Claim(
                    f"Across networks, {one} more of the tangent sensitivity than {other}: {name}",
                    "§5, Fig. 2",
                    "sensitivity_factors",
                    f"trained and sensitivity == '{bound}' and factor == '{contrast}'",
                    "above",
                    quote="most important factor in sensitivity is the depth of the network "
                    "followed by the layer-wise norm of the parameters and the empirical variance",
                    ours=f"statistic (LMG shares), grid{ours}",
                )


def _depth() -> Iterator[Claim]:
    for bound, (name, ours) in BOUNDS_OF_FACTORS.items():
        for words, rows, expected, chosen in (
            ("decreases beyond some depth", "deepest", "below", ""),
            ("increases up to some depth", "rises_first", "above", "statistic, "),
        ):
            yield Claim(
                f"For small norms, the tangent sensitivity {words}: {name}",
                "§5, Fig. 2",
                "depth_effects",
                f"trained and sensitivity == '{bound}' and smallest_scale and {rows}",
                expected,
                quote="after reaching a certain depth starts to decrease",
                ours=f"{chosen}grid{ours}",
            )


def _estimators() -> Iterator[Claim]:
    lowest = (
        "lowest Mean Absolute Error (MAE) for cross-entropy loss and accuracy were achieved by "
        "empirical sensitivity (eq.7) and layer-wise log-norm sensitivity (eq. 5)"
    )
    over_train = ("over_train", "over_train_low", "over_train_high")
    # ASSUME: an estimate is none unless it errs by 5 % less than the training value itself.
    baseline = Control("the training value itself", over_train, 1 / 1.05)
    source = "§5, Table 2"
    for quantity, best, others in (("loss", 7, (5, 6)), ("accuracy", 5, (6, 7))):
        for other in others:
            yield Claim(
                f"The estimate of the test {quantity} by Eq. {best} has a smaller error than that "
                f"by Eq. {other}",
                source,
                "loss_estimate_errors",
                f"quantity == '{quantity}' and estimator == 'eq_{best}_log / eq_{other}_log'",
                "below",
                1.0,
                quote=lowest,
                ours="threshold of the control (5 %)",
                scale="log",
                control=baseline,
            )
        for one, other in ((7, 5), (7, 6), (5, 6)):
            yield Claim(
                f"The errors of the estimates of the test {quantity} by Eqs {one} and {other} are "
                "alike",
                source,
                "loss_estimate_errors",
                f"quantity == '{quantity}' and estimator == 'eq_{one}_log / eq_{other}_log'",
                "near",
                1.0,
                tolerance=log(2),
                quote="All estimations performed very similarly",
                ours="tolerance (a factor of two)",
                scale="log",
                control=Control(
                    "the training value itself",
                    over_train,
                    1.0,
                    beside="two estimates may be alike whether they err less than it or not",
                ),
            )


CLAIMS = {
    "daroczy_2020": (
        *_gap(),
        *_courses(),
        *_theorems(),
        *_factors(),
        *_depth(),
        *_regions(),
        *_estimators(),
    )
}

UNTESTED = {
    "daroczy_2020": (
        "The errors of Table 2 on CIFAR-10 have the published values — the reduced studies have "
        "other data, and the unit of the published loss is inferred",
        "Tangent sensitivity equals adversarial robustness of some kind — the source derives no "
        "measurable statement",
        "Sensitivity is related to the average empirical gap, path-SGD and the margin distribution "
        "— the source gives analogies, no measurement",
        "The number of linear regions changes in the course of training — regions are looked at "
        "before and after training alone",
        "Residual, convolutional and recurrent networks behave alike — bounds and regions are "
        "those of fully connected networks",
    )
}
