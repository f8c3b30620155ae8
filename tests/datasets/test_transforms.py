"""Augmentation of classifiers: every result that there may be, and how often."""

import math

import numpy as np
import pytest

from nonlocal_zoo.datasets import PackClass, RandomResizedCrop, RandomShift, ShrinkLabels


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(0)


def test_shifts_are_all_alike_and_zero_comes_in():
    image = np.arange(1, 5 * 4 * 3 + 1, dtype=np.uint8).reshape(5, 4, 3)
    original, counts = image.copy(), {}
    for _ in range(2000):
        moved = RandomShift(2).transform(dict(img=image))["img"]
        fits = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if np.array_equal(moved, shifted(image, dy, dx))
        ]
        assert len(fits) == 1
        counts[fits[0]] = counts.get(fits[0], 0) + 1
    assert len(counts) == 25
    assert all(abs(count - 80) < 5 * math.sqrt(80) for count in counts.values())
    assert np.array_equal(image, original)


def shifted(image, dy, dx):
    """moved[y, x] = image[y - dy, x - dx], zero outside."""
    height, width = image.shape[:2]
    moved = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            if 0 <= y - dy < height and 0 <= x - dx < width:
                moved[y, x] = image[y - dy, x - dx]
    return moved


def rectangles(crop, rows, columns, count=3000):
    return np.array([crop._rectangle(rows, columns) for _ in range(count)]).T


def test_rectangles_are_in_the_picture_with_the_areas_and_ratios_asked_for():
    y, x, height, width = rectangles(RandomResizedCrop(8, area=(0.1, 0.5)), 300, 400)
    assert (min(y), max(y + height)) == (0, 300)  # and up to the border
    assert (min(x), max(x + width)) == (0, 400)
    share, ratio = height * width / 120000, width / height
    assert 0.095 < share.min() < 0.12 and 0.48 < share.max() < 0.505
    assert 0.74 < ratio.min() < 0.77 and 1.3 < ratio.max() < 1.35
    assert abs(np.log(ratio).mean()) < 0.02  # as often tall as wide
    assert abs(share.mean() - 0.3) < 0.01  # uniform
    assert len(set(y.tolist())) > 100 and len(set(x.tolist())) > 100


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [(100, 400, (0, 134, 100, 133)), (400, 100, (134, 0, 133, 100)), (60, 60, (0, 0, 60, 60))],
)
def test_where_nothing_fits_the_largest_in_the_middle(rows, columns, expected):
    crop = RandomResizedCrop(8, area=(9.0, 9.0))
    y, x, height, width = crop._rectangle(rows, columns)
    assert (height, width) == expected[2:]
    assert abs(y - expected[0]) <= 1 and abs(x - expected[1]) <= 1


def test_what_is_cut_out_becomes_the_size_asked_for():
    """A picture of two halves: the crop is of one, or has both in order."""
    image = np.zeros((60, 80, 3), np.uint8)
    image[:, 40:] = 200
    for _ in range(50):
        small = RandomResizedCrop((6, 10)).transform(dict(img=image))["img"]
        assert small.shape == (6, 10, 3) and small.dtype == np.uint8
        assert (np.diff(small[..., 0].astype(int), axis=1) >= 0).all()


def test_packed_for_the_network():
    image = np.random.randint(0, 255, (4, 5, 3), np.uint8)
    packed = PackClass().transform(dict(img=image, gt_label=7))
    assert packed["data_samples"] == 7 and packed["inputs"].shape == (3, 4, 5)
    for channel in range(3):  # RGB
        assert np.array_equal(packed["inputs"][channel].numpy(), image[..., 2 - channel])


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_labels_are_taken_from_the_middle_of_their_cells(stride):
    labels = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)
    image = np.zeros((12, 20, 3), np.uint8)
    results = ShrinkLabels(stride).transform(dict(gt_seg_map=labels, img=image))
    shrunk = results["gt_seg_map"]
    assert shrunk.shape == (
        len(range(stride // 2, 12, stride)),
        len(range(stride // 2, 20, stride)),
    )
    for i, j in np.ndindex(shrunk.shape):
        assert shrunk[i, j] == labels[i * stride + stride // 2, j * stride + stride // 2]
    assert results["img"] is image and shrunk.flags.c_contiguous


def test_a_stride_of_labels_below_one_is_refused():
    with pytest.raises(ValueError, match="stride=0; allowed are 1, 2"):
        ShrinkLabels(0)


def test_rectangles_that_are_wide():
    """Width over height, and not the other way."""
    _, _, height, width = rectangles(RandomResizedCrop(8, area=(0.1, 0.3), ratio=(2, 3)), 300, 400)
    assert 1.9 < (width / height).min() < 2.1 and 2.9 < (width / height).max() < 3.1
