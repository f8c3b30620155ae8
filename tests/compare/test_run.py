"""A comparison from the command to the leaderboard, on cells of a second."""

import csv
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_compare import NL, command

from nonlocal_zoo.engine.lock import locked
from nonlocal_zoo.experiments.compare import work
from nonlocal_zoo.experiments.compare.command import main

pytestmark = pytest.mark.mm


def table(work_dir):
    with open(work_dir / "leaderboard.csv") as file:
        return {row["block"]: row for row in csv.DictReader(file)}


def result(work_dir, block, seed):
    return json.loads((work_dir / block / f"seed{seed}" / "result.json").read_text())


def test_one_seed_is_one_order_of_pictures(compared):
    _, read = compared
    assert len(read) == 6 and all(len(batches) == 12 for batches in read.values())
    for seed in (0, 1):
        assert read[f"none-seed{seed}"] == read[f"{NL}-seed{seed}"] == read[f"identity-seed{seed}"]
    assert read["none-seed0"] != read["none-seed1"]


def test_the_machinery_of_a_block_changes_nothing(compared):
    """Bit for bit: the identity's weights after training are those without a block."""
    ends = [
        torch.load(compared[0] / block / "seed0/train/iter_12.pth", weights_only=True)["state_dict"]
        for block in ("none", "identity", NL)
    ]
    none, identity, nl = ends
    assert none.keys() == identity.keys() and nl.keys() > none.keys()
    assert all(torch.equal(none[key], identity[key]) for key in none)
    assert not all(torch.equal(none[key], nl[key]) for key in none)
    assert table(compared[0])["identity"]["verdict"] == "identical"


def test_the_table_is_of_the_cells(compared):
    work_dir, _ = compared
    rows = table(work_dir)
    scores = {
        block: [result(work_dir, block, seed)["metrics"]["mIoU"] for seed in (0, 1)]
        for block in rows
    }
    assert set(rows) == {"none", "identity", NL}
    for block, row in rows.items():
        assert float(row["mean"]) == pytest.approx(np.mean(scores[block]))
        assert float(row["sd"]) == pytest.approx(np.std(scores[block], ddof=1))
        assert [float(row["seed0"]), float(row["seed1"])] == pytest.approx(scores[block])
    difference = np.mean(np.subtract(scores[NL], scores["none"]))
    assert float(rows[NL]["difference"]) == pytest.approx(difference)
    assert float(rows[NL]["low"]) < difference < float(rows[NL]["high"])
    assert int(rows[NL]["added_parameters"]) == 4 * 8 * 4 + 3 * 4 + 8
    lines = (work_dir / "leaderboard.md").read_text().splitlines()
    assert any(re.match(rf"\| {NL} \| 2 \|", line) for line in lines)
    for metrics in (result(work_dir, block, 0)["metrics"] for block in rows):
        classes = [metrics["IoU/dark"], metrics["IoU/light"]]
        assert metrics["mIoU"] == pytest.approx(np.mean(classes))


def test_what_it_was_run_with(compared):
    record = json.loads((compared[0] / "manifest.json").read_text())
    assert record["versions"]["torch"] == torch.__version__
    assert record["machine"]["cores"] and record["commit"]
    assert len(record["cells"]) == 6 and {cell["state"] for cell in record["cells"]} == {"finished"}
    assert len({cell["config_sha256"] for cell in record["cells"]}) == 6


def test_finished_cells_are_not_run_again(compared, base_file, monkeypatch):
    monkeypatch.setattr(work, "fit", lambda config: pytest.fail("trained again"))
    before = (compared[0] / "leaderboard.csv").read_text()
    assert main(command(base_file, compared[0])) == 0
    assert (compared[0] / "leaderboard.csv").read_text() == before


def test_another_config_in_the_same_folder_is_refused(compared, base_file, capsys):
    options = ["--cfg-options", "optim_wrapper.optimizer.lr=0.25"]
    with pytest.raises(SystemExit) as error:
        main(command(base_file, compared[0], *options))
    said = capsys.readouterr().err
    assert error.value.code == 2 and "none/seed0 holds a cell of another config" in said
    assert re.search(r"^-.*'lr': 0.05", said, re.M) and re.search(r"^\+.*'lr': 0.25", said, re.M)


def test_a_failing_cell_is_listed_and_the_others_go_on(base_file, tmp_path, monkeypatch, capsys):
    plain = work.fit

    def fit(config):
        if config.experiment_name == "identity-seed0":
            raise RuntimeError("the disk\nis full")
        return plain(config)

    monkeypatch.setattr(work, "fit", fit)
    assert main(command(base_file, tmp_path, blocks=("none",), seeds=1)) == 1
    said = capsys.readouterr().out
    assert re.search(r"failed: identity, seed 0: RuntimeError: the disk \(log: .*\)", said)
    assert "is full" in (tmp_path / "identity/seed0/error.txt").read_text()
    assert table(tmp_path)["none"]["seeds"] == "1"
    assert table(tmp_path)["identity"]["verdict"] == "no pair"
    assert 'id="failed"' in (tmp_path / "report.html").read_text()
    monkeypatch.setattr(work, "fit", plain)
    assert main(command(base_file, tmp_path, blocks=("none",), seeds=1)) == 0
    assert not (tmp_path / "identity/seed0/error.txt").exists()
    assert 'id="failed"' not in (tmp_path / "report.html").read_text()
    text = (tmp_path / "leaderboard.md").read_text()
    assert text.count("| one seed |") == 2  # for an interval, and for a verdict


def test_two_on_one_cell(base_file, tmp_path, monkeypatch):
    """Of a comparison that was killed and whose job was not: it costs the cell, and a line."""
    monkeypatch.setattr(work, "fit", lambda config: pytest.fail("trained too"))
    with locked(tmp_path):
        reason = work.run(str(tmp_path))
    assert f"{tmp_path} is in use by process {os.getpid()} on " in reason
    assert "\n" not in reason and os.listdir(tmp_path) == ["lock"]


def test_two_comparisons_in_one_folder(base_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(work, "fit", lambda config: pytest.fail("trained too"))
    with locked(tmp_path), pytest.raises(SystemExit) as error:
        main(command(base_file, tmp_path))
    said = capsys.readouterr().err
    assert error.value.code == 1 and said.count("\n") == 1
    assert f"{tmp_path} is in use by process {os.getpid()} on " in said
    assert os.listdir(tmp_path) == ["lock"]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path):
    path.write_bytes(b"\xff\xfe rubbish \0" * 9)


def remove(path):
    path.unlink()


def other(path):
    path.write_text('{"metrics": {"accuracy": 1.0}, "seconds_per_iteration": null}')


@pytest.fixture
def copied(compared, tmp_path):
    """A copy of the finished comparison."""
    return Path(shutil.copytree(compared[0], tmp_path / "c"))


@pytest.mark.parametrize(
    ("name", "harm", "words"),
    [("result.json", cut, "result.json is damaged: "), ("result.json", spoil, "is damaged: "),
     ("result.json", other, "no score 'mIoU' among ['accuracy']"),
     ("pictures.npz", cut, "pictures.npz is damaged: "), ("pictures.npz", spoil, "is damaged: "),
     ("pictures.npz", remove, "pictures.npz is damaged: [Errno 2]"),
     ("config.py", cut, "config.py is damaged: "), ("config.py", spoil, "is damaged: ")],
)  # fmt: skip
def test_a_damaged_file_costs_its_cell(copied, base_file, capsys, monkeypatch, name, harm, words):
    """It is run again, from its last checkpoint, and ends where it did."""
    before, trained = (copied / "leaderboard.csv").read_text(), []
    damaged = copied / f"{NL}/seed0/{name}"
    harm(damaged)
    plain = work.fit
    monkeypatch.setattr(work, "fit", lambda c: trained.append(c.experiment_name) or plain(c))
    assert main(command(base_file, copied)) == 0
    said = capsys.readouterr().out
    line = next(line for line in said.splitlines() if str(damaged) in line)
    assert words in line and f"{NL}, seed 0, is run again" in line
    assert trained == [f"{NL}-seed0"]
    assert (copied / "leaderboard.csv").read_text() == before
    assert main(command(base_file, copied)) == 0
    assert len(trained) == 1 and "is damaged" not in capsys.readouterr().out


def test_a_damaged_cell_that_cannot_be_run_again_is_a_line(copied, base_file, capsys):
    spoil(copied / f"{NL}/seed0/result.json")
    spoil(copied / f"{NL}/seed0/train/iter_12.pth")
    assert main(command(base_file, copied, "--dry-run")) == 0
    row = next(r for r in capsys.readouterr().out.splitlines() if r.startswith(NL))
    assert "1 damaged, 1 finished" in row
    assert main(command(base_file, copied)) == 1
    said = capsys.readouterr().out
    assert re.search(rf"failed: {NL}, seed 0: .*iter_12.pth' is damaged", said)
    assert table(copied)[NL]["seeds"] == "1"


def test_a_lost_log_costs_its_curve(copied, base_file, capsys):
    for path in copied.glob(f"{NL}/seed*/train/*/vis_data/scalars.json"):
        spoil(path)
    assert main(command(base_file, copied)) == 0
    for path in copied.glob("*/seed*/train/*/vis_data/scalars.json"):
        spoil(path)
    assert main(command(base_file, copied)) == 0
    assert not (copied / "curves.png").exists() and (copied / "classes.png").exists()


def test_annotations_of_the_test_set_that_cannot_be_read(base_file, tmp_path, capsys):
    """They are read before training, to see that the pictures are there."""
    pytest.importorskip("mmdet")
    path = tmp_path / "a.json"
    path.write_text('{"images": [')
    child = tmp_path / "child.py"
    dataset = f"dict(type='mmdet.CocoDataset', ann_file={str(path)!r}, pipeline=[])"
    child.write_text(
        f"_base_ = [{str(base_file)!r}]\ntest_dataloader = dict(dataset=dict(_delete_=True, "
        f"**{dataset}))\n"
    )
    with pytest.raises(SystemExit) as error:
        main(command(child, tmp_path / "c", blocks=("none",), seeds=1))
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.value.code == 2 and f"{path}: no annotations of COCO's kind" in said
    assert not (tmp_path / "c").exists()


def test_a_metric_that_is_none_costs_its_cells(base_file, tmp_path, capsys):
    options = ["--cfg-options", "compare.metric=mIuO", "train_cfg.max_iters=1"]
    assert main(command(base_file, tmp_path, *options, blocks=("none",), seeds=1)) == 1
    said = capsys.readouterr().out
    assert re.search(r"failed: none, seed 0: .*compare.metric='mIuO'; the test evalu.*'mIoU'", said)


def test_a_long_spec_is_run(base_file, tmp_path):
    long = "nl," + ",".join(["inner_channels=4"] * 20)
    options = ["--cfg-options", "train_cfg.max_iters=1"]
    assert main(command(base_file, tmp_path, *options, blocks=(long,), seeds=1)) == 0
    assert table(tmp_path)[long]["seeds"] == "1"


KILLED = """
import os, signal
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class KilledOnce(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        marker = os.path.join(runner.work_dir, "killed")
        named = runner.cfg.experiment_name == "identity-seed0"
        if named and runner.iter == 9 and not os.path.exists(marker):
            open(marker, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_it_goes_on_and_ends_as_if_it_had_not_been(
    compared, base_file, tmp_path, monkeypatch, capsys
):
    """Processes of submitit, two at a time; kill -9 at iteration 10, the checkpoint is of 8."""
    (tmp_path / "killed_once.py").write_text(KILLED)
    child = tmp_path / "child.py"
    child.write_text(
        f"_base_ = [{str(base_file)!r}]\n"
        "custom_imports = dict(imports=['nonlocal_zoo.adapters.mm', 'nonlocal_zoo.datasets',\n"
        "    'nonlocal_zoo.engine', 'killed_once'])\n"
        "custom_hooks = [dict(type='KilledOnce')]\n"
    )
    paths = [str(tmp_path), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.syspath_prepend(tmp_path)
    again = command(
        child, tmp_path / "c", "--jobs", "2", blocks=("none",), seeds=1, executor="local"
    )
    assert main(again) == 1
    said = capsys.readouterr().out
    assert "failed: identity, seed 0: the process ended without a word" in said
    assert result(tmp_path / "c", "none", 0)["metrics"]
    assert (tmp_path / "c/identity/seed0/train/iter_8.pth").exists()
    assert main(again) == 0
    logs = sorted((tmp_path / "c/identity/seed0/train").glob("*/vis_data/scalars.json"))
    starts = [json.loads(log.read_text().splitlines()[0])["started_at_iter"] for log in logs]
    assert starts == [0, 8]
    whole = result(compared[0], "identity", 0)["metrics"]
    assert result(tmp_path / "c", "identity", 0)["metrics"] == whole


def test_a_cell_of_two_processes(base_file, tmp_path):
    launch = ["--launcher", "pytorch", "--nproc", "2"]
    assert main(command(base_file, tmp_path, *launch, "--dry-run", blocks=("none",), seeds=1)) == 0
    assert not list(tmp_path.iterdir())  # a dry run leaves nothing
    folder = tmp_path / "none" / "seed0"
    folder.mkdir(parents=True)
    (folder / "config.py").write_text(base_file.read_text())
    assert work.run(str(folder), "pytorch", 2) == ""
    found = json.loads((folder / "result.json").read_text())
    assert (found["processes"], found["iterations"]) == (2, 12)
    assert 0 <= found["metrics"]["mIoU"] <= 100


def test_dry_run_says_what_and_how_long(compared, base_file, capsys):
    assert main(command(base_file, compared[0], "--dry-run", blocks=(NL, "snl"))) == 0
    rows = capsys.readouterr().out.splitlines()
    assert re.search(r"2 finished .* 0\.0 min +from finished cells",
                     next(r for r in rows if r.startswith(NL)))  # fmt: skip
    assert "3 iterations timed here" in next(r for r in rows if r.startswith("snl"))
    assert rows[-1].startswith("8 cells, ") and not (compared[0] / "snl").exists()


def test_rows_of_the_config_where_the_command_names_none(base_file, tmp_path, capsys):
    preset = tmp_path / "preset.py"
    preset.write_text(f"_base_ = '{base_file}'\ncompare = dict(blocks=['{NL}', 'snl,stages=2'])\n")
    dry = ["--dry-run", "--seeds", "1", "--work-dir", str(tmp_path / "c")]
    for arguments, labels in (
        ([], ["none", "identity", NL, "snl,stages=2"]),
        (["--blocks", "ns"], ["none", "identity", "ns"]),
    ):
        assert main([str(preset), *arguments, *dry]) == 0
        rows = capsys.readouterr().out.splitlines()
        begin = next(i for i, row in enumerate(rows) if row.startswith("---")) + 1
        assert [row.split()[0] for row in rows[begin : rows.index("", begin)]] == labels


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--slurm-partition", "gpu"], "--slurm-partition needs --executor slurm"),
        (["--nproc", "2"], "--nproc=2 needs --launcher pytorch"),
        (["--reference", "nl"], "--reference needs --match"),
        (["--match", "params", "--reference", "snl"], "allowed are ['nl,inner_channels=4']"),
        (["--seed", "2"], "unknown arguments: --seed 2"),
        (["--seeds", "0"], "'0'; allowed: 1, 2, 3"),
        (["--blocks", "nll"], "Did you mean"),
        (["--cfg-options", "compare.pictures=[0,8]"], "no 8; allowed are 0 to 7"),
        (["--cfg-options", "compare.pictures=[-1]"], "no -1; allowed are 0 to 7"),
        (["--cfg-options", "compare.pictures=[0.5]"], "no 0.5; allowed are 0 to 7"),
    ],
)
def test_wrong_input_ends_with_one_line(base_file, tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as error:
        main([*command(base_file, tmp_path), *arguments])
    assert error.value.code == 2 and message in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
