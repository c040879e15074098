"""A made-up study with a known relation: tables as training and measuring write them."""

import numpy as np
import pandas as pd

from generalization.tables import collect_measures

SEEDS = (1, 2, 3, 4)
STEPS = (0, 1, 3, 10, 30, 100, 300, 1000, 3000)


def hyperparameters():
    """36 ensembles: label corruption × depth × init scale × width."""
    grid = [
        {
            "dataset": "mnist_subset",
            "train_size": None,
            "label_corruption": corruption,
            "depth": depth,
            "init_scale": scale,
            "width": 100 if (depth + int(scale)) % 2 else 200,
            "activation": "relu",
            "kept_steps": (0,),
        }
        for corruption in (0.0, 0.25, 0.5, 1.0)
        for depth in (2, 3, 5)
        for scale in (0.5, 1.0, 2.0)
    ]
    return {f"mnist_subset-{position:08x}": one for position, one in enumerate(grid)}


def training(generator):
    """One row per network and kept step; two ensembles do not fit, one network diverges."""
    rows = []
    for position, (ensemble, about) in enumerate(hyperparameters().items()):
        unfit = about["label_corruption"] == 1 and about["init_scale"] == 0.5 and about["depth"] > 2
        gap = 0.06 + 0.75 * about["label_corruption"] + 0.04 * about["init_scale"]
        for seed in SEEDS:
            diverged = position == 35 and seed == 3
            end = STEPS[-1 - (seed % 2)]
            reached = (0.9 if unfit else 1.0) - 0.0002 * (seed == 2)
            noise = 0.012 * generator.standard_normal()
            for step in STEPS[: STEPS.index(end) + 1]:
                share = np.log1p(step) / np.log1p(end)
                train = 0.1 + (reached - 0.1) * share**2
                test = 0.1 + max(train - 0.1 - (gap + noise) * share**2, 0)
                loss = 2.5 * (1 - share) ** 2 + 0.003 / about["init_scale"] + 0.3 * unfit * share
                lost = diverged and step > 100
                rows.append({
                    "ensemble": ensemble,
                    "seed": seed,
                    "step": step,
                    "train_loss": np.nan if lost else loss,
                    "train_accuracy": 0.1 if lost else train,
                    "test_loss": np.nan if lost else loss + 4 * (gap + noise) * share,
                    "test_accuracy": 0.1 if lost else test,
                    "status": "diverged" if diverged else "stopped" if unfit else "fitted",
                })
    return pd.DataFrame(rows)


def measure_tables(training, generator):
    """Measures that follow the gap closely, hardly, not at all; one that is constant, one lost."""
    last = training.sort_values("step", kind="stable").groupby(["ensemble", "seed"]).tail(1)
    gap = (last["train_accuracy"] - last["test_accuracy"]).to_numpy()
    about = [hyperparameters()[ensemble] for ensemble in last["ensemble"]]
    width, depth, scale = (
        np.array([one[key] for one in about]) for key in ("width", "depth", "init_scale")
    )
    noise = generator.standard_normal
    size = len(last)
    values = {
        "jacobian_norm": 0.02 * np.exp(5 * gap + 0.25 * noise(size)),
        "logit_jacobian_norm": 0.3 * np.exp(2 * gap + 0.9 * np.log(scale) + 0.2 * noise(size)),
        "transitions": np.round(40 * depth * width * scale**0.3 * np.exp(0.3 * gap)),
        "normalized_transitions": np.exp(0.5 * gap + 0.25 * noise(size)),
        "training_loss": last["train_loss"].to_numpy(),
        "weight_norm": np.sqrt(width * depth) * (scale + 0.8 * gap + 0.05 * noise(size)),
        "distance_from_initialization": np.sqrt(width) * np.exp(gap + 0.1 * noise(size)),
        "output_entropy": 0.05 + 0.3 * gap + 0.05 * noise(size),
        "number_of_parameters": 784 * width + (depth - 2) * width**2 + 10.0 * width,
        "random_number": generator.random(size),
        "constant": np.ones(size),
        "lost": np.full(size, np.nan),
    }
    values["transitions"][5] = np.nan
    values["jacobian_norm"][last["status"] == "diverged"] = np.inf
    return [
        last[["ensemble", "seed", "step", "status"]].assign(measure=measure, value=value)
        for measure, value in values.items()
    ]


def made_training(seed=0):
    return training(np.random.default_rng(seed))


def made_measures(seed=0):
    """The ``measures.csv`` of the study."""
    generator = np.random.default_rng(seed)
    course = training(generator)
    return collect_measures(measure_tables(course, generator), course, hyperparameters())


def made_measures_of_two(seed=0):
    """The same grid on two datasets; the gaps of the second are half as large."""
    first, second = made_measures(seed), made_measures(seed + 1)
    second["ensemble"] = second["ensemble"].str.replace("mnist_subset", "digits")
    gap = second["generalization_gap"] / 2
    second["test_accuracy"] = second["train_accuracy"] - gap
    second = second.assign(dataset="digits", generalization_gap=gap)
    return pd.concat([first, second], ignore_index=True)
