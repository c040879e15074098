import h5py
import pytest
import torch
from oracles.convolutions import hyperparameters_of, kept_convolutions
from oracles.made_up import kept
from oracles.slow_trainer import network_of

from generalization.activations import Activations, layer_activations, write_activations
from generalization.devices import origin
from generalization.errors import InputError

IMAGES = torch.randn(7, 2, 9, 8, generator=torch.Generator().manual_seed(0))
HYPERPARAMETERS = hyperparameters_of(
    "convolutional, pooled", activation="tanh", normalization="batch", biases=True
)
INPUTS = torch.randn(11, 1, 2, 3, generator=torch.Generator().manual_seed(0))


def as_it_was(networks, kept_step, position):
    """The stack of the kept step at which a network was at that step for the first time."""
    steps = [steps[position] for steps in networks.steps]
    return networks.networks[steps.index(steps[kept_step])]


@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("kind", ["activations", "preactivations"])
def test_what_is_read_is_what_the_networks_say(tmp_path, kind, compression, normalization):
    path = tmp_path / "activations.h5"
    networks = kept(biases=True, normalization=normalization)
    write_activations(path, networks, INPUTS, kind=kind, compression=compression)
    with Activations(path) as activations:
        assert (activations.kind, activations.layers) == (kind, [0, 1, 2])
        assert activations.ensemble == networks.hyperparameters.name
        assert activations.steps == [[0, 0], [8, 8], [30, 8]]
        for kept_step in range(3):
            for position, seed in enumerate(networks.seeds):
                z = as_it_was(networks, kept_step, position).preactivations(INPUTS)
                for layer in range(3):
                    expected = z[layer][position]
                    if kind == "activations" and layer < 2:
                        expected = expected.clamp(0, 6)
                    read = activations.read(layer=layer, seed=seed, kept_step=kept_step)
                    torch.testing.assert_close(torch.from_numpy(read), expected)


def test_only_what_is_asked_for_is_recorded_and_read(tmp_path):
    path = tmp_path / "activations.h5"
    networks = kept()
    write_activations(path, networks, INPUTS, layers=[1])
    whole = layer_activations(networks.networks[-1], INPUTS)[1][0]
    with Activations(path) as activations:
        assert activations.layers == [1]
        read = activations.read(layer=1, seed=1, samples=slice(2, 5))
    assert torch.equal(torch.from_numpy(read), whole[2:5])
    with h5py.File(path) as file:
        assert file["layers/1"].shape == (3, 2, 11, 5)
        assert file["layers/1"].chunks == (1, 1, 11, 5)


def test_record_tells_on_what_it_was_computed(tmp_path):
    write_activations(tmp_path / "activations.h5", kept(), INPUTS)
    with Activations(tmp_path / "activations.h5") as activations:
        assert activations.made_on == origin(torch.device("cpu"))


@pytest.mark.parametrize("samples_per_chunk", [1, 4, 11, 20])
def test_chunks_change_nothing_that_is_read(tmp_path, samples_per_chunk):
    paths = [tmp_path / "whole.h5", tmp_path / "chunks.h5"]
    write_activations(paths[0], kept(), INPUTS)
    write_activations(paths[1], kept(), INPUTS, samples_per_chunk=samples_per_chunk)
    with Activations(paths[0]) as whole, Activations(paths[1]) as chunks:
        assert whole.inputs_hash == chunks.inputs_hash
        for layer in range(3):
            read = (record.read(layer=layer, seed=2, kept_step=1) for record in (chunks, whole))
            torch.testing.assert_close(*map(torch.from_numpy, read))
    with h5py.File(paths[1]) as file:
        assert file["layers/1"].chunks == (1, 1, min(samples_per_chunk, 11), 5)


def test_network_that_was_done_takes_no_room_again(tmp_path):
    path = tmp_path / "activations.h5"
    write_activations(path, kept(), INPUTS)
    with h5py.File(path) as file:
        # Three kept steps of two networks, of which one was done at the second.
        assert file["layers/0"].id.get_num_chunks() == 5
    with Activations(path) as activations:
        done, last = (activations.read(layer=0, seed=2, kept_step=step) for step in (1, 2))
    assert (done == last).all()


def test_stack_of_some_networks_is_read_with_its_inputs(tmp_path):
    path = tmp_path / "activations.h5"
    write_activations(path, kept(), INPUTS)
    with Activations(path) as activations:
        inputs, layers = activations.stacked([(2, 0), (1, 2)], slice(3, 8))
    assert torch.equal(inputs, INPUTS[3:8])
    for layer, values in enumerate(layers):
        for place, (position, kept_step) in enumerate([(1, 0), (0, 2)]):
            whole = layer_activations(kept().networks[kept_step], INPUTS)[layer]
            torch.testing.assert_close(values[place], whole[position, 3:8])


def test_layers_and_seeds_that_are_not_there_are_named(tmp_path):
    path = tmp_path / "activations.h5"
    with pytest.raises(InputError, match=r"^layers must be from 0 to 2, not \[3\]\.$"):
        write_activations(path, kept(), INPUTS, layers=[0, 3])
    assert list(tmp_path.iterdir()) == []
    write_activations(path, kept(), INPUTS, layers=[0])
    with Activations(path) as activations:
        with pytest.raises(InputError, match=r"^layer must be one of \[0\], not 1\.$"):
            activations.read(layer=1, seed=1)
        with pytest.raises(InputError, match=r"^seed must be one of \[1, 2\], not 3\.$"):
            activations.read(layer=0, seed=3)


def test_damaged_file_is_reported_in_one_sentence(tmp_path):
    path = tmp_path / "activations.h5"
    write_activations(path, kept(), INPUTS)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(
        InputError,
        match=rf"^activations must be a whole HDF5 file of this project, not '{path}' \(",
    ):
        Activations(path)


@pytest.mark.parametrize("kind", ["activations", "preactivations"])
def test_channels_height_and_width_of_convolutions_are_recorded(tmp_path, kind):
    path, networks = tmp_path / "activations.h5", kept_convolutions(HYPERPARAMETERS)
    write_activations(path, networks, IMAGES, kind=kind)
    with h5py.File(path) as file:
        assert file["layers/0"].shape == (3, 2, 7, 3, 7, 6)
        assert file["layers/2"].shape == (3, 2, 7, 60)
        assert file["layers/3"].shape == (3, 2, 7, 3)
    told = []
    module = network_of(as_it_was(networks, 2, 1)[[1]], HYPERPARAMETERS).eval()
    for layer in module:
        if isinstance(layer, torch.nn.Tanh):
            layer.register_forward_hook(
                lambda _, entered, left: told.append(left if kind == "activations" else entered[0])
            )
    logits = module(IMAGES)
    with Activations(path) as activations:
        for layer, expected in enumerate([*told, logits]):
            read = activations.read(layer=layer, seed=2)
            torch.testing.assert_close(
                torch.from_numpy(read), expected.detach(), rtol=1e-4, atol=1e-5
            )
