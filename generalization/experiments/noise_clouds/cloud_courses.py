"""Clouds of noisy copies in the course of training, one row per network and cloud."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.tables import KEPT_NETWORK, NETWORK, with_networks

CLOUD = ["part", "layer", "sigma"]
# What stays apart beside the dataset.
VARIANTS = ("label_corruption", "randomization", "architecture", "depth")
# ASSUME: a course has settled when it has gone nine tenths of its largest excursion from where it
# begins.
SETTLED = 0.9
# ASSUME: the losses have converged at the first epoch from which on both stay within a tenth of
# their largest excursion from their last values; the blog reads it off a figure.
CONVERGED = 0.1
FEWEST_EPOCHS = 5  # On each side of convergence, for the volatility of a course.

Positions = int | None
Values = Float[np.ndarray, "clouds"]
Courses = Float[np.ndarray, "clouds steps"]


def mean_over_classes(noise_clouds: pd.DataFrame) -> pd.DataFrame:
    """Every quantity of ``noise_clouds``, a row per network, step, part, layer and σ.

    Returns:
        Means over classes, and ``noise``, 1 − EV_1.
    """
    keys = [*KEPT_NETWORK, *CLOUD]
    means = noise_clouds.drop(columns="class").groupby(keys, as_index=False).mean()
    return means.assign(noise=means["ev_2"] + means["ev_rest"])


def courses(noise_clouds: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Summarize each cloud of each network in the course of training.

    The blog looks after every epoch: its courses begin after the first one. What begins at step 0
    is named ``…_from_untrained``.

    Returns:
        ensemble, seed, dataset and ``VARIANTS``, ``part``, ``class``, hidden ``layer``, ``sigma``,
        ``kind`` (``convolutional``, or ``fully_connected`` layers), ``epoch_note``, which says why
        there is no first epoch, and what ``_of_clouds`` gives. What needs step 0, the first epoch,
        a loss, or a layer below, and has none is NaN.
    """
    clouds = noise_clouds.assign(noise=noise_clouds["ev_2"] + noise_clouds["ev_rest"])
    cloud = [*KEPT_NETWORK, "part", "class", "sigma"]
    at_input = clouds.loc[clouds["layer"] == 0, [*cloud, "noise"]]
    hidden = clouds[clouds["layer"] > 0].merge(at_input, on=cloud, suffixes=("", "_at_input"))
    rows = with_networks(hidden, training).sort_values("step", kind="stable")
    there = [key for key in ("dataset", *VARIANTS) if key in rows]
    found = [
        _of_network(network, there) for _, network in rows.groupby(NETWORK, sort=True, dropna=False)
    ]
    return (
        pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*NETWORK, *there])
    )


@dataclass(frozen=True)
class Marks:
    """Positions among the kept steps of a network; None where there is no such step.

    Attributes:
        untrained: Step 0.
        epoch: End of the first epoch.
        second: The next kept step.
        converged: First epoch from which on both losses stay close to their last values.
        least: Least test loss from the first epoch on.
        least_of_all: Least test loss.
    """

    untrained: Positions
    epoch: Positions
    second: Positions
    converged: Positions
    least: Positions
    least_of_all: Positions


def marks(network: pd.DataFrame) -> Marks:
    """Find the steps between which the blog compares.

    Args:
        network: Rows of ``training`` of the kept steps of one network, by step.
    """
    steps = network["step"].to_numpy(float)
    untrained = 0 if steps[0] == 0 else None
    epoch = _position_of_first_epoch(network)
    losses = network[["train_loss", "test_loss"]].to_numpy(float)
    known = np.isfinite(losses[:, 1]).any()
    least_of_all = int(np.nanargmin(losses[:, 1])) if known else None
    if epoch is None:
        return Marks(untrained, None, None, None, None, least_of_all)
    second = epoch + 1 if epoch + 1 < len(steps) else None
    known = np.isfinite(losses[epoch:, 1]).any()
    least = epoch + int(np.nanargmin(losses[epoch:, 1])) if known else None
    return Marks(untrained, epoch, second, _converged(losses, epoch), least, least_of_all)


def steps_per_epoch(network: pd.Series) -> float:
    """Return the number of steps of an epoch; NaN where the size of the training set is not set."""
    return float(np.ceil(float(network["train_size"] or np.nan) / float(network["batch_size"])))


def _position_of_first_epoch(network: pd.DataFrame) -> Positions:
    """Position of the end of the first epoch, if the network was kept there."""
    steps, epoch = network["step"].to_numpy(float), steps_per_epoch(network.iloc[0])
    # ASSUME: where the whole dataset is trained on, the first kept step ends the first epoch.
    places = np.flatnonzero(steps == epoch if np.isfinite(epoch) else steps > 0)
    return int(places[0]) if len(places) else None


def _converged(losses: Float[np.ndarray, "steps 2"], epoch: int) -> Positions:
    """Position from which on both losses stay close to where they end."""
    away = np.abs(losses - losses[-1])[epoch:]
    if not np.isfinite(away).all():
        return None
    far = np.flatnonzero((away > CONVERGED * away.max(axis=0)).any(axis=1))
    return epoch + (int(far[-1]) + 1 if len(far) else 0)


def _of_network(network: pd.DataFrame, about: list[str]) -> pd.DataFrame:
    """All clouds of one network, a row each."""
    kept = network.drop_duplicates("step")
    wide = network.pivot(index=["part", "class", "layer", "sigma"], columns="step")
    values = {key: wide[key].to_numpy(float) for key in ("noise", "ev_1", "ev_2", "ev_rest", "s_1")}
    values |= {key: wide[key].to_numpy(float) for key in ("predicted_noise", "noise_at_input")}
    values |= {key: wide[key].to_numpy(float) for key in ("accuracy", "accuracy_without_noise")}
    steps, places = kept["step"].to_numpy(float), marks(kept)
    rows = wide.index.to_frame(index=False).assign(**_of_clouds(values, steps, places))
    rows = _beyond_first(rows)
    same = {key: kept[key].iloc[0] for key in [*NETWORK, *about]}
    note = "" if places.epoch is not None else "not kept at the end of the first epoch"
    kind = np.where(
        _is_convolutional(kept.iloc[0], rows["layer"]), "convolutional", "fully_connected"
    )
    return rows.assign(kind=kind, epoch_note=note, **same)[
        [*same, "part", "class", "layer", "sigma", "kind", "epoch_note", *_columns(rows)]
    ]


def _columns(rows: pd.DataFrame) -> list[str]:
    return [key for key in rows if key not in ("part", "class", "layer", "sigma")]


def _is_convolutional(network: pd.Series, layers: pd.Series) -> pd.Series:
    """Tell which hidden layers are convolutions: all but the last of ``convolutional`` networks."""
    last = network["depth"] - 1
    if network["architecture"] == "fully_connected":
        return layers < 0
    return layers < last if network["architecture"] == "convolutional" else layers <= last


def _of_clouds(
    values: dict[str, Courses], steps: Float[np.ndarray, "steps"], places: Marks
) -> dict[str, Values]:
    """Summaries of the clouds of one network; of ratios, and of s_1, they are logarithms."""
    with np.errstate(divide="ignore", invalid="ignore"):
        noise, at_input, predicted, s_1 = (
            np.log(np.where(values[key] > 0, values[key], np.nan))
            for key in ("noise", "noise_at_input", "predicted_noise", "s_1")
        )
    last = len(steps) - 1

    def change(course: Courses, before: Positions, after: Positions = last) -> Values:
        """Change between two steps; NaN without both, and of one and the same step."""
        if before is None or after is None or before == after:
            return np.full(len(course), np.nan)
        return course[:, after] - course[:, before]

    def step(position: Positions) -> float:
        return np.nan if position is None else steps[position]

    first_kept = 1 if places.untrained is not None and last > 0 else None
    settled = _settled(values["ev_rest"], steps, places.epoch)
    from_untrained = _settled(values["ev_rest"], steps, places.untrained)
    with np.errstate(divide="ignore"):
        return {
            "settled_step": settled,
            "least_loss_step": np.full(len(settled), step(places.least)),
            "measured_over_predicted": noise[:, last] - predicted[:, last],
            "noise_over_input": noise[:, last] - at_input[:, last],
            "noise_over_untrained": change(noise, places.untrained),
            "accuracy_change": (values["accuracy"] - values["accuracy_without_noise"])[:, last],
            "ev_1_change": change(values["ev_1"], places.epoch),
            "ev_2_change": change(values["ev_2"], places.epoch),
            "ev_1_change_from_untrained": change(values["ev_1"], places.untrained),
            "ev_2_change_from_untrained": change(values["ev_2"], places.untrained),
            "s_1_first_change": change(s_1, places.epoch, places.second),
            "s_1_first_change_from_untrained": change(s_1, places.untrained, first_kept),
            "s_1_late_change": change(s_1, places.converged),
            "s_1_change_since_least_loss": change(s_1, places.least_of_all),
            "s_1_volatility": _volatility(s_1, steps, places),
            "settled_over_converged": np.log(settled) - np.log(step(places.converged)),
            "settled_over_least_loss": np.log(settled) - np.log(step(places.least)),
            "settled_over_least_loss_from_untrained": (
                np.log1p(from_untrained) - np.log1p(step(places.least_of_all))
            ),
        }


def _settled(course: Courses, steps: Float[np.ndarray, "steps"], begin: Positions) -> Values:
    """First step at which courses have gone ``SETTLED`` of their largest excursion from a step."""
    if begin is None or begin == len(steps) - 1:
        return np.full(len(course), np.nan)
    excursion = np.abs(course[:, begin:] - course[:, begin, None])
    largest = excursion.max(axis=1, keepdims=True)
    settled = steps[begin:][(excursion >= SETTLED * largest).argmax(axis=1)]
    return np.where(largest[:, 0] > 0, settled, np.nan)


def _volatility(s_1: Courses, steps: Float[np.ndarray, "steps"], places: Marks) -> Values:
    """Logarithm of the mean |change| of ln s_1 per epoch before convergence over that after."""
    nothing = np.full(len(s_1), np.nan)
    if places.epoch is None or places.converged is None:
        return nothing
    # Changes over epochs of different length are not alike.
    apart, epoch = np.diff(steps), steps[places.epoch]
    parts = (slice(places.epoch, places.converged), slice(places.converged, len(steps) - 1))
    sizes = [np.isclose(apart[part], epoch) for part in parts]
    if min(size.sum() for size in sizes) < FEWEST_EPOCHS:
        return nothing
    changes = np.abs(np.diff(s_1, axis=1))
    before, after = (
        changes[:, part][:, size].mean(axis=1) for part, size in zip(parts, sizes, strict=True)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(before) - np.log(after)
    return np.where(np.isfinite(found), found, np.nan)


def _beyond_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Add what later layers have over the first one."""
    same = ["part", "class", "sigma"]
    first = rows[rows["layer"] == 1].set_index(same)
    first = first.reindex(pd.MultiIndex.from_frame(rows[same]))
    later, log_settled = rows["layer"] > 1, np.log(rows["settled_step"])

    def beyond(values: pd.Series, of_first: pd.Series) -> pd.Series:
        return (values - of_first.to_numpy()).where(later)

    return rows.assign(
        ev_1_change_beyond_first=beyond(rows["ev_1_change"], first["ev_1_change"]),
        settled_beyond_first=beyond(log_settled, np.log(first["settled_step"])),
    )
