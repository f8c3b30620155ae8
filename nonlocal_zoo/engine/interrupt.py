"""Ctrl-C, or SIGTERM, between two iterations instead of in the middle of one."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from .checkpoint import AtomicCheckpointHook


class InterruptHook(Hook):
    """Ends the run after the iteration in which ``requested`` was set, with a checkpoint.

    A run by epochs ends without one: mmengine can only resume it at the end of an epoch.

    Attributes:
        requested: the signal that asked for it, or 0.

    Raises:
        KeyboardInterrupt: that is how it ends the run; its argument is the signal.
    """

    priority = "LOWEST"  # the checkpoint holds all that the other hooks did in this iteration

    def __init__(self) -> None:
        self.requested = 0

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
    """Inside it a first Ctrl-C or a SIGTERM only sets ``requested`` of the hook.

    A second Ctrl-C acts at once. A second SIGTERM does not: ``timeout`` sends it twice, and who
    means it sends SIGKILL.

    Enter it before the Runner is built. DataLoader workers are forked then; they get the signals
    too, must not die of them while the main process waits for their data, and end with it anyway.
    """
    global _main
    hook = InterruptHook()
    main = os.getpid()

    def request(signum: int, frame: FrameType | None) -> None:
        if os.getpid() == main:
            hook.requested = signum
            if signum == signal.SIGINT:
                signal.signal(signum, usual[signum])

    usual = {s: signal.getsignal(s) or signal.SIG_DFL for s in (signal.SIGINT, signal.SIGTERM)}
    for signum in usual:
        signal.signal(signum, request)
    _main = main
    try:
        yield hook
    finally:
        _main = None
        for signum, handler in usual.items():
            signal.signal(signum, handler)


_main: int | None = None  # the process that is inside ``finishing_the_iteration``


def _hear_the_parent_alone() -> None:
    """In a forked process: SIGTERM ends it where its parent sends it, or no longer lives.

    torch's workers put their own handler in the place of ours, and die where a process group is
    told to end: in the middle of what the main process waits for.
    """
    if _main is None or os.getppid() != _main:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_wait_for_the_parent, args=(_main,), daemon=True).start()


def _wait_for_the_parent(parent: int) -> None:
    while True:
        info = signal.sigwaitinfo({signal.SIGTERM})
        if info.si_pid == parent or os.getppid() != parent:
            os._exit(0)


os.register_at_fork(after_in_child=_hear_the_parent_alone)
