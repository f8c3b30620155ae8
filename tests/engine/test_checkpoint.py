"""Kills at every step of writing: a whole checkpoint stands all the same."""

import multiprocessing
import os
import resource
import signal
import sys
from pathlib import Path

import pytest
import tiny_run
import torch
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.runner import find_latest_checkpoint

from nonlocal_zoo.engine import AtomicBackend
from nonlocal_zoo.engine.work_dir import latest_checkpoint

pytestmark = pytest.mark.mm


def in_a_fork(function, *args) -> int:
    """Runs ``function`` in a copy of this process; its exit code, or minus the signal."""
    process = multiprocessing.get_context("fork").Process(target=function, args=args)
    process.start()
    process.join()
    return process.exitcode


def die_in_a_file_larger_than(size: int) -> None:
    """From now on the kernel kills this process in the middle of writing such a file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def die_at_change(number: int) -> None:
    """kill -9 to itself before the given change (from 1) to a checkpoint file or its note."""
    seen = 0

    def watch(event: str, args: tuple) -> None:
        nonlocal seen
        if event == "open" and not str(args[1]).startswith("w"):
            return
        if event in ("open", "os.rename", "os.remove"):
            name = Path(os.fsdecode(args[0])).name if not isinstance(args[0], int) else ""
            if ".pth" in name or name.startswith("last_checkpoint"):
                if event == "open" and not name.endswith(".tmp"):
                    os._exit(1)  # a file of this name would be half-written for a moment
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def put_and_die(path):
    die_in_a_file_larger_than(5000)
    AtomicBackend().put(b"new" * 10_000, path)


def test_a_file_keeps_its_old_content_until_the_new_is_whole(tmp_path):
    path = tmp_path / "iter_1.pth"
    AtomicBackend().put(b"old", path)
    assert in_a_fork(put_and_die, path) == -signal.SIGXFSZ
    assert path.read_bytes() == b"old"
    assert (tmp_path / "iter_1.pth.tmp").stat().st_size == 5000
    AtomicBackend().put(b"new", path)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["iter_1.pth"]


def test_a_disk_that_is_full_leaves_the_old_content_and_nothing_else(tmp_path):
    AtomicBackend().put_text("old", tmp_path / "note")
    (tmp_path / "note.tmp").symlink_to("/dev/full")  # the kernel's ENOSPC
    with pytest.raises(OSError, match=r"No space left on device: .*note"):
        AtomicBackend().put_text("new", tmp_path / "note")
    assert os.listdir(tmp_path) == ["note"]
    assert (tmp_path / "note").read_text() == "old"


def assert_resumable(folder):
    """mmengine's way and ours lead to a checkpoint that opens."""
    path = find_latest_checkpoint(str(folder))
    assert path == latest_checkpoint(folder)
    assert torch.load(path, weights_only=True)["meta"]["iter"] in (4, 8, 12)


# A save opens and renames, the checkpoint and then its note; from the second on it also removes the
# old one. So 5 is the first change of the second save, 9 its last, and 10 the first of the third.
@pytest.mark.parametrize("change", range(5, 11))
def test_killed_at_any_change_to_the_disk_a_run_can_be_resumed(config, tmp_path, change):
    def train():
        die_at_change(change)
        without = dict(val_cfg=None, val_dataloader=None, val_evaluator=None)
        tiny_run.runner(config, tmp_path, **without).train()

    assert in_a_fork(train) == -signal.SIGKILL
    assert_resumable(tmp_path)


def test_killed_in_the_middle_of_a_checkpoint_a_run_can_be_resumed(config, tmp_path):
    def after_the_first():
        runner = tiny_run.runner(config, tmp_path)
        save, sizes = runner.save_checkpoint, []

        def watched(*args, **kwargs):
            if sizes:
                die_in_a_file_larger_than(sizes[0] // 2)
            save(*args, **kwargs)
            sizes.append((tmp_path / "iter_4.pth").stat().st_size)

        runner.save_checkpoint = watched
        runner.train()

    assert in_a_fork(after_the_first) == -signal.SIGXFSZ
    assert_resumable(tmp_path)


def test_the_best_checkpoint_goes_only_when_a_better_one_is_whole(config, tmp_path, monkeypatch):
    standing, remove = [], LocalBackend.remove

    def watched(backend, filepath):
        if Path(filepath).name.startswith("best_"):
            standing.append(len(list(tmp_path.glob("best_*.pth"))))
        remove(backend, filepath)

    monkeypatch.setattr(LocalBackend, "remove", watched)
    tiny_run.runner(config, tmp_path, default_hooks__checkpoint__save_best="mIoU").train()
    assert standing and set(standing) == {2}
    assert len(list(tmp_path.glob("best_*.pth"))) == 1


def test_as_many_are_kept_as_was_asked_for(config, tmp_path):
    tiny_run.runner(config, tmp_path, default_hooks__checkpoint__max_keep_ckpts=2).train()
    assert {p.name for p in tmp_path.glob("*.pth*")} == {"iter_8.pth", "iter_12.pth"}
    assert (tmp_path / "last_checkpoint").read_text() == str(tmp_path / "iter_12.pth")


def test_the_last_checkpoint_is_found_where_its_folder_was_moved(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    (tmp_path / "last_checkpoint").write_text("/gone/iter_4.pth")
    (tmp_path / "iter_4.pth").touch()
    assert latest_checkpoint(tmp_path) == str(tmp_path / "iter_4.pth")


def test_what_a_kill_leaves_goes_at_the_next_start(config, tmp_path):
    """Of a removal that was due, and of files whose names never come again."""

    def killed():
        die_at_change(9)  # the removal of iter_4 after iter_8
        without = dict(val_cfg=None, val_dataloader=None, val_evaluator=None)
        tiny_run.runner(config, tmp_path, **without).train()

    assert in_a_fork(killed) == -signal.SIGKILL
    for name in ("best_mIoU_iter_7.pth.tmp", "iter_5.pth.tmp", "last_checkpoint.tmp"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "notes.tmp").write_text("of the user")
    left = lambda: {p.name for p in tmp_path.iterdir() if p.suffix in (".pth", ".tmp")}  # noqa: E731
    assert {"iter_4.pth", "iter_8.pth", "iter_5.pth.tmp"} < left()

    class Look(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            assert left() == {"iter_8.pth", "notes.tmp"}
            raise StopAsyncIteration

    last = latest_checkpoint(tmp_path)
    runner = tiny_run.runner(config, tmp_path, load_from=last, resume=True)
    runner.register_hook(Look())
    with pytest.raises(StopAsyncIteration):
        runner.train()


def test_wrong_arguments_are_refused_before_the_first_iteration(config, tmp_path):
    runner = tiny_run.runner(config, tmp_path, default_hooks__checkpoint__intervall=4)
    with pytest.raises(TypeError, match=r"'intervall'.*Did you mean 'interval'"):
        runner.train()
    args = {"default_hooks__checkpoint__backend_args": dict(backend="petrel")}
    with pytest.raises(ValueError, match=r"backend_args=.*petrel.*local"):
        tiny_run.runner(config, tmp_path, **args).train()
