import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from oracles.similarity_tables import STEPS, made_study

from generalization.activations import Activations, write_activations
from generalization.experiments.similarity.claims import CLAIMS
from generalization.experiments.similarity.convergence_orders import (
    BEYOND_LINE,
    OWN_WAYS,
    convergence_orders,
)
from generalization.experiments.similarity.similarity_trends import similarity_trends
from generalization.hyperparameters import Hyperparameters
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.networks.networks_file import KeptNetworks
from generalization.randomness import generator_for
from generalization.representations.comparing import compare_networks
from generalization.similarities.svcca import svcca
from generalization.statistics.resampling import Resampling
from generalization.statistics.verdicts import (
    CONTROL_SHOWS_IT,
    MAYBE_CONTROL,
    REPLICATES,
    verdict,
)
from generalization.tables import collect_training

LAYERS = 5
# Six, since perfect orders in five may be chance: 2/2⁵ > 5 %.
WIDTHS = (25, 50, 100, 200, 400, 800)


def learned(order):
    """Similarity to the end of layers that converge in an order, all from the same start."""

    def value(layer, step):
        return 1.0 if step == STEPS[-1] else 1 - 0.5 * np.exp(-step / 4.0 ** order(layer))

    return value


def study_of(trained, on_line=None, **changes):
    """Networks of given courses; on the straight line, of others."""
    similarities, training = made_study(
        np.random.default_rng(0), corruptions=(0.0,), layers=LAYERS, **changes
    )
    course = similarities[similarities["pairs"] == "over_training"]
    similarities = [similarities[similarities["pairs"] != "over_training"]]
    for pairs, value in (("over_training", trained), ("straight_line", on_line)):
        if value is not None:
            values = [value(*at) for at in zip(course["layer_a"], course["step_a"], strict=True)]
            similarities.append(course.assign(pairs=pairs, value=values))
    return pd.concat(similarities, ignore_index=True), training


def rows_of(study):
    table = similarity_trends(*study, resampling=Resampling(np.random.default_rng(1), 300))
    return table[table["statistic"].isin(OWN_WAYS)].set_index("statistic")


BOTTOM_UP, TOP_DOWN = learned(lambda layer: layer), learned(lambda layer: LAYERS - 1 - layer)


@pytest.mark.parametrize(
    ("trained", "on_line", "beyond"),
    [
        (BOTTOM_UP, BOTTOM_UP, 0),
        (TOP_DOWN, TOP_DOWN, 0),
        (BOTTOM_UP, TOP_DOWN, 2),
        (TOP_DOWN, BOTTOM_UP, -2),
        # Ranks of hidden layers 1 2 3 4 against 2 1 4 3: 1 − 6 · 4 / (4 · 15) = 0.6.
        (BOTTOM_UP, learned(lambda layer: layer ^ 1), 0.4),
    ],
)
def test_order_is_compared_with_that_on_the_line(trained, on_line, beyond):
    rows = rows_of(study_of(trained, on_line, widths=WIDTHS))
    assert list(rows.index) == list(OWN_WAYS)
    assert rows[BEYOND_LINE].to_numpy(float) == pytest.approx(np.full((2, 3), beyond), abs=1e-12)


def test_study_without_the_line_has_no_contrast_to_it():
    study = study_of(BOTTOM_UP, widths=WIDTHS)
    rows = rows_of(study)
    assert rows[BEYOND_LINE].isna().all(axis=None)
    beside = rows_of(study_of(BOTTOM_UP, TOP_DOWN, widths=WIDTHS))
    pd.testing.assert_frame_equal(
        rows.drop(columns=BEYOND_LINE), beside.drop(columns=BEYOND_LINE), check_exact=True
    )


def test_networks_without_an_order_on_the_line_do_not_count_in_the_contrast():
    similarities, training = study_of(BOTTOM_UP, TOP_DOWN, widths=WIDTHS)
    still = (similarities["pairs"] == "straight_line") & (similarities["ensemble_a"] == "e0")
    study = similarities.assign(value=similarities["value"].mask(still, 1.0)), training
    orders = convergence_orders(*study).set_index("ensemble")
    assert orders.loc["e0", [f"line_{name}" for name in OWN_WAYS]].isna().all(axis=None)
    assert rows_of(study)["beyond_line"].to_numpy(float) == pytest.approx([2, 2])


def test_networks_that_were_not_kept_at_step_0_have_no_order_from_it():
    similarities, training = study_of(BOTTOM_UP, widths=WIDTHS)
    rows = rows_of((similarities[similarities["step_a"] > 0], training))
    assert rows["estimate"].isna().all()
    assert set(rows["note"]) == {
        "18 of 18 networks have no order from step 0 on; no network is left"
    }


@pytest.mark.parametrize(
    ("on_line", "expected"),
    [(TOP_DOWN, REPLICATES), (BOTTOM_UP, CONTROL_SHOWS_IT), (None, MAYBE_CONTROL)],
)
def test_bottom_up_replicates_only_beyond_the_line(on_line, expected):
    similarities, training = study_of(BOTTOM_UP, on_line, widths=WIDTHS)
    rows = rows_of((similarities.assign(similarity="svcca"), training)).reset_index()
    claims = [claim for claim in CLAIMS["raghu_2017"] if claim.table == "similarity_trends"]
    assert len(claims) == len(OWN_WAYS)
    for claim in claims:
        (row,) = rows.query(claim.rows).to_dict("records")
        assert verdict(row, claim)[0] == expected


def test_networks_that_move_on_the_straight_line_have_nothing_beyond_it(tmp_path):
    """From weights to the table: depth alone orders layers, and the control takes it off."""
    networks, training = on_the_line()
    inputs = torch.randn(200, 1, 4, 4, generator=generator_for("inputs"))
    tables = []
    for place, one in enumerate(networks):
        path = tmp_path / f"{place}.h5"
        write_activations(path, one, inputs)
        with Activations(path) as a:
            settings = {"layers": "same", "convolution": "channels"}
            tables += [
                compare_networks(a, a, svcca, pairs, settings, kept=one)
                for pairs in ("over_training", "straight_line")
            ]
    study = pd.concat(tables), training
    orders = convergence_orders(*study)
    for name in OWN_WAYS:
        assert orders[f"line_{name}"].to_numpy() == pytest.approx(orders[name].to_numpy())
    assert orders["convergence_order_own_start_50"].mean() > 0.5
    rows = rows_of(study)
    assert (rows["ensembles"] == 5).all()
    assert rows[BEYOND_LINE].to_numpy(float) == pytest.approx(0, abs=1e-9)


def on_the_line():
    """Five ensembles that move from one random network to another; their training."""
    made, rows, about = [], [], {}
    for width in (16, 18, 20, 22, 24):
        seeds, steps = (1, 2, 3), (0, 1, 2, 4, 8, 16, 32, 64)
        start, end = (
            initialize_fully_connected(
                (16, *[width] * LAYERS, 4),
                "relu",
                [generator_for(purpose, width, seed) for seed in seeds],
                biases=True,
            )
            for purpose in ("start", "end")
        )
        last = end.tensors
        stacks = [
            start.with_tensors({
                name: torch.lerp(tensor, last[name], step / 64)
                for name, tensor in start.tensors.items()
            })
            for step in steps
        ]
        hyperparameters = Hyperparameters(
            dataset="digits", width=width, depth=LAYERS + 1, activation="relu", biases=True
        )
        name = hyperparameters.name
        about[name] = dataclasses.asdict(hyperparameters)
        made.append(
            KeptNetworks(
                hyperparameters,
                seeds,
                tuple((step,) * len(seeds) for step in steps),
                ("fitted",) * len(seeds),
                tuple(stacks),
            )
        )
        rows += [
            {"ensemble": name, "seed": seed, "step": step, "status": "fitted"}
            | dict.fromkeys(("train_loss", "train_accuracy", "test_loss", "test_accuracy"), 0.5)
            for seed in seeds
            for step in steps
        ]
    return made, collect_training(pd.DataFrame(rows), about)
