"""One training of a comparison: a block, a seed, a folder."""

from __future__ import annotations

import ast
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
from .look import read_looks
from .place import plan_of, with_block


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
        text = self.error.read_text(errors="replace") if self.error.exists() else ""
        return text.split("\n")[0]

    def damage(self, metric: str) -> str:
        """What is wrong with what a finished cell leaves, with the path, or ''."""
        for path, read in ((self.result, read_result), (self.pictures, read_looks)):
            try:
                content = read(path)
                if read is read_result and metric not in content["metrics"]:
                    raise ValueError(f"no score {metric!r} among {sorted(content['metrics'])}")
            except Exception as error:  # zip files and arrays have no common one
                line = (str(error).splitlines() or [repr(error)])[0]
                return f"{path} is damaged: {line}"
        return ""


def read_result(path: Path) -> dict[str, Any]:
    """What ``work`` wrote: metrics, iterations, seconds_per_iteration, processes and so on.

    Raises:
        OSError, ValueError: it cannot be read, or is not that.
    """
    result = json.loads(path.read_text())
    scores = result.get("metrics") if isinstance(result, dict) else None
    if not (isinstance(scores, dict) and all(isinstance(v, int | float) for v in scores.values())):
        raise ValueError("no scores in it")
    if not isinstance(result.get("seconds_per_iteration"), int | float | None):
        raise ValueError(f"seconds_per_iteration={result.get('seconds_per_iteration')!r}")
    return result


@dataclass(frozen=True, eq=False)
class Cell:
    """A block with a seed.

    Attributes:
        entry: the block and its cost.
        seed: of the training.
        files: its folder.
        text: of its config.
        metric: the score that it is judged by.
    """

    entry: Entry
    seed: int
    files: Files
    text: str
    metric: str

    @property
    def label(self) -> str:
        """The row's."""
        return self.entry.row.label

    @property
    def state(self) -> str:
        """finished, damaged, failed, interrupted or new, as the folder tells."""
        if self.files.result.exists():
            return "damaged" if self.files.damage(self.metric) else "finished"
        if self.files.error.exists():
            return "failed"
        return "interrupted" if latest_checkpoint(self.files.train) else "new"

    @cached_property
    def result(self) -> dict[str, Any]:
        """See ``read_result``."""
        return read_result(self.files.result)

    def iteration(self) -> int:
        """How far the training's log has come."""
        return max((record["step"] for record in read_scalars(self.files.train)), default=0)


def make_cells(base: Config, entries: list[Entry], seeds: int, work_dir: Path) -> list[Cell]:
    """All cells, seed by seed; nothing is written.

    Cells of one seed differ in the block alone: the same schedule, and the same pictures in the
    same order.

    Raises:
        ConfigError: a folder is there already with another config.
    """
    metric, cells = plan_of(base).metric, []
    for seed in range(seeds):
        for entry in entries:
            files = Files(work_dir.resolve() / entry.row.folder / f"seed{seed}")
            cells.append(Cell(entry, seed, files, _text(_config(base, entry, seed)), metric))
    for cell in cells:
        if cell.files.config.exists() and not _config_damage(cell):
            _refuse_another(cell.files.config, cell.text)
    return cells


def write_configs(cells: list[Cell]) -> None:
    """Writes the config of each cell that has none; and prints which files are damaged.

    The cell of such a file is run again, from its last checkpoint if that is whole.
    """
    for cell in cells:
        reason = _config_damage(cell) if cell.files.config.exists() else ""
        if reason:
            cell.files.result.unlink(missing_ok=True)  # of which config is no longer known
        elif cell.state == "damaged":
            reason = cell.files.damage(cell.metric)
        if reason:
            print(f"{reason}; {cell.label}, seed {cell.seed}, is run again")
        if not cell.files.config.exists() or cell.files.config.read_bytes() != cell.text.encode():
            atomic.write(cell.files.config, cell.text)


def _config_damage(cell: Cell) -> str:
    """Why the config in the folder is no config at all, or only the beginning of what it was."""
    path = cell.files.config
    try:
        text = path.read_text()
        ast.parse(text)
        cut = text != cell.text and cell.text.startswith(text)
    except (ValueError, SyntaxError) as error:  # UnicodeDecodeError is one
        return f"{path} is damaged: {error}"
    return f"{path} is damaged: its end is missing" if cut else ""


def _config(base: Config, entry: Entry, seed: int) -> Config:
    config = with_block(base, entry.row.block)
    config.randomness = dict(base.get("randomness", {}), seed=seed)
    # mmengine shares what runs of one name have; by default the name is the second of the start.
    config.experiment_name = f"{entry.row.folder}-seed{seed}"
    return config


def _text(config: Config) -> str:
    """A config file. Not by ``Config.dump``, whose formatter takes a second for each."""
    items = config.to_dict().items()
    return "".join(f"{k} = {pprint.pformat(v, width=100, sort_dicts=False)}\n" for k, v in items)


def _refuse_another(path: Path, text: str) -> None:
    if (old := path.read_text()) == text:
        return
    lines = difflib.unified_diff(old.splitlines(), text.splitlines(), "there", "wanted", "", "", 1)
    raise ConfigError(
        f"{path.parent} holds a cell of another config; take another --work-dir, or remove it. "
        "The difference:\n" + "\n".join(line.rstrip() for line in lines)
    )
