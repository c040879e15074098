"""Made-up tables of similarities, with what is alike known, and of the training of networks."""

from itertools import combinations

import numpy as np
import pandas as pd

from generalization.tables import collect_training

STEPS = (0, 1, 4, 16, 64)


def made_study(
    generator,
    *,
    corruptions=(0.0, 1.0),
    widths=(50,),
    seeds=3,
    layers=3,
    noise=0.01,
    width_gain=0.1,
):
    """``similarities`` and ``training``.

    Generalizing networks are 0.8 alike in the first layer, memorizing ones 0.15 less in each
    layer above, pairs between groups as memorizing ones; wider networks are more alike.
    """
    ensembles = {
        f"e{place}": {
            "dataset": "mnist",
            "architecture": "fully_connected",
            "label_corruption": corruption,
            "randomization": "none",
            "depth": layers,
            "width": width,
            "kept_steps": list(STEPS),
        }
        for place, (corruption, width) in enumerate(
            (corruption, width) for corruption in corruptions for width in widths
        )
    }
    networks = [(ensemble, seed) for ensemble in ensembles for seed in range(1, seeds + 1)]
    rows = []
    for first, second in combinations(networks, 2):
        about = [ensembles[one[0]] for one in (first, second)]
        if about[0]["width"] != about[1]["width"]:
            continue
        kind = "between_seeds" if first[0] == second[0] else "between_ensembles"
        memorizes = max(one["label_corruption"] for one in about)
        for layer in range(layers):
            value = 0.8 - 0.15 * layer * memorizes + width_gain * np.log2(about[0]["width"] / 50)
            rows.append(row(kind, (*first, STEPS[-1], layer), (*second, STEPS[-1], layer), value))
    for network in networks:
        for step in STEPS:
            for layer in range(layers):
                # The layer above converges at four times the step.
                value = 1 - 0.5 * np.exp(-step / 4.0**layer)
                value = 1.0 if step == STEPS[-1] else value
                rows.append(
                    row(
                        "over_training",
                        (*network, step, layer),
                        (*network, STEPS[-1], layer),
                        value,
                    )
                )
    table = pd.DataFrame(rows)
    shaken = (table["pairs"] != "over_training") & (noise > 0)
    table.loc[shaken, "value"] += noise * generator.standard_normal(shaken.sum())
    return table, training_of(ensembles, seeds)


def row(kind, first, second, value):
    names = ("ensemble", "seed", "step", "layer")
    return {
        "similarity": "pwcca",
        "pairs": kind,
        **{f"{name}_a": one for name, one in zip(names, first, strict=True)},
        **{f"{name}_b": one for name, one in zip(names, second, strict=True)},
        "value": value,
        "null": 0.2,
        "samples": 1000,
        "units_a": 50,
        "units_b": 50,
        "held_out": value - 0.02,
        "status": "ok",
    }


def training_of(ensembles, seeds):
    rows = [
        {
            "ensemble": ensemble,
            "seed": seed,
            "step": step,
            "train_loss": 1.0,
            "train_accuracy": 0.1 + 0.9 * (step == STEPS[-1]),
            "test_loss": 1.0,
            "test_accuracy": 0.1,
            "status": "fitted",
        }
        for ensemble in ensembles
        for seed in range(1, seeds + 1)
        for step in STEPS
    ]
    return collect_training(pd.DataFrame(rows), ensembles)


def of_two_architectures(study):
    """A study and, beside it, the same of convolutional networks, half as alike."""
    similarities, training = study
    sides = ["ensemble_a", "ensemble_b"]
    others = similarities.assign(
        value=similarities["value"] / 2, **{side: similarities[side] + "c" for side in sides}
    )
    convolutional = training.assign(
        ensemble=training["ensemble"] + "c", architecture="convolutional"
    )
    return pd.concat([similarities, others]), pd.concat([training, convolutional])
