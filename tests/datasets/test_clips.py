"""EarlierFrameDataset: what is drawn, and what who looks at few frames can know of it."""

import numpy as np
import pytest
import torch

from nonlocal_zoo.datasets import EarlierFrameDataset
from nonlocal_zoo.datasets.clips import FRAMES, GAP, SIDE, draw_clip
from nonlocal_zoo.datasets.scene import COLOURS


@pytest.mark.parametrize("cues", [1, 2, 4])
def test_colours_are_shown_in_early_frames_and_each_is_the_answer_once(cues):
    for scene in range(20):
        drawn = [draw_clip(0, "val", 4 * scene + turn, cues) for turn in range(4)]
        clips, labels = [clip for clip, _ in drawn], [label for _, label in drawn]
        assert sorted(labels) == [0, 1, 2, 3]
        differ = np.any([clip != clips[0] for clip in clips[1:]], axis=(0, 2, 3, 4))
        assert not differ[FRAMES - GAP :].any() and differ.sum() == cues


def test_one_cue_has_the_colour_of_the_label():
    for index in range(40):
        clip, label = draw_clip(0, "train", index, 1)
        turned, _ = draw_clip(0, "train", index - index % 4 + (index + 1) % 4, 1)
        cue = (clip != turned).any(-1).reshape(-1)
        brightest = np.quantile(clip.reshape(-1, 3)[cue], 0.9, axis=0)
        distances = np.linalg.norm(COLOURS - brightest, axis=1)
        assert distances.argmin() == label


def test_of_two_cues_the_one_with_the_stripes_of_the_disc_counts():
    """Found by the Fourier transform: stripes of period 6 have their peaks at 1/6 along a line."""

    def stripes(frame):
        grey = frame.mean(-1) - frame.mean()
        spectrum = np.abs(np.fft.fft2(grey, (6 * SIDE, 6 * SIDE)))
        peak = SIDE  # of 6 * SIDE: a sixth
        return [spectrum[y * peak, x * peak] for y, x in ((0, 1), (1, 0), (1, 1), (1, -1))]

    right = 0
    for index in range(0, 160, 4):
        clip, label = draw_clip(1, "val", index, 2)
        background = clip[GAP:-1].mean()
        frames = sorted(range(FRAMES - GAP), key=lambda k: -np.abs(clip[k] - background).mean())[:2]
        asked = int(np.argmax(stripes(clip[-1])))
        shown = max(frames, key=lambda k: stripes(clip[k])[asked] / max(stripes(clip[k])))
        other, _ = draw_clip(1, "val", index + 1, 2)
        cue = (clip[shown] != other[shown]).any(-1)
        brightest = np.quantile(clip[shown][cue], 0.9, axis=0)
        right += np.linalg.norm(COLOURS - brightest, axis=1).argmin() == label
    assert right >= 34, f"{right} of 40"


def test_an_item_and_its_set():
    dataset = EarlierFrameDataset("val", 8, cues=2, seed=1)
    assert len(dataset) == 8 and dataset.metainfo["classes"] == ("red", "green", "blue", "yellow")
    clip, label = draw_clip(1, "val", 5, 2)
    item = dataset[5]
    assert item["inputs"].dtype is torch.uint8 and item["data_samples"] == label
    assert np.array_equal(item["inputs"].permute(1, 2, 3, 0).numpy(), clip)
    assert not np.array_equal(clip, draw_clip(0, "val", 5, 2)[0])
    assert not np.array_equal(clip, draw_clip(1, "train", 5, 2)[0])
    with pytest.raises(IndexError, match="index=8; the set has 8 clips"):
        dataset[8]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (dict(split="test"), "split='test', allowed are train, val"),
        (dict(size=10), "size=10, allowed are multiples of 4"),
        (dict(size=0), "size=0, allowed are multiples of 4"),
        (dict(cues=5), "cues=5, allowed are 1..4"),
        (dict(cues=0), "cues=0, allowed are 1..4"),
        (dict(seed=-1), "seed=-1, allowed are 0, 1, 2"),
    ],
)
def test_bad_arguments_are_named(argument, message):
    with pytest.raises(ValueError, match=message):
        EarlierFrameDataset(**(dict(split="val", size=8) | argument))
