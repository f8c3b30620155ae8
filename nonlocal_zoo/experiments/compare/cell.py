"""One training of a comparison: a block, a seed, a folder."""

from __future__ import annotations

import difflib
import json
import pprint
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from nonlocal_zoo import atomic
from nonlocal_zoo.engine.config import ConfigError
from nonlocal_zoo.engine.curves import read_scalars
from nonlocal_zoo.engine.work_dir import latest_checkpoint

from .budget import Entry
from .place import with_block


@dataclass(frozen=True)
class Files:
    """What lies in the folder of a cell. Each file is whole or not there.

    config.py, train/ (mmengine's work dir), result.json and pictures.npz at the end, error.txt
    where the last attempt failed: a line, and the traceback.
    """

    folder: Path

    config = property(lambda self: self.folder / "config.py")
    train = property(lambda self: self.folder / "train")
    result = property(lambda self: self.folder / "result.json")
    pictures = property(lambda self: self.folder / "pictures.npz")
    error = property(lambda self: self.folder / "error.txt")

    def reason(self) -> str:
        """Why the last attempt failed, in a line, or ''."""
        return self.error.read_text().split("\n")[0] if self.error.exists() else ""


@dataclass(frozen=True, eq=False)
class Cell:
    """A block with a seed."""

    entry: Entry
    seed: int
    files: Files

    @property
    def label(self) -> str:
        """The row's."""
        return self.entry.row.label

    @property
    def state(self) -> str:
        """finished, failed, interrupted or new, as the folder tells."""
        if self.files.result.exists():
            return "finished"
        if self.files.error.exists():
            return "failed"
        return "interrupted" if latest_checkpoint(self.files.train) else "new"

    @cached_property
    def result(self) -> dict[str, Any]:
        """What ``work`` wrote: metrics, iterations, seconds_per_iteration, processes and so on."""
        return json.loads(self.files.result.read_text())

    def iteration(self) -> int:
        """How far the training's log has come."""
        return max((record["step"] for record in read_scalars(self.files.train)), default=0)


def make_cells(
    base: Config, entries: list[Entry], seeds: int, work_dir: Path, dry: bool = False
) -> list[Cell]:
    """All cells, seed by seed, with their configs written unless ``dry``.

    Cells of one seed differ in the block alone: the same schedule, and the same pictures in the
    same order.

    Raises:
        ConfigError: a folder is there already with another config; nothing is written then.
    """
    cells = [
        Cell(entry, seed, Files(work_dir.resolve() / entry.row.folder / f"seed{seed}"))
        for seed in range(seeds)
        for entry in entries
    ]
    texts = [_text(_config(base, cell)) for cell in cells]
    for cell, text in zip(cells, texts, strict=True):
        _refuse_another(cell.files.config, text)
    for cell, text in zip(cells, texts, strict=True):
        if not (dry or cell.files.config.exists()):
            atomic.write(cell.files.config, text)
    return cells


def _config(base: Config, cell: Cell) -> Config:
    config = with_block(base, cell.entry.row.block)
    config.randomness = dict(base.get("randomness", {}), seed=cell.seed)
    # mmengine shares what runs of one name have; by default the name is the second of the start.
    config.experiment_name = f"{cell.entry.row.folder}-seed{cell.seed}"
    return config


def _text(config: Config) -> str:
    """A config file. Not by ``Config.dump``, whose formatter takes a second for each."""
    items = config.to_dict().items()
    return "".join(f"{k} = {pprint.pformat(v, width=100, sort_dicts=False)}\n" for k, v in items)


def _refuse_another(path: Path, text: str) -> None:
    if not path.exists() or (old := path.read_text()) == text:
        return
    lines = difflib.unified_diff(old.splitlines(), text.splitlines(), "there", "wanted", "", "", 1)
    raise ConfigError(
        f"{path.parent} holds a cell of another config; take another --work-dir, or remove it. "
        "The difference:\n" + "\n".join(line.rstrip() for line in lines)
    )
