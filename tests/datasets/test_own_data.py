import numpy as np
import pytest
import torch
from PIL import Image

from generalization.datasets.own_data import own_data
from generalization.errors import InputError


@pytest.fixture
def arrays():
    generator = np.random.default_rng(0)
    return generator.random((6, 1, 4, 4), np.float32), np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("names", [("inputs", "labels"), ("x", "y"), ("images", "label")])
def test_arrays(tmp_path, arrays, names):
    np.savez(tmp_path / "data.npz", **dict(zip(names, arrays, strict=True)))
    inputs, labels = own_data(str(tmp_path / "data.npz"))
    assert torch.equal(inputs, torch.tensor(arrays[0])) and labels.tolist() == list(arrays[1])
    assert inputs.dtype == torch.float32 and labels.dtype == torch.int64


def test_a_table_with_a_column_of_labels(tmp_path):
    (tmp_path / "data.csv").write_text("a,label,b\n1,0,2\n3,1,4\n")
    inputs, labels = own_data(str(tmp_path / "data.csv"))
    assert inputs.tolist() == [[1, 2], [3, 4]] and labels.tolist() == [0, 1]


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_folders_of_images(tmp_path, mode, channels):
    for name, value in (("cat", 255), ("dog", 51)):
        (tmp_path / name).mkdir()
        Image.new(mode, (5, 4), (value,) * channels if channels > 1 else value).save(
            tmp_path / name / "0.png"
        )
    inputs, labels = own_data(str(tmp_path))
    assert inputs.shape == (2, channels, 4, 5)
    assert inputs[0].unique().tolist() == [1] and labels.tolist() == [0, 1]
    assert inputs[1].unique().item() == pytest.approx(0.2)


@pytest.mark.parametrize("returned", ["pair", "dataset"])
def test_a_function(tmp_path, monkeypatch, arrays, returned):
    np.savez(tmp_path / "data.npz", x=arrays[0], y=arrays[1])
    (tmp_path / f"own_{returned}.py").write_text(f"""
import numpy as np, torch
from torch.utils.data import TensorDataset
def read():
    with np.load({str(tmp_path / "data.npz")!r}) as data:
        x, y = torch.tensor(data["x"]), torch.tensor(data["y"])
    return (x, y) if {returned == "pair"} else TensorDataset(x, y)
""")
    monkeypatch.syspath_prepend(tmp_path)
    inputs, labels = own_data(f"own_{returned}:read")
    assert torch.equal(inputs, torch.tensor(arrays[0])) and labels.tolist() == list(arrays[1])


def test_objects_in_a_file_are_not_unpickled(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, inputs=np.array([{}], object), labels=[0])
    with pytest.raises(InputError, match=rf"^{path} must be a .npz file of plain arrays, but: "):
        own_data(str(path))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"inputs": [[1.0]]}, "must have an array labels or y or label; its arrays are inputs."),
        (
            {"inputs": [[1.0], [2.0]], "labels": [0]},
            "must have one integer label per input, not labels of torch.int64 and shape (1,) for "
            "2 inputs.",
        ),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0, int)}, "must have at least one input, not none."),
    ],
)
def test_data_that_are_none(tmp_path, content, sentence):
    path = tmp_path / "data.npz"
    np.savez(path, **content)
    with pytest.raises(InputError) as error:
        own_data(str(path))
    assert str(error.value) == f"{path} {sentence}"


def test_a_source_that_is_nothing_at_all():
    with pytest.raises(InputError) as error:
        own_data("nothing")
    assert str(error.value) == "data must be package.module:function, not 'nothing'."
    with pytest.raises(InputError, match=r"^data must be importable, but 'no_such:one' is not: "):
        own_data("no_such:one")
