"""The scenes: labels are the colours of far cues, and nothing near a region tells them."""

import numpy as np
import pytest

from nonlocal_zoo.datasets.scene import CLASSES, COLOURS, GAP, HEIGHT, IGNORE, draw_scene


@pytest.mark.parametrize("pairs", [1, 2, 3, 4])
def test_the_four_colourings_differ_in_far_cues_alone(pairs: int) -> None:
    for scene in range(25):
        images, labels = zip(
            *(draw_scene(0, "train", 4 * scene + turn, pairs) for turn in range(4)), strict=True
        )
        region = labels[0] != IGNORE
        given = np.stack(labels)[:, region]
        assert (np.sort(given, axis=0) == np.arange(len(CLASSES))[:, None]).all()
        assert len(np.unique(given[0])) == pairs
        cue = np.ptp(np.stack(images).astype(int), axis=0).any(axis=-1)
        assert cue.any()
        columns, region_columns = np.flatnonzero(cue.any(0)), np.flatnonzero(region.any(0))
        assert np.abs(columns[:, None] - region_columns).min() >= GAP


def pattern(image: np.ndarray, inside: np.ndarray) -> int:
    """Which of the four directions of stripes of period 6 is the strongest in a masked area."""
    grey = np.where(inside, image.mean(-1) - image[inside].mean(), 0)
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
    waves = (np.exp(2j * np.pi * along / 6) for along in (x, y, x + y, x - y))
    return int(np.argmax([abs((grey * wave).sum()) for wave in waves]))


@pytest.mark.parametrize("pairs", [1, 2, 3, 4])
def test_label_is_the_colour_of_the_cue_with_the_same_pattern(pairs: int) -> None:
    colours = COLOURS / np.linalg.norm(COLOURS, axis=1, keepdims=True)
    for scene in range(20):
        turns = [draw_scene(3, "train", 4 * scene + turn, pairs) for turn in range(4)]
        image, labels = turns[0]
        cue = np.ptp([picture for picture, _ in turns], axis=0).any(-1)
        shown, asked = {}, {}
        for rows in np.split(np.arange(HEIGHT // pairs * pairs), pairs):  # one of each in a row
            inside = cue[rows]
            colour = (colours @ image[rows][inside].mean(0)).argmax()
            shown[pattern(image[rows], inside)] = colour
            inside = labels[rows] != IGNORE
            asked[pattern(image[rows], inside)] = labels[rows][inside][0]
        assert shown == asked and len(asked) == pairs
