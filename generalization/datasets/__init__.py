"""Datasets of images.

A dataset is a module with a function of the same name, from ``data_root`` (a folder of the user,
or None) to a :class:`~generalization.datasets.raw_dataset.RawDataset`. It imports no torch.

Args:
    data_root: Folder with files of the user, which not every dataset reads.
    name: Of the dataset.
"""
