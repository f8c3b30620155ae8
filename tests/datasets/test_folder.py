"""ImageFolderDataset on a few pictures in folders."""

import os

import pytest
from small_pictures import names, write_folder

from nonlocal_zoo.datasets import ImageFolderDataset


def test_pictures_class_by_class(tmp_path, monkeypatch):
    scandir = os.scandir  # whose order is the disk's
    monkeypatch.setattr(os, "scandir", lambda path: reversed(sorted(scandir(path), key=str)))
    root = write_folder(tmp_path / "pictures", classes=3, count=2)
    (root / "val/class1/notes.txt").write_text("no picture")
    dataset = ImageFolderDataset(str(root), "val", 3, [dict(type="LoadImageFromFile")])
    assert dataset.metainfo["classes"] == tuple(names(3))
    assert [item["gt_label"] for item in dataset] == [0, 0, 1, 1, 2, 2]
    stems = [item["img_path"].split("/")[-2:] for item in dataset]
    assert stems == [[f"class{k}", f"{i}.JPEG"] for k in range(3) for i in range(2)]
    assert all(item["img"].shape == (40, 50, 3) for item in dataset)
    assert len(ImageFolderDataset(str(root), "train", 3, indices=4)) == 4


def test_refusals(tmp_path):
    root = write_folder(tmp_path / "pictures")
    with pytest.raises(ValueError, match=r"num_classes=1000, but .*train has 3 folders"):
        ImageFolderDataset(str(root), "train", 1000)
    with pytest.raises(FileNotFoundError, match=r"no folder 'test' in it.*NLZ_IMAGENET"):
        ImageFolderDataset(str(root), "test", 3)
    for picture in (root / "val/class2").iterdir():
        picture.unlink()
    with pytest.raises(ValueError, match=r"class2 has no picture \(\.jpeg"):
        len(ImageFolderDataset(str(root), "val", 3))
