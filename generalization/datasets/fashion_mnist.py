"""Fashion-MNIST: articles of clothing."""

from pathlib import Path

from generalization.datasets.idx import idx_dataset
from generalization.datasets.raw_dataset import RawDataset

SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


def fashion_mnist(data_root: Path | None = None) -> RawDataset:
    """Return 60,000 + 10,000 images of 28×28 pixels (Xiao, Rasul, Vollgraf 2017)."""
    return idx_dataset(
        data_root,
        name="fashion_mnist",
        torchvision_class="FashionMNIST",
        sha256=SHA256,
        other_folders=(DEBIAN_FOLDER,),
        advice="install Debian's package dataset-fashion-mnist, or ",
    )
