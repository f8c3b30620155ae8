"""Short clips made from a seed: what the last frame asks was shown some frames before it."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.registry import DATASETS
from torch import Tensor
from torch.utils.data import Dataset

from .scene import CLASSES, COLOURS, SPLITS, check_drawing, check_set, stripes, texture

FRAMES, SIDE = 8, 32
GAP = 4  # frames at least, from a cue to the question


@DATASETS.register_module()
class EarlierFrameDataset(Dataset):
    """Clips of 8 frames of 32 x 32 pixels; the class is the colour that an earlier frame shows.

    See ``draw_clip`` for what is drawn, and for why a network whose answer comes from the last
    frame, and sees less than ``GAP`` = 4 frames back, is right in exactly 25 % of the clips.

    An item is dict(inputs (3, 8, 32, 32) uint8 RGB, data_samples int). Nothing is kept: each read
    draws the clip anew, so workers and reruns agree.

    Args:
        split: "train" or "val"; other clips in each.
        size: number of clips, a multiple of 4 (a clip is shown with four colourings).
        cues: 1..4 coloured squares. With one its colour is the answer; with more the pattern of
            the question says which of them counts.
        seed: chooses the set; the same seed gives the same clips.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(self, split: str, size: int, cues: int = 1, seed: int = 0) -> None:
        check_set("EarlierFrameDataset", size, seed)
        draw_clip(seed, split, 0, cues)  # bad split or cues: an error now, not in a worker
        self.split, self.size, self.cues, self.seed = split, size, cues, seed
        self.metainfo = dict(classes=CLASSES)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Tensor | int]:
        if not 0 <= index < self.size:
            raise IndexError(f"index={index}; the set has {self.size} clips")
        clip, label = draw_clip(self.seed, self.split, index, self.cues)
        return dict(inputs=torch.from_numpy(clip).movedim(-1, 0).contiguous(), data_samples=label)


def draw_clip(seed: int, split: str, index: int, cues: int) -> tuple[np.ndarray, int]:
    """One clip and its class, the same for the same arguments in any process.

    Each cue is a striped square of a colour of its own, in one of the frames 0 .. 3 and in no
    other. The last frame, 7, shows a grey striped disc: the class is the colour of the cue with
    the same stripes. Places, sizes, stripes, frames, background and noise are random.

    Indices 4g .. 4g + 3 are one clip with the colours of its cues turned round the four classes:
    the same pixel for pixel outside the cues, and each of the four is the answer once. Whatever
    does not see the frames of the cues answers the same four times, and is right exactly once.
    Colours within a clip differ, and stripes say nothing about them: who sees all the colours but
    cannot match stripes is right in at most 1/cues of the clips on average.

    Returns:
        clip (8, 32, 32, 3) uint8, RGB; class, 0..3.

    Raises:
        ValueError: unknown split, negative index, or ``cues`` not in 1..4.
    """
    check_drawing("draw_clip", split, index, cues=cues)
    scene, turn = divmod(index, len(COLOURS))
    rng = np.random.default_rng((seed, SPLITS.index(split), scene, cues))

    clip = _background(rng)
    classes = (rng.permutation(len(COLOURS))[:cues] + turn) % len(COLOURS)
    kinds = rng.permutation(len(_STRIPES))[:cues]
    frames = rng.permutation(FRAMES - GAP)[:cues]
    for name, kind, frame in zip(classes, kinds, frames, strict=True):
        square = _place(rng, np.maximum)
        clip[frame][square] = (COLOURS[name] * texture(rng, _STRIPES[kind])[..., None])[square]
    disc = _place(rng, np.hypot)
    clip[-1][disc] = (rng.uniform(110, 190) * texture(rng, _STRIPES[kinds[0]]))[disc, None]
    clip += rng.normal(0, 12, clip.shape)
    return clip.clip(0, 255).astype(np.uint8), int(classes[0])


_X, _Y, *_ = _STRIPES = stripes(SIDE, SIDE)


def _background(rng: np.random.Generator) -> np.ndarray:
    """(8, 32, 32, 3): a faint wave of colour that drifts from frame to frame."""
    fy, fx, drift = *rng.uniform(-0.2, 0.2, 2), rng.uniform(-1, 1)
    time = np.arange(FRAMES)[:, None, None]
    wave = np.sin(fy * _Y + fx * _X + drift * time + rng.uniform(0, 6.28))
    return rng.uniform(70, 180) + wave[..., None] * rng.normal(0, 14, 3)


def _place(rng: np.random.Generator, distance: np.ufunc) -> np.ndarray:
    """(32, 32) bool: a random square (``np.maximum``) or disc (``np.hypot``)."""
    radius = rng.uniform(6, 10)
    y, x = rng.uniform(radius, SIDE - 1 - radius, 2)
    return distance(np.abs(_Y - y), np.abs(_X - x)) <= radius
