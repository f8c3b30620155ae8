"""CIFARDataset in both layouts, on a few pictures of each and, where they are, on the real ones."""

import os
import pickle

import numpy as np
import pytest
from small_pictures import draw, dump, names, write_batches, write_mosaics

from nonlocal_zoo.datasets import CIFARDataset

LAYOUTS = {"published": write_batches, "mosaics": write_mosaics}


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


@pytest.mark.parametrize("classes", [10, 100])
def test_pictures_labels_and_names(layout, classes, tmp_path):
    root = LAYOUTS[layout](tmp_path / "cifar", classes)
    dataset = CIFARDataset(str(root), "test", classes)
    seed = {"mosaics": 1, "published": 5 if classes == 10 else 1}[layout]
    images, labels = draw(4, classes, seed)
    assert dataset.metainfo == dict(classes=tuple(names(classes)))
    assert [item["gt_label"] for item in dataset] == labels.tolist()
    for item, image in zip(dataset, images, strict=True):
        assert item["img"].shape == (32, 32, 3) and item["img"].dtype == np.uint8
        wrong = np.abs(item["img"][..., ::-1].astype(int) - image)  # BGR
        assert wrong.max() == 0 if layout == "published" else wrong.mean() < 4


@pytest.mark.parametrize("content", [b'{"grid": 2', b"\xff\xfe"])
def test_a_description_that_is_no_json(tmp_path, content):
    root = write_mosaics(tmp_path / "cifar")
    (root / "meta.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"cifar/meta\.json is no JSON: ") as error:
        CIFARDataset(str(root), "train", 10)
    assert "\n" not in str(error.value)


def test_parts_are_in_order_and_indices_are_the_first(layout, tmp_path):
    root = LAYOUTS[layout](tmp_path / "cifar")
    whole = CIFARDataset(str(root), "train", 10)
    assert len(whole) == {"published": 20, "mosaics": 8}[layout]
    if layout == "published":
        expected = np.concatenate([draw(4, 10, seed)[1] for seed in range(5)])
    else:
        expected = draw(8, 10)[1]
    np.testing.assert_array_equal(whole.labels, expected)
    first = CIFARDataset(str(root), "train", 10, indices=5)
    assert len(first) == 5
    np.testing.assert_array_equal(first.images, whole.images[:5])
    np.testing.assert_array_equal(first.labels, whole.labels[:5])


def test_no_file_is_read_that_is_not_needed(tmp_path):
    root = write_batches(tmp_path / "cifar")
    (root / "data_batch_3").write_bytes(b"damaged")
    assert len(CIFARDataset(str(root), "train", 10, indices=8)) == 8
    with pytest.raises(ValueError, match="data_batch_3 cannot be read"):
        CIFARDataset(str(root), "train", 10, indices=9)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/ran",)

    root = write_batches(tmp_path / "cifar")
    (root / "test_batch").write_bytes(pickle.dumps({b"data": Hostile()}))
    with pytest.raises(ValueError, match=r"test_batch.*names (posix|nt)\.system; allowed are"):
        CIFARDataset(str(root), "test", 10)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(split="val"), "split='val', allowed are train, test"),
        (dict(num_classes=100), "num_classes=100.*has 10 classes"),
        (dict(indices=5), "indices=5; allowed: 1 to 4"),
        (dict(indices=0), "indices=0; allowed: 1 to"),
    ],
)
def test_wrong_arguments(tmp_path, change, words):
    root = write_batches(tmp_path / "cifar")
    arguments = dict(data_root=str(root), split="test", num_classes=10) | change
    with pytest.raises(ValueError, match=words):
        CIFARDataset(**arguments)


def test_missing_folder_says_what_to_set(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path}/nowhere.*NLZ_CIFAR10"):
        CIFARDataset(str(tmp_path / "nowhere"), "train", 10)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 10]}, r"labels \[10\]; allowed"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}, "2 pictures and 1 labels"),
        ({b"data": np.zeros((2, 3000), np.uint8), b"labels": [0, 1]}, "no pictures of 32 x 32"),
        ({b"data": np.zeros((2, 3072), np.uint8)}, "no pictures of 32 x 32 with labels"),
        ([1, 2], "no pictures of 32 x 32"),
    ],
)
def test_wrong_content_names_the_file(tmp_path, content, words):
    root = write_batches(tmp_path / "cifar")
    dump(content, root / "test_batch")
    with pytest.raises(ValueError, match=f"test_batch.*{words}"):
        CIFARDataset(str(root), "test", 10)


@pytest.mark.parametrize("damage", [b"no picture", None])
def test_damaged_mosaics_name_the_file(tmp_path, damage):
    root = write_mosaics(tmp_path / "cifar")
    path = root / "test_00.avif"
    path.write_bytes(path.read_bytes()[:200] if damage is None else damage)
    with pytest.raises(ValueError, match=r"test_00\.avif is no picture of 2 x 2 tiles"):
        CIFARDataset(str(root), "test", 10)


@pytest.mark.parametrize(("variable", "classes"), [("NLZ_CIFAR10", 10), ("NLZ_CIFAR100", 100)])
def test_real_files(variable, classes):
    if variable not in os.environ:
        pytest.skip(f"set {variable} to the data set")
    dataset = CIFARDataset(os.environ[variable], "test", classes)
    assert dataset.images.shape == (10000, 32, 32, 3)
    np.testing.assert_array_equal(np.bincount(dataset.labels), 10000 // classes)
    mean = {10: [0.4942, 0.4851, 0.4504], 100: [0.5088, 0.4874, 0.4419]}[classes]
    np.testing.assert_allclose(dataset.images.mean((0, 1, 2)) / 255, mean, atol=4e-3)  # AVIF's too
    assert len(set(dataset.metainfo["classes"])) == classes
