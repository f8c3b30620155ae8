"""Draws the pictures of the long-range set: what a region is called is shown far away from it."""

import numpy as np

HEIGHT, WIDTH = 64, 160
COLOURS = np.array([[220, 60, 50], [60, 180, 75], [50, 100, 225], [235, 200, 40]])  # RGB
CLASSES = ("red", "green", "blue", "yellow")
GAP = 68  # pixels at least, from any pixel of a region to the nearest one of a cue
IGNORE = 255
SPLITS = ("train", "val")
PERIOD = 6  # pixels, of the stripes
_BAND = (WIDTH - GAP) // 2  # cues keep to one outer band of columns, regions to the other


def draw_scene(seed: int, split: str, index: int, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """One picture and its labels, the same for the same arguments in any process.

    Coloured squares (cues) stand at one side, grey discs (regions) at the other, ``pairs`` of
    each. Both carry a pattern; the label of a region is the colour of the cue with the same
    pattern. Which side, the order from top to bottom, sizes, patterns, background and noise are
    random.

    Indices 4g .. 4g + 3 are one scene with the colours of its cues turned round the four classes:
    these pictures are the same pixel for pixel outside the cues, and each region takes each label
    once. Whatever looks at nothing within ``GAP`` pixels of a region but the region's side
    therefore answers the same four times, and is right in *exactly* one quarter of the pixels.
    Colours within a picture differ, and patterns say nothing about them: who sees all the colours
    but cannot match patterns is right in at most 1/pairs of the pixels on average.

    Returns:
        image (64, 160, 3) uint8, RGB; labels (64, 160) uint8: class on regions, else 255.

    Raises:
        ValueError: unknown split, negative index, or ``pairs`` not in 1..4.
    """
    check_drawing("draw_scene", split, index, pairs=pairs)
    scene, turn = divmod(index, len(COLOURS))
    rng = np.random.default_rng((seed, SPLITS.index(split), scene, pairs))

    image = _background(rng)
    labels = np.full((HEIGHT, WIDTH), IGNORE, dtype=np.uint8)
    classes = (rng.permutation(len(COLOURS))[:pairs] + turn) % len(COLOURS)
    patterns = rng.permutation(len(_PATTERNS))[:pairs]
    cue_rows, region_rows = rng.permutation(pairs), rng.permutation(pairs)
    cues_left = rng.random() < 0.5
    grey = rng.uniform(110, 190)
    for name, pattern, cue_row, region_row in zip(
        classes, patterns, cue_rows, region_rows, strict=True
    ):
        inside = _place(rng, cue_row, pairs, cues_left, square=True)
        image[inside] = (COLOURS[name] * texture(rng, _PATTERNS[pattern])[..., None])[inside]
        inside = _place(rng, region_row, pairs, not cues_left, square=False)
        image[inside] = (grey * texture(rng, _PATTERNS[pattern]))[inside, None]
        labels[inside] = name
    image += rng.normal(0, 12, image.shape)
    return image.clip(0, 255).astype(np.uint8), labels


def check_drawing(drawer: str, split: str, index: int, **count: int) -> None:
    """Raises ValueError for what ``drawer`` does not draw; ``count`` is its number of colours."""
    if split not in SPLITS:
        raise ValueError(f"{drawer}: split={split!r}, allowed are {', '.join(SPLITS)}")
    if index < 0:
        raise ValueError(f"{drawer}: index={index}, allowed are 0, 1, 2, ...")
    for name, value in count.items():
        if value not in range(1, len(COLOURS) + 1):
            raise ValueError(f"{drawer}: {name}={value!r}, allowed are 1..{len(COLOURS)}")


def check_set(label: str, size: int, seed: int) -> None:
    """Raises ValueError for a size without whole groups of colourings, or a negative seed."""
    if size <= 0 or size % len(CLASSES):
        raise ValueError(f"{label}: size={size}, allowed are multiples of {len(CLASSES)}")
    if seed < 0:
        raise ValueError(f"{label}: seed={seed}, allowed are 0, 1, 2, ...")


def stripes(height: int, width: int) -> tuple[np.ndarray, ...]:
    """Four kinds: (height, width) numbers, along whose level lines the stripes run."""
    y, x = np.mgrid[:height, :width]
    return x, y, x + y, x - y


def texture(rng: np.random.Generator, stripe: np.ndarray) -> np.ndarray:
    """Factors that dim a colour into stripes of period 6, with random phase."""
    return np.where((stripe + rng.integers(PERIOD)) % PERIOD < PERIOD // 2, 1.0, 0.45)


_X, _Y, *_ = _PATTERNS = stripes(HEIGHT, WIDTH)


def _background(rng: np.random.Generator) -> np.ndarray:
    """(64, 160, 3) slow waves of faint colour around a random brightness."""
    image = np.full((HEIGHT, WIDTH, 3), rng.uniform(70, 180))
    for _ in range(3):
        fy, fx = rng.uniform(-0.1, 0.1, 2)
        image += np.sin(fy * _Y + fx * _X + rng.uniform(0, 6.28))[..., None] * rng.normal(0, 14, 3)
    return image


def _place(rng: np.random.Generator, row: int, rows: int, left: bool, square: bool) -> np.ndarray:
    """(64, 160) bool: a random square or disc within one of ``rows`` rows of the outer band."""
    slot = HEIGHT // rows
    radius = rng.uniform(5, min(10, slot / 2 - 1))
    y = rng.uniform(row * slot + radius, (row + 1) * slot - 1 - radius)
    x = rng.uniform(radius, _BAND - 1 - radius) + (0 if left else WIDTH - _BAND)
    dy, dx = np.abs(_Y - y), np.abs(_X - x)
    return np.maximum(dy, dx) <= radius if square else np.hypot(dy, dx) <= radius
