"""A disk that is full or becomes read-only: the kernel's own errors, on a small file system."""

import ctypes
import multiprocessing
import os
import subprocess
from contextlib import redirect_stderr
from pathlib import Path

import pytest
import tiny_run
from mmengine.config import Config
from mmengine.hooks import Hook

from nonlocal_zoo.engine import launch
from nonlocal_zoo.engine.errors import RunError
from nonlocal_zoo.engine.loading import load_plain
from nonlocal_zoo.engine.work_dir import latest_checkpoint
from nonlocal_zoo.seal import damage

pytestmark = pytest.mark.mm

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000


def own_mounts(folder):
    """Gives this process mounts of its own, and a tmpfs of 1 MiB at ``folder``."""
    user = os.getuid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if user else 0)):
        raise OSError(ctypes.get_errno(), "unshare")
    if user:
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)


def in_a_fork(function, *args):
    """Whether ``function`` ran to its end in a copy of this process; what it raised is printed."""
    process = multiprocessing.get_context("fork").Process(target=function, args=args)
    process.start()
    process.join()
    return process.exitcode == 0


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if not in_a_fork(own_mounts, folder):
        pytest.skip("this user may not make mounts")
    return folder


class At(Hook):
    """Does something to the work folder before iteration 6, counted from 1."""

    def __init__(self, change):
        self.change = change

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 5:
            self.change(Path(runner.work_dir))


def fill(folder):
    room = os.statvfs(folder)
    size = room.f_bavail * room.f_bsize - 24 * 1024  # for logs, and less than a checkpoint
    (folder / "filler").write_bytes(bytes(size))


def close(folder):
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)


def spoiled_run(config, folder, change, words):
    own_mounts(folder)
    os.chdir(folder)  # whose mount is then changed
    runner = tiny_run.runner(config, folder, default_hooks__logger__interval=100)
    runner.register_hook(At(change))
    with pytest.raises(RunError) as error:
        runner.train()
    message = str(error.value)
    assert "iteration 8: the checkpoint could not be written" in message
    assert words in message and f"{folder}/iter_4.pth stands; --resume" in message, message
    assert "\n" not in message
    assert [path.name for path in folder.glob("*.pth*")] == ["iter_4.pth"]
    assert latest_checkpoint(folder) == str(folder / "iter_4.pth")
    assert damage(latest_checkpoint(folder)) is None
    assert load_plain(latest_checkpoint(folder))["meta"]["iter"] == 4


def best_run(config, folder):
    """The validation after iteration 4 comes when the disk is full: its checkpoint is whole."""
    own_mounts(folder)
    os.chdir(folder)

    class Full(Hook):
        def before_val(self, runner):
            fill(folder)

    runner = tiny_run.runner(config, folder, default_hooks__logger__interval=100,
                             default_hooks__checkpoint__save_best="mIoU")  # fmt: skip
    runner.register_hook(Full())
    with pytest.raises(RunError) as error:
        runner.train()
    message = str(error.value)
    assert message.startswith("iteration 4: the best checkpoint could not be written"), message
    assert f"{folder}/iter_4.pth stands; --resume" in message and "\n" not in message


def log_run(config, folder):
    """It is a log that cannot be written, at the end of iteration 6."""
    own_mounts(folder)
    os.chdir(folder)

    class Full(Hook):
        priority = "VERY_HIGH"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter == 5:
                close(folder)

    made = Config.fromfile(config)
    made.merge_from_dict(dict(work_dir=str(folder), launcher="none", experiment_name="log_run"))
    made.custom_hooks = [Full()]
    with pytest.raises(RunError) as error:
        launch.fit(made)
    message = str(error.value)
    assert message.startswith("iteration 6: ") and "Read-only file system" in message, message
    assert f"{folder}/iter_4.pth stands; --resume" in message and "\n" not in message


@pytest.mark.parametrize("run", [best_run, log_run])
def test_the_iteration_is_named(config, disk, run):
    assert in_a_fork(run, config, disk)


def test_by_epochs(config, disk):
    assert in_a_fork(epoch_run, config, disk)


def epoch_run(config, folder):
    """Four iterations are an epoch, and its checkpoint is written after the last."""
    own_mounts(folder)
    os.chdir(folder)

    class Full(Hook):
        def before_train_epoch(self, runner):
            fill(folder)

    made = dict(type="EpochBasedTrainLoop", max_epochs=2, _delete_=True)
    sampler = dict(type="DefaultSampler", shuffle=False)
    runner = tiny_run.runner(
        config, folder, default_hooks__logger__interval=100, train_cfg=made, param_scheduler=[],
        train_dataloader__sampler=sampler, default_hooks__checkpoint__by_epoch=True,
        default_hooks__checkpoint__interval=1,
    )  # fmt: skip
    runner.register_hook(Full())
    with pytest.raises(RunError) as error:
        runner.train()
    assert str(error.value).startswith("iteration 4: the checkpoint could not"), error.value


def test_full(config, disk):
    assert in_a_fork(spoiled_run, config, disk, fill, "No space left on device")


def test_read_only(config, disk):
    assert in_a_fork(spoiled_run, config, disk, close, "Read-only file system")


def unwritable_start(config, folder, log):
    own_mounts(folder)
    close(folder)
    with open(log, "w") as file, redirect_stderr(file), pytest.raises(SystemExit) as error:
        launch.train([str(config), "--work-dir", str(folder / "run")])
    assert error.value.code == 1


def test_a_run_that_cannot_write_says_so_in_a_line(config, disk, tmp_path):
    assert in_a_fork(unwritable_start, config, disk, tmp_path / "log")
    last = (tmp_path / "log").read_text().strip().splitlines()[-1]
    assert "Read-only file system" in last and str(disk) in last and "Traceback" not in last
