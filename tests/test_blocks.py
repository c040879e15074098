from argparse import ArgumentParser
from pathlib import Path

import pandas as pd
import pytest
import torch
from oracles.blobs import blobs

from generalization.blocks import add_block_arguments, blocks_of_grids, seed_blocks
from generalization.hyperparameters import Hyperparameters
from generalization.training import train_ensemble


@pytest.mark.parametrize(
    ("existing", "seeds", "blocks"),
    [
        ([], 4, ["seeds-1-4"]),
        (["seeds-1-4"], 4, ["seeds-1-4"]),
        (["seeds-1-4"], 2, ["seeds-1-4"]),
        (["seeds-1-4"], 6, ["seeds-1-4", "seeds-5-6"]),
        (["seeds-1-4", "seeds-5-6"], 8, ["seeds-1-4", "seeds-5-6", "seeds-7-8"]),
        (["seeds-1-4", "seeds-1-8"], 8, ["seeds-1-4", "seeds-1-8"]),
        (["seeds-1-4", "seeds-2-3"], 4, ["seeds-1-4"]),
        (["seeds-3-4"], 6, ["seeds-1-2", "seeds-3-4", "seeds-5-6"]),
        (["seeds-11-12", "seeds-1-2"], 2, ["seeds-1-2"]),
    ],
)
def test_added_seeds_are_blocks_of_their_own(tmp_path, existing, seeds, blocks):
    for name in existing:
        (tmp_path / name).mkdir()
    assert seed_blocks(tmp_path, seeds) == blocks


@pytest.mark.parametrize(
    ("existing", "most", "blocks"),
    [
        ([], None, ["seeds-1-8"]),
        ([], 8, ["seeds-1-8"]),
        ([], 3, ["seeds-1-3", "seeds-4-6", "seeds-7-8"]),
        (["seeds-1-8"], 3, ["seeds-1-8"]),
        (["seeds-1-4"], 3, ["seeds-1-4", "seeds-5-7", "seeds-8-8"]),
        (["seeds-4-6"], 3, ["seeds-1-3", "seeds-4-6", "seeds-7-8"]),
    ],
)
def test_new_blocks_are_as_small_as_a_job_must_be(tmp_path, existing, most, blocks):
    for name in existing:
        (tmp_path / name).mkdir()
    assert seed_blocks(tmp_path, 8, most) == blocks


@pytest.mark.parametrize("chosen", [{"width": 9}, {"width": 300}, {"dropout": 0.2}], ids=str)
def test_seeds_trained_in_several_blocks_are_the_same_up_to_rounding(chosen):
    # Products of a stack of one round in another way than those of several on some processors.
    one = Hyperparameters(dataset="blobs", batch_size=16, max_steps=40, **chosen)
    blocks = [train_ensemble(blobs(), one, seeds) for seeds in ((1, 2, 3, 4), (1, 2, 3), (4,))]
    whole, *parts = [trained.kept.networks for trained in blocks]
    for step, stack in enumerate(whole):
        for name, tensor in stack.tensors.items():
            found = torch.cat([part[step].tensors[name] for part in parts])
            torch.testing.assert_close(found, tensor, rtol=0, atol=1e-4)
            assert step == 0 or (tensor[0] - tensor[1]).abs().max() > 1e-2
    rows = [row for trained in blocks[1:] for row in trained.training]
    pd.testing.assert_frame_equal(pd.DataFrame(rows), pd.DataFrame(blocks[0].training), rtol=1e-3)


def test_blocks_of_an_ensemble_of_two_grids_are_found_once_in_the_order_of_seeds(tmp_path):
    text = f'--ensembles {tmp_path} --grids [{{"dataset":"digits"}}] --seeds 12'
    parser = ArgumentParser()
    add_block_arguments(parser)
    arguments = parser.parse_args(text.split())
    (same,) = arguments.grids
    grids = [same | {"depth": [3, 2]}, same]
    ((default, _), (other, _)) = blocks_of_grids(arguments.ensembles, grids, arguments.seeds)
    assert (default.depth, other.depth) == (3, 2)
    for name in ("seeds-11-20", "seeds-1-4"):
        (tmp_path / default.name / name).mkdir(parents=True)
    ((_, blocks), (_, new)) = blocks_of_grids(arguments.ensembles, grids, arguments.seeds)
    assert [block.name for block in blocks] == ["seeds-1-4", "seeds-5-10", "seeds-11-20"]
    assert new == [Path(tmp_path, other.name, "seeds-1-12")]
