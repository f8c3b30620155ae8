"""Which checkpoints a run has left in its folder."""

import os
import re
from pathlib import Path


def latest_checkpoint(work_dir: str | os.PathLike) -> str | None:
    """The checkpoint that a run in ``work_dir`` wrote last, or None; it may be damaged."""
    return next(map(str, checkpoints(work_dir)), None)


def checkpoints(work_dir: str | os.PathLike) -> list[Path]:
    """The numbered checkpoints of a run, the last one first.

    ``last_checkpoint`` in ``work_dir`` names the first, and the others stand beside it with lower
    numbers; higher ones are of an earlier run in the same folder. It holds an absolute path: where
    the folder was moved, the file of that name in it is meant. Where there is no such note, one
    that cannot be read or one that names a file of another folder, all in ``work_dir`` count, the
    highest number first; and only where there are none, the file that it names.
    """
    found = _numbered(Path(work_dir))
    last = _noted(Path(work_dir))
    if last is None:
        return found
    if not found and last.parent != Path(work_dir):  # CheckpointHook's out_dir
        found = _numbered(last.parent)
    elif last.parent != Path(work_dir):
        return found
    number = _number(last)
    if number is None:  # of another name where filename_tmpl says so
        return [last, *found]
    return [last, *(path for path in found if (_number(path) or 0) < number)]


def _noted(work_dir: Path) -> Path | None:
    """The file that the note means; None: none that is there and could be a checkpoint."""
    try:
        text = (work_dir / "last_checkpoint").read_text(errors="replace")
    except OSError:
        return None
    last = Path(text.strip().replace("\0", ""))
    if last.suffix != ".pth":
        return None
    there = last.is_absolute() and os.path.isfile(last)  # False where the system finds no sense
    if there and not os.path.samefile(last.parent, work_dir):
        return last
    inside = work_dir / last.name
    return inside if os.path.isfile(inside) else None


def _numbered(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("*.pth") if _number(path) is not None]
    return sorted(found, key=lambda path: _number(path) or 0, reverse=True)


def _number(path: Path) -> int | None:
    """12 of iter_12.pth and epoch_12.pth; None of best_mIoU_iter_12.pth."""
    match = re.fullmatch(r"(?!best_)[a-z]+_(\d+)\.pth", path.name)
    return int(match[1]) if match else None
