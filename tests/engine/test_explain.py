"""Files that are spoiled while a run goes on, and annotations that nobody can read: one line."""

import json
import re
import shutil

import pytest
import tiny_run
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS

from nonlocal_zoo.engine import launch
from nonlocal_zoo.engine.errors import ConfigError, RunError

pytestmark = pytest.mark.mm


class Spoil(Hook):
    """Does something to a file at the beginning of iteration 6."""

    def __init__(self, harm, path):
        self.harm, self.path = harm, path

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 5:
            self.harm(self.path)


def spoil(path):
    path.write_bytes(b"rubbish" * 99)


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


@pytest.fixture
def copied(config, tmp_path):
    """The tiny config, with pictures of its own."""
    folder = tmp_path / "data"
    shutil.copytree(config.parent, folder)
    path = folder / "tiny.py"
    path.write_text(path.read_text().replace(str(config.parent), str(folder)))
    return path


def made(config, folder, **options):
    changed = Config.fromfile(config)
    tiny_run.runner.count += 1
    changed.merge_from_dict(
        {"work_dir": str(folder), "launcher": "none",
         "experiment_name": f"explain{tiny_run.runner.count}", **options}
    )  # fmt: skip
    return changed


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("harm", [spoil, empty, remove])
@pytest.mark.parametrize("name", ["img/3.png", "ann/3.png"])
def test_a_picture_in_the_middle_of_a_run(copied, tmp_path, workers, harm, name):
    path = copied.parent / name
    loader = dict(num_workers=workers, persistent_workers=workers > 0)
    config = made(copied, tmp_path / "w", train_dataloader=loader)
    config.custom_hooks = [Spoil(harm, path)]
    with pytest.raises(RunError) as error:
        launch.fit(config)
    said = str(error.value)
    assert re.match(rf"after iteration \d+: {path}: \w", said) and "\n" not in said, said
    assert re.search(r"iter_\d+\.pth stands; --resume goes on from it$", said)


def test_train_py_ends_with_the_line(copied, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("nonlocal_zoo.engine.data.CheckDataHook.before_train",
                        lambda hook, runner: remove(copied.parent / "img/3.png"))  # fmt: skip
    with pytest.raises(SystemExit) as error:
        launch.train([str(copied), "--work-dir", str(tmp_path / "w"), "--cfg-options",
                      "experiment_name=line"])  # fmt: skip
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.value.code == 1 and "img/3.png: No such file" in last


def test_other_errors_are_left_as_they_are(config, tmp_path):
    class Broken(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            raise ZeroDivisionError("of the user's hook")

    changed = made(config, tmp_path)
    changed.custom_hooks = [Broken()]
    with pytest.raises(ZeroDivisionError):
        launch.fit(changed)


@DATASETS.register_module()
class Annotated:
    """Reads its annotations as mmdet's sets do, when it is built."""

    def __init__(self, ann_file, data_root=""):
        with open(f"{data_root}/{ann_file}") as file:
            self.images = json.load(file)["images"]


def test_a_picture_that_is_spoiled_where_nobody_looked_before(copied, tmp_path):
    spoil(copied.parent / "img/3.png")
    config = made(copied, tmp_path / "w", **{"train_dataloader.batch_size": 8})
    config.default_hooks.data = None
    with pytest.raises(RunError, match=r"after iteration 0: .*img/3.png: corrupt"):
        launch.fit(config)


@pytest.mark.parametrize("content", [b'{"images": [', b"\xff\xfe\0", b"", b"[]", b"3"])
def test_broken_annotations(config, tmp_path, content, capsys):
    (tmp_path / "a.json").write_bytes(content)
    changed = made(config, tmp_path / "w")
    changed.train_dataloader.dataset = dict(
        type="Annotated", ann_file="a.json", data_root=str(tmp_path)
    )
    with pytest.raises(ConfigError) as error:
        launch.fit(changed)
    said = str(error.value)
    assert said.startswith(f"{tmp_path}/a.json: no annotations of COCO's kind") and "\n" not in said


def test_a_description_that_is_no_json(config, tmp_path):
    """Of another kind of set, which names the file itself."""
    for name in ("meta.json", "train_00.png"):
        (tmp_path / name).write_text("{")
    changed = made(config, tmp_path / "w", custom_imports=dict(imports=["nonlocal_zoo.datasets"]))
    changed.train_dataloader.dataset = dict(
        type="CIFARDataset", data_root=str(tmp_path), split="train", num_classes=10
    )
    with pytest.raises(ConfigError, match=r"meta.json is no JSON: "):
        launch.fit(changed)


@pytest.mark.parametrize("content", [b'{"images": [', b"{}", b"[]"])
def test_broken_annotations_of_mmdet(config, tmp_path, content):
    pytest.importorskip("mmdet")
    (tmp_path / "a.json").write_bytes(content)
    changed = made(config, tmp_path / "w", custom_imports=dict(imports=["mmdet.datasets"]))
    changed.train_dataloader.dataset = dict(
        type="mmdet.CocoDataset", ann_file="a.json", data_root=str(tmp_path), pipeline=[]
    )
    with pytest.raises(ConfigError, match=r"a.json: no annotations of COCO's kind \("):
        launch.fit(changed)
