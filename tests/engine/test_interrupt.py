"""Ctrl-C, and SIGTERM."""

import multiprocessing
import signal
import subprocess
import time

import pytest
import tiny_run
import torch
from mmengine.hooks import Hook

from nonlocal_zoo.engine.interrupt import finishing_the_iteration
from nonlocal_zoo.engine.work_dir import latest_checkpoint

pytestmark = pytest.mark.mm


@pytest.fixture(autouse=True)
def heard():
    """A shell's background jobs ignore SIGINT; the tests of such a run are to be the same."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class PressCtrlC(Hook):
    def __init__(self, times, signum):
        self.times, self.signum = times, signum

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 5:
            for _ in range(self.times):
                signal.raise_signal(self.signum)  # to this thread: two cannot become one


def train(config, folder, times, signum=signal.SIGINT):
    with finishing_the_iteration() as hook:
        runner = tiny_run.runner(config, folder)
        runner.register_hook(hook)
        runner.register_hook(PressCtrlC(times, signum))
        runner.train()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_without_ctrl_c_all_is_as_before(signum):
    usual = signal.getsignal(signum)
    with finishing_the_iteration() as hook:
        assert signal.getsignal(signum) is not usual
    assert signal.getsignal(signum) is usual
    assert not hook.requested


@pytest.mark.parametrize(
    ("signum", "times"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGTERM, 2)]
)
def test_the_iteration_is_finished_and_saved_and_the_run_resumes(config, tmp_path, signum, times):
    with pytest.raises(KeyboardInterrupt) as error:
        train(config, tmp_path / "stopped", times, signum)
    assert error.value.args == (signum,)
    last = latest_checkpoint(tmp_path / "stopped")
    assert last.endswith("iter_6.pth")
    tiny_run.runner(config, tmp_path / "stopped", load_from=last, resume=True).train()
    tiny_run.runner(config, tmp_path / "whole").train()
    ours, theirs = (
        torch.load(tmp_path / name / "iter_12.pth", weights_only=True)["message_hub"]
        for name in ("stopped", "whole")
    )
    losses = [hub["log_scalars"]["train/loss"]["values"] for hub in (ours, theirs)]
    assert torch.equal(*losses)


def test_a_second_time_stops_at_once(config, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path, times=2)
    assert latest_checkpoint(tmp_path).endswith("iter_4.pth")


def test_a_forked_process_ends_by_its_parent_alone():
    """As a loader's worker: a signal to the group comes from elsewhere."""
    context = multiprocessing.get_context("fork")
    with finishing_the_iteration():
        worker = context.Process(target=time.sleep, args=(60,))
        worker.start()
        subprocess.run(["kill", "-TERM", str(worker.pid)], check=True)
        worker.join(1)
        assert worker.is_alive()
        worker.terminate()
        worker.join(10)
        assert worker.exitcode == 0
