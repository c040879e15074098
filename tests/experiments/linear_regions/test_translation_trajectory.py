import numpy as np
import pytest
import torch
from torch import Generator

from generalization.experiments.linear_regions.translation_trajectory import (
    COLUMNS,
    translation_trajectory,
)
from generalization.measures.transitions import transitions_per_layer
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.tables import read_table, write_table


def untrained(widths, activation, count=2):
    generators = [Generator().manual_seed(number) for number in range(count)]
    return initialize_fully_connected(widths, activation, generators)


def random_images(count, channels=1):
    return torch.randn(count, channels, 5, 6, generator=Generator().manual_seed(0))


@pytest.mark.parametrize("activation", ["relu", "hardsigmoid"])
def test_one_row_per_transition_of_the_first_image(activation):
    networks, images = untrained((30, 20, 10, 3), activation), random_images(3)
    table = translation_trajectory(networks, images)
    rows = table[table["kind"] == "transition"]
    counts = transitions_per_layer(networks, images[:1], dtype=torch.float64)[:, 0]
    found = rows.groupby(["network", "layer"]).size().unstack()
    assert found.to_numpy().tolist() == counts.tolist()
    assert rows["position"].between(0, 6).all()
    assert rows.groupby("network")["position"].is_monotonic_increasing.all()


def test_unit_of_the_first_layer_is_at_zero_where_its_transition_is():
    networks, image = untrained((30, 1, 3), "relu", 1), random_images(1)
    table = translation_trajectory(networks, image)
    position = table["position"].dropna().to_numpy()
    weight = networks.weights[0][0, 0].double().numpy().reshape(5, 6)
    vertices = [(weight * np.roll(image.double(), -shift, axis=-1)).sum() for shift in range(7)]
    assert len(position) > 0
    assert np.interp(position, range(7), vertices) == pytest.approx(0, abs=1e-12)


def test_image_is_gray_from_its_minimum_to_its_maximum():
    image = random_images(1, channels=3)
    table = translation_trajectory(untrained((90, 4, 3), "relu"), image)
    gray = image[0].mean(dim=0).numpy()
    scaled = np.round(255 * (gray - gray.min()) / (gray.max() - gray.min()))
    for _, rows in table[table["kind"] == "image"].groupby("network"):
        assert rows["row"].tolist() == list(range(5))
        levels = [list(bytes.fromhex(pixels.removeprefix("0x"))) for pixels in rows["pixels"]]
        assert levels == scaled.tolist()


def test_table_is_read_back_as_it_was_written(tmp_path):
    # The first row of pixels is 0x000000000000, which is not a number.
    image = random_images(1).clamp(min=0)
    image[..., 0, :] = 0
    table = translation_trajectory(untrained((30, 4, 3), "relu"), image)
    write_table(tmp_path / "table.csv", table)
    again = read_table(tmp_path / "table.csv", COLUMNS)
    assert again["pixels"].tolist()[0] == "0x000000000000"
    assert again["position"].equals(table["position"])


def test_tanh_has_an_image_and_no_transitions():
    table = translation_trajectory(untrained((30, 4, 3), "tanh"), random_images(1))
    assert list(table) == COLUMNS
    assert set(table["kind"]) == {"image"}
    assert table["layer"].isna().all()


def test_flat_inputs_are_refused():
    sentence = (
        r"^inputs must be images of shape \(samples, channels, height, width\), not \(1, 30\)\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        translation_trajectory(untrained((30, 4, 3), "relu"), torch.zeros(1, 30))
