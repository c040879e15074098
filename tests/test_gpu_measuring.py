"""Measures, profiles, records and similarities on a GPU, pretended: what it would refuse."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from oracles.blobs import blobs
from oracles.pretended_gpu import pretended_gpu
from schema import settings_of
from torch.testing import assert_close

from generalization import activations
from generalization.activations import Activations, write_activations
from generalization.catalog import ENSEMBLE_MEASURES, MEASURES, PROFILES, SIMILARITIES, place_of
from generalization.devices import samples_at_once
from generalization.hyperparameters import Hyperparameters
from generalization.measure_networks import measure_networks
from generalization.measure_pairs import measure_pairs
from generalization.measuring_modules import measured_row
from generalization.profile_networks import profile_networks
from generalization.representations.comparing import compare_networks
from generalization.signatures import imported
from generalization.training import train_ensemble
from generalization.units.cloud_spectra import noisy_images

# Small numbers of whatever a setting counts; other settings have their defaults.
SMALL = {
    "samples": 3,
    "train_samples": 6,
    "random_samples": 3,
    "grid_points": 8,
    "draws": 2,
    "ascent_steps": 2,
    "chain_steps": 4,
    "batch_size": 4,
    "ellipses": 1,
    "angles": 6,
    "grid": 6,
    "orders": 2,
    "increments": 3,
    "permutations": 5,
    "probes": 2,
    "images_per_class": 1,
    "noise_stds": [0.2],
    "copies": 8,
    "iterations": 3,
}


def settings(name):
    defaults = settings_of(name)
    return {key: SMALL.get(key, value) for key, value in defaults.items()}


def ensemble(seeds, **changes):
    plain = {"dataset": "blobs", "width": 7, "batch_size": 10, "max_steps": 5}
    data = blobs(train=20, test=9)
    chosen = plain | {"kept_steps": (0,), "stop_at_accuracy": None} | changes
    return train_ensemble(data, Hyperparameters(**chosen), seeds), data


@pytest.fixture(scope="module")
def connected():
    return ensemble((1, 2))


@pytest.fixture(scope="module")
def convolutional():
    return ensemble(
        (1,), architecture="convolutional", normalization="batch", width=3, kept_steps=()
    )


def tables_of(trained, data, names, on_gpu, memory=2**40):
    measures = {name: imported(place_of(name)) for name in names}
    chosen = {name: settings(name) for name in names}
    alone = [name for name in names if MEASURES[name].drawn_alone]
    training = pd.DataFrame(trained.training)

    def measured(of):
        found = measure_networks(trained.kept, of, measures, chosen, alone=alone, training=training)
        return pd.concat([table for _, table in found], ignore_index=True)

    if not on_gpu:
        return measured(data)
    with pretended_gpu(memory):
        return measured(data.to("cuda"))


def test_every_measure_runs_on_a_gpu(connected):
    on_gpu, on_cpu = (tables_of(*connected, list(MEASURES), where) for where in (True, False))
    pd.testing.assert_frame_equal(on_gpu, on_cpu, rtol=1e-3, atol=1e-6)


def test_every_measure_of_modules_runs_on_a_gpu(convolutional):
    names = [name for name, one in MEASURES.items() if not one.fully_connected_only]
    on_gpu, on_cpu = (tables_of(*convolutional, names, where) for where in (True, False))
    pd.testing.assert_frame_equal(on_gpu, on_cpu, rtol=1e-3, atol=1e-6)


def test_measures_of_a_stack_that_does_not_fit_are_computed_in_parts(connected):
    names = ["weight_norm", "distance_from_initialization", "random_number", "output_entropy"]
    whole, parts = (tables_of(*connected, names, True, memory) for memory in (2**30, 2**14))
    pd.testing.assert_frame_equal(parts, whole)


@pytest.mark.parametrize("depth", [3, 10])
def test_blocks_of_regions_fit_a_small_gpu_whatever_the_depth(depth, caplog):
    trained, data = ensemble((1,), depth=depth, width=20, kept_steps=())
    with pretended_gpu(memory=2**21) as gpu:
        of, chosen = data.to("cuda"), {"ellipses": 4, "of_each_seed": False, "angles": 12}
        profile_networks(trained.kept, of, imported(place_of("ellipses")), chosen)
        transitions = {"transitions": imported(place_of("transitions"))}
        list(measure_networks(trained.kept, of, transitions, {"transitions": {}}))
    assert gpu.peak < gpu.memory and not caplog.messages


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_runs_on_a_gpu(name, connected, tmp_path):
    trained, data = connected
    profile, chosen = imported(place_of(name)), settings(name)
    together = PROFILES[name].taken_together

    def profiled(device):
        of, recorded = data.to(device), None
        if PROFILES[name].recorded:
            path, generator = tmp_path / f"{device}.h5", torch.Generator().manual_seed(0)
            copies = noisy_images(data, generator, torch.device(device), **chosen)
            hidden = range(trained.kept.hyperparameters.depth - 1)
            write_activations(path, trained.kept, copies, layers=hidden, samples_per_chunk=8)
            recorded = Activations(path).stacked
        return profile_networks(trained.kept, of, profile, chosen, recorded, together=together)

    with pretended_gpu():
        on_gpu = profiled("cuda")
    pd.testing.assert_frame_equal(on_gpu, profiled("cpu"), rtol=1e-3, atol=1e-5)


def test_records_and_similarities_run_on_a_gpu(connected, tmp_path):
    trained, data = connected

    def compared(device):
        path = tmp_path / f"{device}.h5"
        write_activations(path, trained.kept, data.test_inputs.to(device))
        with Activations(path) as record:
            return pd.concat([
                compare_networks(
                    record,
                    record,
                    imported(place_of(name)),
                    pairs,
                    {key: value for key, value in settings(name).items() if key != "pairs"},
                    kept=trained.kept,
                    asymmetric=one.asymmetric,
                    device=torch.device(device),
                )
                for name, one in SIMILARITIES.items()
                for pairs in ("over_training", "between_seeds", "straight_line")
            ])

    with pretended_gpu():
        on_gpu = compared("cuda")
    pd.testing.assert_frame_equal(on_gpu, compared("cpu"), rtol=1e-3, atol=1e-5)


def test_activations_are_recorded_in_blocks_that_fit(connected, tmp_path, monkeypatch):
    trained, data = connected
    write_activations(tmp_path / "whole.h5", trained.kept, data.test_inputs)
    with pretended_gpu() as gpu, monkeypatch.context() as patched:
        patched.setattr("generalization.activations.items_at_once", lambda *_: 2)
        record = activations._recorded

        def out_of_memory_at_first(*arguments):
            gpu.runs_out = gpu.used() + 40 if gpu.runs_out == 2**40 else gpu.runs_out
            return record(*arguments)

        gpu.runs_out = 2**40
        patched.setattr("generalization.activations._recorded", out_of_memory_at_first)
        write_activations(tmp_path / "blocks.h5", trained.kept, data.test_inputs.to("cuda"))
        assert gpu.runs_out is None
    networks = [(seed, step) for seed in (1, 2) for step in (0, 1)]
    with Activations(tmp_path / "whole.h5") as whole, Activations(tmp_path / "blocks.h5") as parts:
        (shown, layers), (same, others) = whole.stacked(networks), parts.stacked(networks)
    assert_close([shown, *layers], [same, *others])


def test_every_measure_of_pairs_runs_on_a_gpu(connected):
    trained, data = connected
    measures = {name: imported(place_of(name)) for name in ENSEMBLE_MEASURES}
    chosen = {name: settings(name) for name in measures}

    def measured(of):
        return pd.concat([
            table for _, table in measure_pairs(trained.kept, trained.kept, of, measures, chosen)
        ])

    with pretended_gpu():
        on_gpu = measured(data.to("cuda"))
    pd.testing.assert_frame_equal(on_gpu, measured(data), rtol=1e-4)


def test_out_of_memory_is_no_reason_of_a_measure_of_modules(caplog, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent / "training")
    plain = {"dataset": "blobs", "batch_size": 10, "max_steps": 1, "kept_steps": ()}
    hyperparameters = Hyperparameters(**plain, architecture="foreign_modules:linear")
    data, sizes = blobs(train=20, test=9), []
    kept = train_ensemble(data, hyperparameters, (1,)).kept

    def picky(networks, inputs):
        sizes.append(samples_at_once(1024))
        if len(sizes) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return inputs.flatten(1).sum(1)[:1]

    with pretended_gpu():
        ((_, table),) = measure_networks(kept, data.to("cuda"), {"picky": picky}, {"picky": {}})
    assert table["value"].notna().all() and sizes == [1024, 512]
    told = (
        "measure picky needs more memory than the GPU has; it goes on in half of it. CUDA out of "
        "memory."
    )
    assert caplog.messages == [told]
    sizes.clear()
    offered = {"networks": torch.nn.Identity(), "inputs": data.test_inputs}
    row = measured_row("picky", picky, offered["networks"], offered, repeats=1, seed=0)
    assert row["value"] == table["value"][0] and sizes == [1024, 512]
    assert caplog.messages == [told, told]
