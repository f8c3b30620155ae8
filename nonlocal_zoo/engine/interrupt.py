"""Ctrl-C between two iterations instead of in the middle of one."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from .checkpoint import AtomicCheckpointHook


class InterruptHook(Hook):
    """Ends the run after the iteration in which ``requested`` was set, with a checkpoint.

    A run by epochs ends without one: mmengine can only resume it at the end of an epoch.

    Raises:
        KeyboardInterrupt: that is how it ends the run.
    """

    priority = "LOWEST"  # the checkpoint holds all that the other hooks did in this iteration

    def __init__(self) -> None:
        self.requested = False

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Writes the checkpoint and ends the run, if it was requested."""
        if not self.requested:
            return
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            for hook in runner.hooks:
                if isinstance(hook, AtomicCheckpointHook):
                    hook.save(runner)
        raise KeyboardInterrupt


@contextmanager
def finishing_the_iteration() -> Iterator[InterruptHook]:
    """Inside it a first Ctrl-C only sets ``requested`` of the hook; a second one acts at once.

    Enter it before the Runner is built. DataLoader workers are forked then; they get the signal
    too, must not die of it while the main process waits for their data, and end with it anyway.
    """
    hook = InterruptHook()
    main = os.getpid()

    def request(signum: int, frame: FrameType | None) -> None:
        if os.getpid() == main:
            signal.signal(signal.SIGINT, usual)
            hook.requested = True

    usual = signal.signal(signal.SIGINT, request)
    try:
        yield hook
    finally:
        signal.signal(signal.SIGINT, usual)
