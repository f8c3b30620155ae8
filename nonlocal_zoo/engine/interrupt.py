"""Ctrl-C and SIGTERM between two iterations instead of in the middle of one."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from .checkpoint import AtomicCheckpointHook

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptHook(Hook):
    """Ends the run after the iteration in which ``requested`` was set, with a checkpoint.

    A run by epochs ends without one: mmengine can only resume it at the end of an epoch.

    Raises:
        KeyboardInterrupt: that is how it ends the run; its argument is the signal.
    """

    priority = "LOWEST"  # the checkpoint holds all that the other hooks did in this iteration

    def __init__(self) -> None:
        self.requested = 0  # the signal

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
        raise KeyboardInterrupt(self.requested)


@contextmanager
def finishing_the_iteration() -> Iterator[InterruptHook]:
    """Inside it a first Ctrl-C or SIGTERM only sets ``requested`` of the hook; a second one acts at
    once. SIGTERM is what schedulers send before they kill.

    Enter it before the Runner is built. DataLoader workers are forked then; they get the signal
    too, must not die of it while the main process waits for their data, and end with it anyway.
    """
    hook = InterruptHook()
    main = os.getpid()

    def restore() -> None:
        for signum, handler in usual.items():
            signal.signal(signum, handler)

    def request(signum: int, frame: FrameType | None) -> None:
        if os.getpid() == main:
            restore()
            hook.requested = signum

    usual = {signum: signal.signal(signum, request) for signum in SIGNALS}
    try:
        yield hook
    finally:
        restore()
