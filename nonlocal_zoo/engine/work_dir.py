"""Which checkpoints a run has left in its folder."""

import os
import re
from pathlib import Path

from mmengine.runner import Runner


def latest_checkpoint(work_dir: str | os.PathLike) -> str | None:
    """The checkpoint that a run in ``work_dir`` wrote last, or None; it may be damaged."""
    return next(map(str, checkpoints(work_dir)), None)


def checkpoints(work_dir: str | os.PathLike) -> list[Path]:
    """The numbered checkpoints of a run, the last one first.

    ``last_checkpoint`` in ``work_dir`` names the first, and the others stand beside it with lower
    numbers; higher ones are of an earlier run in the same folder. It holds an absolute path: where
    the folder was moved, the file of that name in it is meant. Where there is no such note, or
    none that names a checkpoint, all in ``work_dir`` count, the highest number first; so they do
    where it names one of another folder, which counts only where ``work_dir`` has none (the
    checkpoint hook may have an ``out_dir``).
    """
    note = Path(work_dir, "last_checkpoint")
    text = note.read_text(errors="replace").strip() if note.is_file() else ""
    last = Path(text.replace("\0", ""))
    own = note.with_name(last.name or "none")
    elsewhere = last.is_file() and not any(map(_number, note.parent.glob("*.pth")))
    last = last if elsewhere and not own.is_file() else own
    found = {p: n for p in last.parent.glob("*.pth") if (n := _number(p)) is not None}
    # Of another name than these where filename_tmpl says so: then it is alone.
    if last.is_file() and last.suffix == ".pth":
        found = {path: n for path, n in found.items() if n < (_number(last) or 0)}
        return [last, *sorted(found, key=found.get, reverse=True)]
    return sorted(found, key=found.get, reverse=True)


def standing(runner: Runner) -> str:
    """A sentence on what a run that cannot go on leaves behind."""
    last = latest_checkpoint(runner.work_dir)
    return f"{last} stands; --resume goes on from it" if last else "There is no checkpoint yet"


def _number(path: Path) -> int | None:
    """12 of iter_12.pth and epoch_12.pth; None of best_mIoU_iter_12.pth."""
    match = re.fullmatch(r"(?!best_)[a-z]+_(\d+)\.pth", path.name)
    return int(match[1]) if match else None
