import numpy as np
import torchvision

from generalization.datasets.cifar100 import cifar100


def test_fine_labels_are_read(tmp_path, write_cifar, without_md5):
    cifar = torchvision.datasets.CIFAR100
    rows, labels = write_cifar(cifar, tmp_path / "cifar-100-python", "fine_labels")
    without_md5(cifar)
    raw = cifar100(tmp_path)
    np.testing.assert_array_equal(raw.train_images, rows[:2].reshape(-1, 3, 32, 32))
    assert raw.test_labels.tolist() == labels[2:].tolist()
    assert raw.classes == 100
