"""A run that is resumed under other settings says so, and under another network does not go on."""

import os
import subprocess
import sys
import time

import pytest
import tiny_run
import torch
from mmengine.config import Config

from nonlocal_zoo.engine.errors import ConfigError
from nonlocal_zoo.engine.launch import fit
from nonlocal_zoo.engine.lock import NAME, is_first_process, only_run_in
from nonlocal_zoo.engine.settings import compare, settings_of
from nonlocal_zoo.engine.work_dir import checkpoints

pytestmark = pytest.mark.mm


def with_block(config, folder, block, **options):
    """The tiny config with a block in its head."""
    made = Config.fromfile(config)
    head = dict(type="NonLocalHead", block=block)
    made.merge_from_dict(dict(model=dict(decode_head=head)))
    made.model.decode_head.pop("num_convs")
    tiny_run.runner.count += 1
    made.merge_from_dict(
        {"work_dir": str(folder), "launcher": "none", "train_cfg.max_iters": 4,
         "experiment_name": f"settings{tiny_run.runner.count}", **options}
    )  # fmt: skip
    return made


def resumed(config, folder, block, **options):
    made = with_block(config, folder, block, **options)
    made.load_from, made.resume = str(checkpoints(folder)[0]), True
    return made


def test_another_block_whose_shapes_fit_is_refused(config, tmp_path):
    """nl's weights and its optimizer's state fit a2."""
    fit(with_block(config, tmp_path, dict(name="nl")))
    before = torch.load(checkpoints(tmp_path)[0], weights_only=True)["state_dict"]
    with pytest.raises(ConfigError) as error:
        fit(resumed(config, tmp_path, dict(name="a2"), **{"train_cfg.max_iters": 8}))
    text = str(error.value)
    assert "model.decode_head.block.name is 'a2', and was 'nl'" in text
    assert "load_from=CHECKPOINT without --resume" in text
    after = torch.load(checkpoints(tmp_path)[0], weights_only=True)["state_dict"]
    assert all(torch.equal(before[name], value) for name, value in after.items())


def test_another_learning_rate_is_said_and_more_iterations_too(config, tmp_path, capsys):
    fit(with_block(config, tmp_path, dict(name="nl")))
    options = {"optim_wrapper.optimizer.lr": 0.5, "train_cfg.max_iters": 8}
    runner = fit(resumed(config, tmp_path, dict(name="nl"), **options))
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("--resume")]
    assert said == [
        "--resume: optim_wrapper.optimizer.lr is 0.5, and was 0.05; the checkpoint's is used, as "
        "of all that it restores",
        "--resume: train_cfg.max_iters is 8, and was 4; it is used",
    ]
    assert runner.iter == 8
    assert runner.optim_wrapper.param_groups[0]["initial_lr"] == 0.05  # as was said


def test_the_same_run_and_old_checkpoints_say_nothing(config, tmp_path, capsys):
    fit(with_block(config, tmp_path, dict(name="nl")))
    (path, *_) = checkpoints(tmp_path)
    options = {"train_dataloader.num_workers": 1}
    fit(resumed(config, tmp_path, dict(name="nl"), **options))
    old = torch.load(path, weights_only=True)
    del old["meta"]["settings"]
    assert compare(settings_of(with_block(config, tmp_path, dict(name="a2"))), old) == []
    assert "--resume" not in capsys.readouterr().err


def test_settings_are_flat_texts():
    config = Config(dict(model=dict(a=1, init_cfg=dict(b=2), list=[dict(c=(3, 4)), dict(c="x")],
                                    plain=[5, 6]), optim_wrapper=dict(optimizer=dict(lr=0.1)),
                         other=7))  # fmt: skip
    assert settings_of(config) == {
        "model.a": "1", "model.list.0.c": "[3, 4]", "model.list.1.c": "'x'",
        "model.plain": "[5, 6]", "optim_wrapper.optimizer.lr": "0.1", "param_scheduler": "None",
        "train_cfg": "None", "train_dataloader": "None",
    }  # fmt: skip


HOLD = """
import sys, time
from nonlocal_zoo.engine.lock import only_run_in
with only_run_in(sys.argv[1]):
    print("in", flush=True)
    time.sleep(60)
"""


def test_a_second_run_in_a_folder_is_refused_until_the_first_is_gone(tmp_path):
    """Gone by a kill too, which leaves the file."""
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        while other.stdout.readline().strip() != b"in":
            assert other.poll() is None
        owner = rf"process {other.pid} on .*, since 20.* trains in it"
        with pytest.raises(ConfigError, match=owner), only_run_in(tmp_path):
            pass
    finally:
        other.kill()
        other.wait()
    assert (tmp_path / NAME).exists()
    for _ in range(100):
        try:
            with only_run_in(tmp_path):
                assert str(os.getpid()) in (tmp_path / NAME).read_text()
            break
        except ConfigError:  # the system closes the files of a killed process a little later
            time.sleep(0.1)
    else:
        raise AssertionError("the lock outlived its process")
    assert (tmp_path / NAME).read_text() == ""


def test_a_run_holds_the_lock(config, tmp_path):
    with only_run_in(tmp_path), pytest.raises(ConfigError, match="trains in it"):
        fit(with_block(config, tmp_path, dict(name="nl")))
    assert not checkpoints(tmp_path)


def test_one_process_of_a_launcher_asks_for_it(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert is_first_process("none") and is_first_process("slurm")
    assert not is_first_process("pytorch")
    monkeypatch.setenv("RANK", "0")
    assert is_first_process("pytorch")
