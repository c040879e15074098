"""How often the setting that generalizes worse has the larger value, over pairs of ensembles."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import binomtest, t
from statsmodels.stats.proportion import proportion_confint

from generalization.statistics.draws import leave_one_out_counts, observed_counts
from generalization.statistics.estimates import INTERVAL, few_ensembles, joined
from generalization.statistics.intervals import jackknife_error
from generalization.statistics.pairs import COMPARISON, NO_PAIR
from generalization.statistics.resampling import check_level
from generalization.statistics.selection import by_dataset

# Share of pairs in which a quantity changes with another one → that one.
COUPLED = {"coupled": "generalization_gap", "coupled_loss": "test_loss"}
OVER_UNTRAINED = ["over_untrained", "over_untrained_low", "over_untrained_high"]
COLUMNS = [
    *COMPARISON,
    "quantity",
    "dataset",
    "larger_in",
    "pairs",
    "draws",
    "ties",
    *INTERVAL,
    "p_value",
    "ratio",
    *(
        f"{name}{end}"
        for name in COUPLED
        for end in ("", "_low", "_high", "_excess", "_excess_low", "_excess_high")
    ),
    *OVER_UNTRAINED,
    "networks",
    "left_out",
    "unfitted",
    "premise",
    "note",
]
PAIR = ["dataset", "ensemble_better", "ensemble_worse"]


def pair_statistics(pairs: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """The sign test of every comparison, quantity and dataset, with an exact interval.

    ``estimate`` is the fraction of pairs in which the setting that should generalize worse has the
    larger value; of ``test_accuracy``, in which it has the smaller one, as Novak et al. 2018,
    §A.5.4, checked of data augmentation. Ties count half. The interval is Clopper and Pearson's;
    ``p_value`` is of the two-sided sign test of the pairs that are not tied, that either setting
    is as likely to have the larger value. Both take pairs for independent: each ensemble is in one
    pair of a comparison at most, so that no two pairs share a network. p-values are not corrected
    for the number of comparisons and quantities.

    Pairs of several datasets that have the same draw of hyper-parameters are not independent, but
    draws are: there the estimate is the mean over draws of the mean within a draw, and interval and
    p-value are those of t with one degree of freedom less than there are draws. Where all draws
    agree, which leaves t no variance, both are exact, with draws in the place of pairs.

    ``coupled`` is the fraction of pairs in which the quantity and the gap change in the same
    direction ("change in generalization is coupled with the respective change in sensitivity",
    Novak et al. 2018, §4.2), with the interval of the sign test; ``coupled_loss`` is that with the
    test loss. With signs s = ±1 of the changes (0 for ties), it is mean (1 + s_q·s_g)/2.
    ``coupled_excess`` subtracts what it would be if changes were exchanged between the pairs of a
    dataset, (1 + mean s_q · mean s_g)/2, with the jackknife over draws: it is 0 where a setting
    shifts both in all pairs, which says nothing of coupling. ``over_untrained`` is how much larger
    the fraction is than that of the same pairs before training, of measures that were taken there.

    Args:
        level: Level of the intervals.

    Returns:
        One row per comparison, quantity and dataset, with the columns ``COLUMNS``. ``dataset`` is
        ``all``, and each where the pairs are of several. ``larger_in`` is the value of the setting
        whose excess is counted; ``draws`` counts different hyper-parameters of the pairs;
        ``ratio`` is the geometric mean of worse / better, where all values are positive;
        ``networks`` are those of the pairs. ``left_out`` counts pairs without both values;
        ``note`` says why. ``unfitted`` counts networks that have not fitted. Where some have not,
        a small gap is no sign of generalization: then ``premise`` says that the setting which
        should generalize better is not shown to have the higher test accuracy, if it is not.

    Raises:
        ValueError: If level is not between 0 and 1.
    """  # noqa: DOC502
    check_level(level)
    datasets = pairs["dataset"].dropna().unique()
    rows = [
        {
            **dict(zip([*COMPARISON, "quantity"], key, strict=True)),
            "dataset": dataset,
            "larger_in": group["better" if key[-1] == "test_accuracy" else "worse"].iloc[0],
            **_sign_test(block, level),
            **_coupling(block, key[-1], level),
            **_over_untrained(block, level),
        }
        for key, group in _with_signs(pairs).groupby([*COMPARISON, "quantity"], sort=False)
        for dataset, block in by_dataset(group, datasets).items()
    ]
    found = pd.DataFrame(rows, columns=COLUMNS).assign(level=level)
    return found.assign(premise=_premises(found))


def _premises(found: pd.DataFrame) -> pd.Series:
    """Say where networks need not fit and are not shown to generalize better; empty elsewhere."""
    of_accuracy = found["quantity"] == "test_accuracy"
    keys = [*COMPARISON, "dataset"]
    share = ["estimate", "low", "high"]
    accuracy = found.loc[of_accuracy, [*keys, *share]]
    beside = found[keys].merge(accuracy, on=keys, how="left", validate="many_to_one")
    words = [
        f"not all networks fit, and with {better} the test accuracy is higher in "
        f"{100 * estimate:.0f} % [{100 * low:.0f}, {100 * high:.0f}] of pairs"
        for better, estimate, low, high in beside[["better", *share]].itertuples(index=False)
    ]
    unfit = (found["unfitted"] > 0) & ~of_accuracy
    shown = (beside["low"] > 0.5).to_numpy()
    return pd.Series(words, found.index).where(unfit & ~shown, "")


def _with_signs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Add the sign of every change, and those of the quantities that it may be coupled with."""
    change = pairs["value_worse"] - pairs["value_better"]
    # Of the accuracy, the setting that should generalize better has the larger value.
    change = change.where(pairs["quantity"] != "test_accuracy", -change)
    pairs = pairs.assign(sign=np.sign(change.astype(float)))
    for name, quantity in COUPLED.items():
        of_quantity = pairs.loc[pairs["quantity"] == quantity, [*COMPARISON, *PAIR, "sign"]]
        of_quantity = of_quantity.rename(columns={"sign": f"sign_{name}"})
        pairs = pairs.merge(of_quantity, on=[*COMPARISON, *PAIR], how="left", validate="m:1")
    return pairs


def _sign_test(block: pd.DataFrame, level: float) -> dict[str, object]:
    """Everything about the pairs of one comparison, quantity and dataset."""
    there = block["sign"].notna()
    counting = block[there]
    better, worse = counting["value_better"], counting["value_worse"]
    size = len(counting)
    estimate, low, high, p_value = _share(counting["sign"], counting["draw"], level)
    positive = size > 0 and (better > 0).all() and (worse > 0).all()
    left_out = block[~there & block["ensemble_better"].notna()]
    none = "" if len(block) else NO_PAIR
    return {
        "pairs": size,
        "draws": counting["draw"].nunique(),
        "ties": int((counting["sign"] == 0).sum()),
        "estimate": estimate,
        "low": low,
        "high": high,
        "p_value": p_value,
        "ratio": np.exp(np.log(worse / better).mean()) if positive else np.nan,
        "networks": int(counting["networks"].sum()),
        "left_out": len(left_out),
        "unfitted": int(counting["unfitted"].sum()),
        "note": joined(*dict.fromkeys(block.loc[~there, "note"]), _few(counting)) or none,
    }


def _few(counting: pd.DataFrame) -> str:
    """Note that there are too few pairs for a verdict, or too few draws of them."""
    draws = counting["draw"].nunique()
    things = "pairs" if draws == len(counting) else "draws of hyper-parameters"
    return few_ensembles(draws, things)


def _share(signs: pd.Series, draws: pd.Series, level: float) -> tuple[float, float, float, float]:
    """Fraction of positive signs, ties counting half, with its interval and p-value."""
    means = signs.groupby(draws).mean()
    if len(means) < len(signs) and means.nunique() > 1:
        return _mean_of_draws(means.to_numpy(), level)
    size, untied = len(means), int((means != 0).sum())
    if not size:
        return np.nan, np.nan, np.nan, np.nan
    # Independent pairs, each a draw of its own; or draws that agree, each of which counts once.
    count = ((1 + means) / 2).sum()
    # A tie, half of each, varies less than the coin that it stands for.
    low, high = proportion_confint(count, size, alpha=1 - level, method="beta")
    larger = int(count - (size - untied) / 2)
    p_value = binomtest(larger, untied).pvalue if untied else np.nan
    return count / size, low, high, p_value


def _mean_of_draws(
    means: Float[np.ndarray, "draws"], level: float
) -> tuple[float, float, float, float]:
    """Mean over draws as a fraction, with its interval and the p-value of ½."""
    size = len(means)
    mean, error = means.mean(), means.std(ddof=1) / np.sqrt(size)
    half = t.ppf((1 + level) / 2, size - 1) * error
    ends = np.clip((1 + mean + half * np.array([-1, 1])) / 2, 0, 1)
    return (1 + mean) / 2, *map(float, ends), float(2 * t.sf(abs(mean) / error, size - 1))


def _coupling(block: pd.DataFrame, quantity: str, level: float) -> dict[str, float]:
    """How often changes of a quantity go with those of others, and beyond what exchange gives."""
    found = {}
    for name, other in COUPLED.items():
        both = block.dropna(subset=["sign", f"sign_{name}"])
        if quantity == other or both.empty:
            continue
        signs = both["sign"], both[f"sign_{name}"]
        share = _share(signs[0] * signs[1], both["draw"], level)[:3]
        excess = _excess(*signs, both["draw"], both["dataset"], level)
        ends = ("", "_low", "_high")
        found |= {f"{name}{end}": value for end, value in zip(ends, share, strict=True)}
        found |= {f"{name}_excess{end}": value for end, value in zip(ends, excess, strict=True)}
    return found


def _over_untrained(block: pd.DataFrame, level: float) -> dict[str, float]:
    """How much larger the fraction is than before training, with the t interval over draws."""
    if "untrained_better" not in block:
        return {}
    before = np.sign((block["untrained_worse"] - block["untrained_better"]).astype(float))
    difference = ((block["sign"] - before) / 2).groupby(block["draw"]).mean().dropna()
    size = len(difference)
    half = t.ppf((1 + level) / 2, size - 1) * difference.sem() if size > 1 else np.nan
    mean = difference.mean()
    return dict(zip(OVER_UNTRAINED, (mean, mean - half, mean + half), strict=True))


def _excess(
    first: pd.Series, second: pd.Series, draws: pd.Series, datasets: pd.Series, level: float
) -> tuple[float, float, float]:
    """Half the covariance of signs within datasets, with its jackknife interval over draws."""
    codes, names = pd.factorize(draws)
    size = len(names)
    counts = np.concatenate([observed_counts(size), leave_one_out_counts(size)])[:, codes]
    member = pd.get_dummies(datasets).to_numpy(float)
    held = counts @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [(counts * signs.to_numpy()) @ member / held for signs in (first, second)]
    exchanged = np.where(held > 0, held * means[0] * means[1], 0).sum(1)
    products = (counts * (first * second).to_numpy()).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        draws_of_excess = (products - exchanged) / held.sum(1) / 2
    estimate = float(draws_of_excess[0])
    if size < 2:
        return estimate, np.nan, np.nan
    half = float(t.ppf((1 + level) / 2, size - 1) * jackknife_error(draws_of_excess[1:]))
    return estimate, estimate - half, estimate + half
