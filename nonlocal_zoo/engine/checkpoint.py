"""Checkpoints of which a whole one stands on disk at every moment."""

import os
from collections.abc import Iterable

from mmengine.dist import is_main_process, master_only
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from nonlocal_zoo import atomic
from nonlocal_zoo.registry import check_arguments, parameters_of

from .errors import RunError
from .standing import BEGUN, iteration, standing

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
        # And what it cut short; nobody else writes here, see ``lock``.
        self._remove(atomic.unfinished(self.out_dir, "*.pth"))
        self._remove(atomic.unfinished(runner.work_dir, "last_checkpoint"))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Counts it, for messages: see ``standing.iteration``."""
        runner.message_hub.update_info(BEGUN, runner.iter + 1)

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
                atomic.write(last, self.last_ckpt)
        except OSError as error:
            raise _unwritten(runner, "the checkpoint", error) from error
        self._remove(outdated)

    @master_only
    def _remove(self, names: Iterable[str | os.PathLike]) -> None:
        for name in names:
            path = os.path.join(self.out_dir, name)  # an absolute one stays as it is
            if os.path.exists(path):
                self.file_backend.remove(path)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        try:
            with self.file_backend.removing_last() as self.waiting:
                super()._save_best_checkpoint(runner, metrics)
        except OSError as error:
            raise _unwritten(runner, "the best checkpoint", error) from error
        self.waiting = []


def _unwritten(runner: Runner, what: str, error: OSError) -> RunError:
    return RunError(
        f"iteration {iteration(runner)}: {what} could not be written: {error}. {standing(runner)}"
    )
