"""Checkpoints of which a whole one stands on disk at every moment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from nonlocal_zoo.registry import check_arguments, parameters_of


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
        except BaseException:
            if os.path.exists(unfinished):
                os.remove(unfinished)
            raise

    @contextmanager
    def removing_last(self) -> Iterator[None]:
        """Inside it ``remove`` waits for the end; after an error nothing is removed."""
        outdated = []
        self.remove = outdated.append
        try:
            yield
        finally:
            del self.remove
        for path in outdated:
            self.remove(path)

    def put_text(self, obj: str, filepath: str | os.PathLike, encoding: str = "utf-8") -> None:
        """``put`` of a text."""
        self.put(obj.encode(encoding), filepath)


def latest_checkpoint(work_dir: str | os.PathLike) -> str | None:
    """The checkpoint that ``last_checkpoint`` in ``work_dir`` names, or None.

    It holds an absolute path: where the folder was moved, the file of that name in it is meant.
    """
    note = Path(work_dir, "last_checkpoint")
    if not note.is_file():
        return None
    path = Path(note.read_text().strip())
    return str(path if path.is_file() else note.with_name(path.name))


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
            if (value := getattr(self, name)) not in (None, {"backend": "atomic"}):
                raise ValueError(f"{label}: {name}={value!r}; it writes to local folders only")
        self.backend_args = {"backend": "atomic"}
        super().before_train(runner)

    def save(self, runner: Runner) -> None:
        """Writes a checkpoint now. To be called from ``after_train_iter``."""
        self._save_checkpoint(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        # In place of super()'s, which removes first and writes last_checkpoint in place.
        outdated = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated.append(self.keep_ckpt_ids.popleft())
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = os.path.join(self.out_dir, name)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
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
            self.file_backend.put_text(self.last_ckpt, last)
            for old in outdated:
                path = os.path.join(self.out_dir, self.filename_tmpl.format(old))
                if os.path.exists(path):
                    self.file_backend.remove(path)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        with self.file_backend.removing_last():
            super()._save_best_checkpoint(runner, metrics)
