"""tools/train.py as a user runs it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nonlocal_zoo.engine import launch
from nonlocal_zoo.engine.curves import curves, read_scalars
from nonlocal_zoo.engine.work_dir import latest_checkpoint

pytestmark = pytest.mark.mm

TRAIN = str(Path(__file__).parents[2] / "tools/train.py")
ENV = {**os.environ, "OMP_NUM_THREADS": "1"}
LONG = ["--cfg-options", "train_cfg.max_iters=2000", "train_cfg.val_interval=2000"]


@pytest.fixture
def start(tmp_path):
    """Starts tools/train.py in ``tmp_path``, in a process group of its own that ends with us."""
    started = []

    def start(*arguments):
        command = [sys.executable, TRAIN, *map(str, arguments)]
        started.append(subprocess.Popen(
            command, cwd=tmp_path, env=ENV, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        ))  # fmt: skip
        return started[-1]

    yield start
    for process in started:
        process.kill()


def wait_for(pattern, folder, process):
    """Until the run has written such a file; it ends by itself if it never does."""
    while not any(folder.glob(pattern)):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def losses(path):
    return torch.load(path, weights_only=True)["message_hub"]["log_scalars"]["train/loss"]["values"]


def test_killed_and_resumed_it_ends_as_if_it_had_not_been(start, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole, killed = tmp_path / "whole", tmp_path / "work_dirs/tiny"
    first = start(config, *LONG)  # its own work dir: work_dirs/<config's name>
    wait_for("iter_8.pth", killed, first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    reached = torch.load(latest_checkpoint(killed), weights_only=True)["meta"]["iter"]
    end = ["--cfg-options", f"train_cfg.max_iters={reached + 4}"]
    launch.train([str(config), "--resume", *end, "experiment_name=resumed"])
    launch.train([str(config), "--work-dir", str(whole), *end, "experiment_name=whole"])
    ours, theirs = (losses(folder / f"iter_{reached + 4}.pth") for folder in (killed, whole))
    assert torch.equal(ours, theirs)
    drawn, _ = curves(read_scalars(killed))
    assert [x for x, _ in drawn["loss"]] == list(range(1, reached + 5))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_and_says_how_to_go_on(start, config, tmp_path, signum):
    process = start(config, "--work-dir", tmp_path, *LONG, "train_dataloader.num_workers=1",
                    "default_hooks.checkpoint.interval=2000")  # fmt: skip
    wait_for("*/vis_data/scalars.json", tmp_path, process)  # as the first iteration begins
    os.killpg(process.pid, signum)  # as a terminal or timeout does: to the loader's worker too
    log = process.communicate()[0]
    assert process.returncode == 128 + signum, log
    last = latest_checkpoint(tmp_path)
    assert f"Interrupted; to go on from {last} add --resume" in log
    assert losses(last).numel() == int(Path(last).stem.removeprefix("iter_"))


def test_two_processes_on_a_cpu(config, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
               TRAIN, str(config), "--launcher", "pytorch",
               "--work-dir", str(tmp_path)]  # fmt: skip
    done = subprocess.run(command, env=ENV, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert torch.load(tmp_path / "iter_12.pth", weights_only=True)["meta"]["iter"] == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py"], "config='nowhere.py': no such file"),
        (["CONFIG", "--cfg-options", "model.decode_hed.block.name=1"], "'decode_hed'"),
        (["CONFIG", "--cfg-options", "model"], "'model' is not key=value"),
        (["CONFIG", "--launcher", "torch"], "invalid choice: 'torch'"),
        (["CONFIG", "--resume", "nowhere.pth"], "checkpoint='nowhere.pth': no such file"),
        (["CONFIG", "--amp", "--cfg-options", "optim_wrapper.type=Other"], "allowed are 'OptimWr"),
    ],
)
def test_wrong_input_ends_with_one_line(config, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as error:
        launch.train([str(config) if a == "CONFIG" else a for a in arguments])
    assert error.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "SNLBlock", "Did you mean 'snl'"),
        ("reduction", "0", "reduction=0"),
        ("stage", "2", "'stages'"),
    ],
)
def test_faults_of_a_block_are_one_line(config, tmp_path, capsys, key, value, message):
    with_block = tmp_path / "with_block.py"
    with_block.write_text(
        f"_base_ = ['{config}']\n"
        "model = dict(decode_head=dict(type='NonLocalHead', num_convs=2, block=dict(name='snl')))\n"
    )
    option = f"model.decode_head.block.{key}={value}"
    with pytest.raises(SystemExit) as error:
        launch.train([str(with_block), "--work-dir", str(tmp_path), "--cfg-options", option])
    assert error.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("train") or "error: " in last
    assert message in last


def test_resuming_what_holds_objects_is_refused(config, tmp_path, capsys):
    torch.save({"meta": {"odd": Path("x")}}, tmp_path / "odd.pth")
    with pytest.raises(SystemExit):
        launch.train([str(config), "--resume", str(tmp_path / "odd.pth")])
    assert "odd.pth' cannot be loaded" in capsys.readouterr().err


def test_resume_without_a_checkpoint_is_a_new_run(config, tmp_path):
    launch.train([str(config), "--resume", "--work-dir", str(tmp_path),
                  "--cfg-options", "experiment_name=new"])  # fmt: skip
    assert losses(tmp_path / "iter_12.pth").numel() == 12


def test_missing_data_are_one_line(tmp_path):
    """The path that was looked for and the way to set it, without a traceback."""
    command = [
        sys.executable,
        "tools/train.py",
        "configs/segmentation/camvid/fcn_r18-d8_camvid-180x240_cpu.py",
        "--work-dir",
        str(tmp_path),
    ]
    environment = {**os.environ, "NLZ_CAMVID": str(tmp_path / "nowhere")}
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "train.py: error" in last and "nowhere" in last and "NLZ_CAMVID" in last
