"""Checkpoints of which a whole one stands on disk at every moment."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import is_main_process, master_only
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from nonlocal_zoo.registry import check_arguments, parameters_of
from nonlocal_zoo.seal import seal

from .errors import RunError


@register_backend("atomic")
class AtomicBackend(LocalBackend):
    """The local disk, on which a file is whole or not there.

    ``put`` writes to ``<name>.tmp`` in the same folder and renames, which POSIX makes atomic. A
    killed process leaves at most the .tmp file; the next ``put`` of that name overwrites it.
    """

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Writes ``obj``; until it is all on disk ``filepath`` keeps its old content.

        Raises:
            OSError: it could not be written (a full disk, no permission).
        """
        filepath = os.fspath(filepath)
        os.makedirs(os.path.dirname(filepath) or ".", exist_ok=True)
        unfinished = f"{filepath}.tmp"
        try:
            with open(unfinished, "wb") as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())  # the name must not reach the disk before the content
            os.replace(unfinished, filepath)
            _sync_folder(filepath)  # nor an older file be removed before this one has its name
        except BaseException as error:
            if os.path.lexists(unfinished):
                os.remove(unfinished)
            if isinstance(error, OSError):
                error.filename = error.filename or filepath  # write() and fsync() name none
            raise

    @contextmanager
    def removing_last(self) -> Iterator[list[str]]:
        """Inside it ``remove`` waits for the end; after an error nothing is removed.

        Yields:
            the paths that wait.
        """
        outdated: list[str] = []
        self.remove = outdated.append
        try:
            yield outdated
        finally:
            del self.remove
        for path in outdated:
            self.remove(path)

    def put_text(self, obj: str, filepath: str | os.PathLike, encoding: str = "utf-8") -> None:
        """``put`` of a text."""
        self.put(obj.encode(encoding), filepath)


@register_backend("sealed")
class SealedBackend(AtomicBackend):
    """The atomic backend, for files of torch.save: ``put`` adds their hash, see ``seal``."""

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Writes ``obj`` with its hash. Raises OSError, ValueError: see AtomicBackend, ``seal``."""
        super().put(seal(obj), filepath)


def _sync_folder(path: str) -> None:
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def latest_checkpoint(work_dir: str | os.PathLike) -> str | None:
    """The checkpoint that a run in ``work_dir`` wrote last, or None; it may be damaged."""
    return next(map(str, checkpoints(work_dir)), None)


def checkpoints(work_dir: str | os.PathLike) -> list[Path]:
    """The numbered checkpoints of a run, the last one first.

    ``last_checkpoint`` in ``work_dir`` names the first, and the others stand beside it with lower
    numbers; higher ones are of an earlier run in the same folder. It holds an absolute path: where
    the folder was moved, the file of that name in it is meant. Where there is no such note, or
    none that can be read, all in ``work_dir`` count, the highest number first.
    """
    note = Path(work_dir, "last_checkpoint")
    text = note.read_text(errors="replace").strip() if note.is_file() else ""
    last = Path(text.replace("\0", ""))
    last = last if last.is_file() else note.with_name(last.name or "none")
    found = {p: n for p in last.parent.glob("*.pth") if (n := _number(p)) is not None}
    if last.is_file():  # of another name than these where filename_tmpl says so: then it is alone
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


OUTDATED = "outdated_ckpts"  # in the checkpoint: files that go when it is written


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, with files that are whole and old ones that wait for the new.

    CheckpointHook of mmengine 0.10.7 removes the outdated checkpoint, then writes the new one in
    place, then ``last_checkpoint``: with ``max_keep_ckpts=1`` a kill in between leaves nothing to
    resume from. Here each of the files is written atomically, and in the order new checkpoint,
    ``last_checkpoint``, removal. For local folders.

    Args: those of CheckpointHook but ``file_client_args`` and ``backend_args``.

    Raises:
        TypeError: an argument that CheckpointHook does not have; mmengine would complain when the
            first checkpoint is due.
        ValueError: a storage backend is set.
    """

    def before_train(self, runner: Runner) -> None:
        """Checks the arguments, and takes up the atomic backend."""
        label = type(self).__name__
        check_arguments(label, [*parameters_of(CheckpointHook)][:-1], self.args)
        for name in ("file_client_args", "backend_args"):
            if (value := getattr(self, name)) not in (None, {"backend": "sealed"}):
                raise ValueError(f"{label}: {name}={value!r}; it writes to local folders only")
        self.backend_args = {"backend": "sealed"}
        super().before_train(runner)
        self.waiting: list[str] = []  # best checkpoints that go when a better one is whole
        # CheckpointHook forgets it, and then writes no best score beside a best checkpoint.
        self.last_ckpt = runner.message_hub.runtime_info.get("last_ckpt")
        # What a kill kept from being removed; the last checkpoint says what that was.
        self._remove(runner.message_hub.runtime_info.get(OUTDATED, ()))

    def save(self, runner: Runner) -> None:
        """Writes a checkpoint now. To be called from ``after_train_iter``."""
        self._save_checkpoint(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        # In place of super()'s, which removes first and writes last_checkpoint in place.
        outdated = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated.append(self.filename_tmpl.format(self.keep_ckpt_ids.popleft()))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        leaving = outdated + [os.path.basename(path) for path in self.waiting]
        runner.message_hub.update_info(OUTDATED, leaving)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = os.path.join(self.out_dir, name)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
            )
            if is_main_process():
                last = os.path.join(runner.work_dir, "last_checkpoint")
                AtomicBackend().put_text(self.last_ckpt, last)
        except OSError as error:
            raise RunError(
                f"iteration {runner.iter + 1}: the checkpoint could not be written: {error}. "
                f"{standing(runner)}"
            ) from error
        self._remove(outdated)

    @master_only
    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            path = os.path.join(self.out_dir, name)
            if os.path.exists(path):
                self.file_backend.remove(path)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        with self.file_backend.removing_last() as self.waiting:
            super()._save_best_checkpoint(runner, metrics)
        self.waiting = []
