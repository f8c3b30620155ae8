"""Ctrl-C."""

import signal

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
    def __init__(self, times):
        self.times = times

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 5:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)  # to this thread: two cannot become one


def train(config, folder, times):
    with finishing_the_iteration() as hook:
        runner = tiny_run.runner(config, folder)
        runner.register_hook(hook)
        runner.register_hook(PressCtrlC(times))
        runner.train()


def test_without_ctrl_c_all_is_as_before():
    usual = signal.getsignal(signal.SIGINT)
    with finishing_the_iteration() as hook:
        assert signal.getsignal(signal.SIGINT) is not usual
    assert signal.getsignal(signal.SIGINT) is usual
    assert not hook.requested


def test_the_iteration_is_finished_and_saved_and_the_run_resumes(config, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "stopped", times=1)
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


def test_sigterm_saves_as_ctrl_c_does(config, tmp_path):
    """What schedulers send some time before they kill."""

    class SendSIGTERM(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if runner.iter == 5:
                signal.raise_signal(signal.SIGTERM)

    usual = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as error, finishing_the_iteration() as hook:
        runner = tiny_run.runner(config, tmp_path / "stopped")
        runner.register_hook(hook)
        runner.register_hook(SendSIGTERM())
        runner.train()
    assert error.value.args == (signal.SIGTERM,)
    assert latest_checkpoint(tmp_path / "stopped").endswith("iter_6.pth")
    assert signal.getsignal(signal.SIGTERM) is usual
