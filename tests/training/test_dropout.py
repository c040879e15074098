import pytest
import torch
from oracles.blobs import blobs

from generalization.hyperparameters import Hyperparameters
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.randomness import generator_for
from generalization.training.batches import TrainingSet, batches_of_epoch
from generalization.training.dropout import Dropout

SEEDS = (3, 1, 4)
SAMPLES = 50


def masks_of(seeds=SEEDS, step=1, probability=0.3, widths=(16, 80, 60, 3), begin=1):
    hyperparameters = Hyperparameters(dataset="blobs", batch_size=SAMPLES)
    source = TrainingSet.of(blobs(), hyperparameters, torch.device("cpu"))
    batch = next(batches_of_epoch(source, hyperparameters, seeds, epoch=0))
    generators = [generator_for("dropout", seed) for seed in seeds]
    networks = initialize_fully_connected(widths, "relu", generators)
    return Dropout(probability, "blobs", seeds, begin).on(batch, networks, step)


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_what_is_kept_is_scaled_so_that_the_mean_stays(probability):
    batch = masks_of(probability=probability)
    assert [mask.shape for mask in batch.masks] == [(3, 80, SAMPLES), (3, 60, SAMPLES)]
    for mask in batch.masks:
        values = mask.unique().tolist()
        assert values == pytest.approx([0, 1 / (1 - probability)])
        deviation = (probability / (1 - probability) / mask.numel()) ** 0.5
        assert mask.mean().item() == pytest.approx(1, abs=5 * deviation)


def test_networks_layers_and_steps_have_masks_of_their_own():
    first, second = (masks_of(step=step, widths=(16, 80, 80, 3)).masks for step in (1, 2))
    masks = torch.cat([*first, *second]).flatten(1)
    assert len(masks.unique(dim=0)) == 12
    # Independent, they agree with probability 0.7² + 0.3².
    agree = (masks[:, None] == masks).double().mean(2)[~torch.eye(12, dtype=torch.bool)]
    assert agree.tolist() == pytest.approx([0.58] * 132, abs=5 * (0.58 * 0.42 / 4000) ** 0.5)


def test_layers_below_the_first_with_dropout_keep_all_activations():
    (below, above), (_, same) = masks_of(begin=2).masks, masks_of().masks
    assert torch.equal(below, torch.ones_like(below))
    assert torch.equal(above, same)


def test_masks_depend_on_their_own_seed_only():
    together, alone = masks_of().masks, masks_of(seeds=(1,)).masks
    for several, one in zip(together, alone, strict=True):
        assert torch.equal(several[1:2], one)


def test_parts_of_a_batch_have_their_parts_of_the_masks():
    batch = masks_of()
    parts = [part.masks for part in batch.split(15)]
    for layer, mask in enumerate(batch.masks):
        assert torch.equal(torch.cat([masks[layer] for masks in parts], dim=2), mask)
