"""One run at a time in a work dir, by a lock that no death of a process leaves behind."""

import multiprocessing
import os
import re
import signal
import socket

import pytest
import tiny_run
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from nonlocal_zoo.engine import launch
from nonlocal_zoo.engine.errors import RunError
from nonlocal_zoo.engine.lock import locked

pytestmark = pytest.mark.mm
FORK = multiprocessing.get_context("fork")


def hold(folder, pipe):
    """Takes the lock, forks a child that sleeps, and waits to be killed."""
    with locked(folder):
        child = FORK.Process(target=signal.pause)
        child.start()
        pipe.send(child.pid)
        signal.pause()


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of ``tmp_path``, and the pid of its child."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=hold, args=(tmp_path, theirs))
    process.start()
    child = ours.recv()
    yield process, child
    process.kill()
    os.kill(child, signal.SIGKILL)


def test_it_dies_with_its_process_and_not_with_the_last_child(holder, tmp_path):
    process, child = holder
    with pytest.raises(RunError) as error, locked(tmp_path):
        pass
    said = rf"{tmp_path} is in use by process {process.pid} on {socket.gethostname()} since \d{{4}}"
    assert re.search(said, str(error.value)) and "\n" not in str(error.value)
    process.kill()
    process.join()
    os.kill(child, 0)  # it lives
    with locked(tmp_path):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")
    with locked(tmp_path):  # and it ends with the block
        pass


def test_without_locks_on_the_disk_there_is_a_warning(tmp_path, monkeypatch):
    def unsupported(file, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with pytest.warns(UserWarning, match="cannot be locked"), locked(tmp_path):
        pass


def test_a_second_run_ends_with_a_line_and_the_first_goes_on(config, tmp_path, monkeypatch, capsys):
    seen = []

    class Second(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter == 4:
                before = sorted(os.listdir(tmp_path))
                with pytest.raises(SystemExit) as error:
                    launch.train([str(config), "--work-dir", str(tmp_path)])
                assert sorted(os.listdir(tmp_path)) == before
                seen.append((error.value.code, capsys.readouterr().err))

    build = Runner.from_cfg

    def watched(cfg):
        runner = build(cfg)
        runner.register_hook(Second())
        return runner

    monkeypatch.setattr(Runner, "from_cfg", watched)
    made = Config.fromfile(config)
    tiny_run.runner.count += 1
    made.merge_from_dict({"work_dir": str(tmp_path), "launcher": "none",
                          "experiment_name": f"lock{tiny_run.runner.count}"})  # fmt: skip
    launch.fit(made)
    (code, said), = seen  # fmt: skip
    assert code == 1 and f"{tmp_path} is in use by process {os.getpid()}" in said.splitlines()[-1]
    assert (tmp_path / "iter_12.pth").exists()
