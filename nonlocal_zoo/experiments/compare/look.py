"""What a trained network answers, and whom its block listens to, on a few pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.engine.checkpoint import AtomicBackend

from ..visualize.maps import affinity_maps

IGNORE = 255
SMALLEST = 1e-3  # of the picture: a class with less is not worth a query


def look(runner: Runner, indices: list[int], path: Path) -> None:
    """Writes an npz with, for each index into the test set, "<index>/" +

    image (H, W, 3) uint8 RGB; truth and answer (H', W') uint8; query (2,), row and column in
    [0, 1) of the pixel whose neighbours are shown; and affinity (h, w), A's row at that pixel,
    where the network has a block whose nodes are pixels. palette (K, 3) is of the whole set.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    dataset = runner.test_dataloader.dataset
    arrays = {"palette": np.array(dataset.metainfo["palette"], np.uint8)}
    for index in indices:
        sample = dataset[index]
        truth = sample["data_samples"].gt_sem_seg.data[0].numpy()
        query = choose_query(truth)
        with watching(model) as seen:
            answer = model.test_step(pseudo_collate([sample]))[0].pred_sem_seg.data[0]
        arrays |= {
            f"{index}/image": sample["inputs"].permute(1, 2, 0).numpy()[..., ::-1],
            f"{index}/truth": truth.astype(np.uint8),
            f"{index}/answer": answer.cpu().numpy().astype(np.uint8),
            f"{index}/query": query,
        }
        for block, x in seen[:1]:
            if (row := affinity_row(block, x, query)) is not None:
                arrays[f"{index}/affinity"] = row
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    AtomicBackend().put(file.getvalue(), path)


def choose_query(truth: np.ndarray) -> np.ndarray:
    """(2,) in [0, 1): the pixel nearest to the middle of the rarest class that is not tiny."""
    classes, counts = np.unique(truth[truth != IGNORE], return_counts=True)
    large = counts >= SMALLEST * truth.size
    if not large.any():
        return np.array([0.5, 0.5])
    pixels = np.argwhere(truth == classes[large][counts[large].argmin()])
    middle = np.median(pixels, axis=0)
    pixel = pixels[np.square(pixels - middle).sum(1).argmin()]
    return pixel / truth.shape


@contextmanager
def watching(model: nn.Module) -> Iterator[list[tuple[NonLocalBlock, Tensor]]]:
    """Inside it the list gets each block of ``model`` with its input, as they run."""
    seen: list[tuple[NonLocalBlock, Tensor]] = []
    hooks = [
        module.register_forward_pre_hook(lambda block, args: seen.append((block, args[0])))
        for module in model.modules()
        if isinstance(module, NonLocalBlock)
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def affinity_row(block: NonLocalBlock, x: Tensor, query: np.ndarray) -> np.ndarray | None:
    """(h, w) the mean over the block's affinities of |A_ij|, i the pixel at ``query``.

    None where no affinity is between pixels. A is not formed.
    """
    height, width = x.shape[2:]
    node = int(query[0] * height) * width + int(query[1] * width)
    rows = [affinity_maps(operator, [node], (height, width))[0] for operator in block.operators(x)]
    rows = [row[0].abs() for row in rows if row is not None]
    return torch.stack(rows).mean(0).float().cpu().numpy() if rows else None
