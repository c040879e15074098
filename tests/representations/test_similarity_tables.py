import pandas as pd

from generalization.blocks import blocks_of_grids
from generalization.hyperparameters import Hyperparameters
from generalization.representations.similarity_tables import (
    COLUMNS,
    collect_similarities,
    similarity_files,
)

GRIDS = [{"dataset": "digits", "width": [30, 20]}]
NAMES = sorted(Hyperparameters(dataset="digits", width=width).name for width in (20, 30))


def test_files_are_in_the_order_of_similarities_and_names(tmp_path):
    for ensemble in NAMES:
        (tmp_path / ensemble / "seeds-1-2").mkdir(parents=True)
    blocks = [tmp_path / ensemble / "seeds-1-2" for ensemble in NAMES]
    expected = [
        blocks[1] / f"similarities/svcca/over_training/{NAMES[1]}/seeds-1-2.csv",
        blocks[0] / f"similarities/pwcca/between_seeds/{NAMES[0]}/seeds-1-2.csv",
        blocks[0] / f"similarities/pwcca/between_seeds/{NAMES[0]}/seeds-3-3.csv",
        blocks[0] / f"similarities/pwcca/between_seeds/{NAMES[1]}/seeds-1-2.csv",
        blocks[0] / f"similarities/pwcca/over_training/{NAMES[0]}/seeds-1-2.csv",
    ]
    not_asked_for = blocks[0] / f"similarities/linear_cka/over_training/{NAMES[0]}/seeds-1-2.csv"
    for file in [*expected[::-1], not_asked_for]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    ensembles = blocks_of_grids(tmp_path, GRIDS, 2)
    pairs = {"svcca": ["over_training"], "pwcca": ["between_seeds", "over_training"]}
    assert list(similarity_files(ensembles, pairs)) == expected


def table(path, *seeds):
    rows = [{"seed_a": a, "seed_b": b, "similarity": 0.5} for a, b in seeds]
    pd.DataFrame(rows, columns=["seed_a", "seed_b", "similarity"]).to_csv(path, index=False)
    return path


def test_only_the_first_seeds_are_collected(tmp_path):
    files = [table(tmp_path / "a.csv", (1, 2), (1, 3)), table(tmp_path / "b.csv", (3, 1), (2, 2))]
    collected = collect_similarities(files, 2)
    assert collected[["seed_a", "seed_b"]].to_numpy().tolist() == [[1, 2], [2, 2]]
    assert collected.index.tolist() == [0, 1]


def test_where_no_networks_are_compared_the_table_is_empty():
    collected = collect_similarities(iter([]), 1)
    assert collected.empty and list(collected) == COLUMNS


def test_empty_tables_do_not_change_types(tmp_path):
    files = [table(tmp_path / "a.csv"), table(tmp_path / "b.csv", (1, 2))]
    collected = collect_similarities(files, 2)
    assert collected["seed_a"].dtype == int
    assert list(collect_similarities(files[:1], 2)) == ["seed_a", "seed_b", "similarity"]
