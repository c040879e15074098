"""Datasets of images.

Each dataset is a module with a function of the same name, which takes ``data_root`` (a folder of
the user, or None) and returns a :class:`~generalization.datasets.raw_dataset.RawDataset`. It does
not import torch.

Args:
    data_root: Folder with data files of the user; ignored by datasets that are installed.
    name: Name of the dataset.
"""
