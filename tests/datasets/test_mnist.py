from pathlib import Path

from generalization.datasets import mnist as module


def test_mnist_is_read_from_data_root(tmp_path, write_idx, idx_sha256, idx_arrays, monkeypatch):
    write_idx(tmp_path / "MNIST" / "raw")
    monkeypatch.setattr(module, "SHA256", idx_sha256)
    monkeypatch.setenv("HOME", str(tmp_path))
    raw = module.mnist(Path("~"))
    assert raw.test_labels.tolist() == idx_arrays[3].tolist()
    assert raw.classes == 10
