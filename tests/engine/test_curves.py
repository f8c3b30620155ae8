"""curves.png: a picture, and one line from the first start to the last."""

import json

import numpy as np
import pytest
import tiny_run
from PIL import Image

from nonlocal_zoo.engine.curves import curves, draw, read_scalars

pytestmark = pytest.mark.mm


@pytest.fixture(autouse=True, scope="module")
def drawn():
    """Here they are drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nonlocal_zoo.engine.curves.draw", draw)
        yield


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    """The folder of a finished run of 12 iterations that keeps all checkpoints."""
    folder = tmp_path_factory.mktemp("finished")
    tiny_run.runner(config, folder, default_hooks__checkpoint__max_keep_ckpts=-1).train()
    return folder


def steps(folder):
    losses, metrics = curves(read_scalars(folder))
    return [x for x, _ in losses["loss"]], [x for x, _ in metrics["mIoU"]]


def colours(path):
    """Pixels that are not grey: drawn lines, and nothing of axes, text or grid."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int(((pixels.max(-1) - pixels.min(-1)) > 60).sum())


def test_the_curves_are_those_of_the_run(finished):
    assert steps(finished) == (list(range(1, 13)), [4, 8, 12])
    losses, metrics = curves(read_scalars(finished))
    assert set(losses) == {"loss", "decode.loss_ce"}
    assert set(metrics) == {"aAcc", "mIoU", "mAcc"}
    assert Image.open(finished / "curves.png").format == "PNG"
    assert colours(finished / "curves.png") > 1000


def test_they_go_on_after_a_resumption_and_begin_again_with_a_new_run(
    config, finished, tmp_path, monkeypatch
):
    def start(time, **options):
        monkeypatch.setattr("time.strftime", lambda *_: time)  # the name of the log's folder
        tiny_run.runner(config, tmp_path, **options).train()

    eight = dict(load_from=str(finished / "iter_8.pth"), resume=True)
    start("20250101_000000")
    before, _ = curves(read_scalars(tmp_path))
    start("20250101_000001", train_cfg__max_iters=16, **eight)
    after, _ = curves(read_scalars(tmp_path))
    assert steps(tmp_path) == (list(range(1, 17)), [4, 8, 12, 16])
    assert after["loss"][:12] == before["loss"]
    start("20250101_000002", train_cfg__max_iters=3, optim_wrapper__optimizer__lr=0.5)
    assert steps(tmp_path) == ([1, 2, 3], [3])
    new, _ = curves(read_scalars(tmp_path))
    assert new["loss"][2] != before["loss"][2]


def log(folder, time, *records):
    path = folder / time / "vis_data/scalars.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def trained(*steps):
    return [{"lr": 1, "loss": 2.0, "step": step} for step in steps]


def started(begin, number=None):
    return {"started_at_iter": begin, "step": begin} | ({"start_number": number} if number else {})


def read(folder):
    return [record["step"] for record in read_scalars(folder)]


@pytest.mark.parametrize("numbers", [(1, 2, 3), (None, None, None)])
def test_the_clock_goes_back(tmp_path, numbers):
    """Folders are named by the time; what is logged each 5 iterations hides where a kill was."""
    first, second, third = numbers
    log(tmp_path, "20261025_025900", started(0, first), *trained(*range(5, 21, 5)))
    log(tmp_path, "20261025_020500", started(23, second), *trained(*range(25, 41, 5)))
    log(tmp_path, "20261025_020400", started(40, third), *trained(*range(45, 51, 5)))
    assert read(tmp_path) == [*range(5, 51, 5)]


def test_a_new_run_after_the_clock_went_back(tmp_path):
    log(tmp_path, "20261025_025900", started(0, 1), *trained(1, 2, 3, 4))
    log(tmp_path, "20261025_020500", started(0, 2), *trained(1, 2))
    assert read(tmp_path) == [1, 2]


def test_two_starts_in_one_second(tmp_path):
    log(tmp_path, "20261025_025900", started(0, 1), *trained(1, 2, 3, 4))
    log(tmp_path, "20261025_025900", started(2, 2), *trained(3, 4, 5))
    assert read(tmp_path) == [1, 2, 3, 4, 5]


def test_each_start_has_its_number(config, finished, tmp_path, monkeypatch):
    """Whatever the clock says."""
    for time, options in (
        ("20250101_000009", dict(train_cfg__max_iters=2)),
        ("20250101_000004", dict(load_from=str(finished / "iter_4.pth"), resume=True,
                                 train_cfg__max_iters=6)),
        ("20250101_000001", dict(train_cfg__max_iters=3)),
    ):  # fmt: skip
        monkeypatch.setattr("time.strftime", lambda *_, time=time: time)
        tiny_run.runner(config, tmp_path, **options).train()
    assert steps(tmp_path)[0] == [1, 2, 3]
    logs = sorted(tmp_path.glob("*/vis_data/scalars.json"), reverse=True)
    assert [json.loads(path.read_text().splitlines()[0])["start_number"] for path in logs] == [
        1, 2, 3]  # fmt: skip


def test_lines_that_are_no_records_are_skipped(tmp_path):
    log(tmp_path, "20250101_000000", started(0, 1), 3, [], {"lr": 1}, {"step": "x"}, *trained(1))
    with (tmp_path / "20250101_000000/vis_data/scalars.json").open("ab") as file:
        file.write(b"\xff\xfe\0\n")
    assert read(tmp_path) == [1]


def test_a_line_that_a_kill_cut_short_is_skipped(tmp_path):
    log = tmp_path / "20250101_000000/vis_data/scalars.json"
    log.parent.mkdir(parents=True)
    lines = [{"started_at_iter": 0, "step": 0}, {"lr": 1, "loss": 2.0, "step": 1}]
    log.write_text("\n".join(json.dumps(line) for line in lines) + '\n{"lr": 1, "lo')
    assert curves(read_scalars(tmp_path)) == ({"loss": [(1, 2.0)]}, {})
    assert draw(tmp_path) == tmp_path / "curves.png"


def test_validation_at_epochs_is_refused(config, tmp_path):
    runner = tiny_run.runner(config, tmp_path, default_hooks__logger__log_metric_by_epoch=True)
    with pytest.raises(ValueError, match=r"log_metric_by_epoch=True.*allowed is False"):
        runner.train()


def test_a_run_that_logs_nothing_to_disk_is_refused(config, tmp_path):
    runner = tiny_run.runner(config, tmp_path, visualizer__vis_backends=[])
    with pytest.raises(ValueError, match="vis_backends needs dict"):
        runner.train()
