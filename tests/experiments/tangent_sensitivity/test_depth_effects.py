import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from generalization.experiments import claims_of
from generalization.experiments.tangent_sensitivity.depth_effects import COLUMNS, depth_effects
from generalization.statistics.claims import claims
from generalization.statistics.resampling import Resampling
from generalization.statistics.verdicts import OPPOSITE, REPLICATES


def made_tables(
    growth, *, scales=(0.5, 1.0), depths=(2, 3, 5), widths=(10, 20, 30), seeds=3, noise=0.0
):
    """ln of the bound is a function of depth and scale, of value grows with the depth itself."""
    generator = np.random.default_rng(0)
    training = pd.DataFrame([
        {
            "ensemble": f"{depth}-{scale}-{width}",
            "seed": seed,
            "step": step,
            "final": step == 50,
            "dataset": "mnist",
            "depth": depth,
            "init_scale": scale,
            "width": width,
            "crop": None,
        }
        for depth in depths
        for scale in scales
        for width in widths
        for seed in range(seeds)
        for step in (0, 50)
    ])
    exact = training["depth"] + noise * generator.standard_normal(len(training))
    profile = training[["ensemble", "seed", "step"]].assign(
        bound="theorem_3_1",
        log_bound=[
            growth(*row) for row in training[["depth", "init_scale"]].itertuples(index=False)
        ]
        + training["width"],
        log_exact=exact + training["width"],
    )
    return profile, training


def effects(profile, training, resamples=200, level=0.95):
    resampling = Resampling(np.random.default_rng(0), resamples, level)
    return depth_effects(profile, training, resampling=resampling)


def test_growth_is_that_which_was_made():
    table = effects(*made_tables(lambda depth, scale: -(depth**2) * (scale < 1)))
    assert list(table) == COLUMNS
    table = table[~table["rises_first"]]
    rows = table[table["trained"] & (table["sensitivity"] == "theorem_3_1")]
    found = rows.set_index(["init_scale", "depth", "deeper"])["estimate"].to_dict()
    expected = {(0.5, 2, 3): -5, (0.5, 3, 5): -16, (1.0, 2, 3): 0, (1.0, 3, 5): 0}
    assert found == pytest.approx(expected)
    exact = table[~table["trained"] & (table["sensitivity"] == "exact")]
    assert exact["estimate"].tolist() == pytest.approx([1, 2, 1, 2])
    assert (table["networks"] == 2 * 9).all()
    assert (table["ensembles"] == 3).all()


def test_the_smallest_scale_and_the_deepest_networks_are_marked():
    table = effects(*made_tables(lambda depth, scale: depth * scale))
    assert (table["smallest_scale"] == (table["init_scale"] == 0.5)).all()
    assert (table["deepest"] == (table["deeper"] == 5)).all()


def test_only_ensembles_that_differ_in_nothing_else_are_paired():
    profile, training = made_tables(lambda depth, scale: depth)
    lonely = (training["depth"] == 5) & (training["width"] == 30)
    table = effects(profile[~lonely], training[~lonely])
    assert table.groupby("deeper")["ensembles"].unique().map(list).to_dict() == {3: [3], 5: [2]}


def test_interval_holds_the_growth():
    table = effects(*made_tables(lambda depth, scale: depth, noise=0.3))
    exact = table[table["sensitivity"] == "exact"]
    assert (exact["low"] < exact["estimate"]).all()
    assert (exact["estimate"] < exact["high"]).all()


def test_networks_without_a_value_are_counted():
    profile, training = made_tables(lambda depth, scale: depth)
    first = (profile["ensemble"] == "2-0.5-10") & (profile["seed"] == 0)
    table = effects(profile.assign(log_exact=profile["log_exact"].mask(first)), training)
    row = table[(table["sensitivity"] == "exact") & (table["init_scale"] == 0.5)].iloc[0]
    assert row["networks"] == 16
    assert row["note"].startswith("1 of 9 networks have no finite ratio")


def test_one_depth_has_no_growth():
    table = effects(*made_tables(lambda depth, scale: depth, depths=(3,)))
    assert table.empty
    assert list(table) == COLUMNS


def test_largest_growth_before_the_last_step_is_repeated_with_a_wider_interval():
    growth = {2: 0, 3: 1, 4: 4, 5: 3}
    table = effects(*made_tables(lambda depth, _: growth[depth], depths=(2, 3, 4, 5), noise=0.3))
    rows = table[table["rises_first"] & (table["sensitivity"] == "theorem_3_1")]
    assert set(zip(rows["depth"], rows["deeper"], rows["deepest"], strict=True)) == {(3, 4, False)}
    exact = table[table["trained"] & (table["sensitivity"] == "exact")]
    for _, of_scale in exact.groupby("init_scale"):
        first = of_scale[of_scale["rises_first"]].squeeze()
        same = of_scale[(of_scale["depth"] == first["depth"]) & ~of_scale["rises_first"]].squeeze()
        widths = first["high"] - first["low"], same["high"] - same["low"]
        assert widths[0] / widths[1] == pytest.approx(t.ppf(0.9875, 2) / t.ppf(0.975, 2))
    two = effects(*made_tables(lambda depth, _: depth, depths=(2, 3)))
    assert not two["rises_first"].any()


@pytest.mark.parametrize(
    ("growth", "words"),
    [
        ({2: 0, 3: 1, 5: 0}, (REPLICATES, REPLICATES)),
        ({2: 0, 3: -1, 5: -2}, (REPLICATES, OPPOSITE)),
        ({2: 0, 3: 1, 5: 2}, (OPPOSITE, REPLICATES)),
    ],
)
def test_depth_after_which_a_bound_decreases_is_found(growth, words):
    noise = np.random.default_rng(1)
    tables = made_tables(
        lambda depth, _: growth[depth] + 0.1 * noise.standard_normal(),
        widths=(10, 20, 30, 40, 50),
    )
    about = list(claims_of({"daroczy_2020": ["tangent_sensitivity"]}))
    judged = claims(about, {"depth_effects": effects(*tables)})
    of_bound = judged[judged["claim"].str.endswith(": Theorem 3.1")]
    assert tuple(of_bound["verdict"]) == words
