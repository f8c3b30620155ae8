"""Checkpoints are plain, and a resumed run goes on as if nothing had been."""

import shutil
from collections import Counter

import numpy as np
import pytest
import tiny_run
import torch
from mmengine.config import ConfigDict

from nonlocal_zoo.engine import SafeHistoryHook
from nonlocal_zoo.engine.history import plain

pytestmark = pytest.mark.mm

KEEP_ALL = {
    "default_hooks__checkpoint__max_keep_ckpts": -1,
    "default_hooks__checkpoint__save_best": "mIoU",
}


@pytest.fixture(scope="module")
def uninterrupted(config, tmp_path_factory):
    """The folder of a run of 12 iterations with all of its checkpoints."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    tiny_run.runner(config, folder, **KEEP_ALL).train()
    return folder


def test_every_checkpoint_opens_with_weights_only(uninterrupted):
    paths = sorted(uninterrupted.glob("*.pth"))
    assert [p.name for p in paths if p.name.startswith("iter")] == [
        "iter_12.pth", "iter_4.pth", "iter_8.pth"]  # fmt: skip
    assert any(p.name.startswith("best_mIoU") for p in paths)
    for path in paths:
        stored = torch.load(path, weights_only=True)
        assert {"meta", "state_dict", "message_hub"} <= set(stored)
    hub = torch.load(uninterrupted / "iter_12.pth", weights_only=True)["message_hub"]
    assert type(hub["runtime_info"]["best_score"]) is float
    assert hub["log_scalars"]["train/loss"]["values"].shape == (12,)


def test_resumed_run_equals_the_uninterrupted_one(config, uninterrupted, tmp_path):
    start = shutil.copy(uninterrupted / "iter_8.pth", tmp_path)
    tiny_run.runner(config, tmp_path, load_from=start, resume=True, **KEEP_ALL).train()
    ours, theirs = (
        torch.load(folder / "iter_12.pth", weights_only=True)
        for folder in (tmp_path, uninterrupted)
    )
    for part in ("state_dict", "optimizer", "param_schedulers"):
        same(ours[part], theirs[part])
    assert ours["meta"]["iter"] == theirs["meta"]["iter"] == 12
    ours, theirs = (c["message_hub"]["log_scalars"] for c in (ours, theirs))
    assert ours.keys() == theirs.keys()
    for name in ("train/loss", "train/decode.acc_seg", "train/lr"):
        same(ours[name], theirs[name])
        assert len(ours[name]["values"]) == 12


def same(ours, theirs):
    """The same structure with equal tensors and values."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            same(ours[key], theirs[key])
    elif isinstance(ours, list):
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs, strict=True):
            same(*pair)
    elif isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs)
    else:
        assert ours == theirs


@pytest.mark.parametrize("hook", ["ours", "none"])
def test_the_config_text_in_a_checkpoint_is_not_run(config, uninterrupted, tmp_path, hook):
    """It is with mmengine alone: the second case shows what the first is about."""
    trap = tmp_path / "executed"
    stored = torch.load(uninterrupted / "iter_8.pth", weights_only=True)
    stored["meta"]["config"] = stored["meta"]["cfg"] = f"open({str(trap)!r}, 'w')"
    torch.save(stored, tmp_path / "trap.pth")
    start = str(tmp_path / "trap.pth")
    runner = tiny_run.runner(config, tmp_path / "w", load_from=start, resume=True)
    if hook == "none":
        runner._hooks = [h for h in runner.hooks if not isinstance(h, SafeHistoryHook)]
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.load_or_resume()
    assert runner.iter == 8
    assert trap.exists() == (hook == "none")


def test_an_object_in_the_runtime_info_is_left_out_with_a_warning(config, tmp_path, capsys):
    runner = tiny_run.runner(config, tmp_path, train_cfg__max_iters=1)
    runner.message_hub.update_info("odd", object())
    runner.message_hub.update_info("even", np.arange(3))
    runner.train()
    info = torch.load(tmp_path / "iter_1.pth", weights_only=True)["message_hub"]["runtime_info"]
    assert "odd" not in info
    assert "runtime_info.odd is a object" in capsys.readouterr().out
    assert info["even"].tolist() == [0, 1, 2]


def test_all_parts_of_a_checkpoint_are_made_plain():
    checkpoint = {
        "meta": {"dataset_meta": ConfigDict(palette=np.ones((2, 3)))},
        "state_dict": {},
        "optimizer": {"lr": np.float64(0.1)},
        "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
    }
    SafeHistoryHook().before_save_checkpoint(None, checkpoint)
    assert type(checkpoint["meta"]["dataset_meta"]) is dict
    assert torch.equal(checkpoint["meta"]["dataset_meta"]["palette"], torch.ones(2, 3).double())
    assert type(checkpoint["optimizer"]["lr"]) is float


@pytest.mark.parametrize(
    ("value", "kind"),
    [(np.float64(1.5), float), (np.int64(2), int), (np.bool_(True), bool), (np.str_("a"), str),
     (np.ones(2), torch.Tensor), (ConfigDict(a=1), dict), (Counter("aab"), Counter),
     (torch.Size([1]), torch.Size), ((np.float32(1),), tuple)],
)  # fmt: skip
def test_plain_changes_the_type_and_keeps_the_value(value, kind):
    made = plain(value, "x")
    assert type(made) is kind
    assert np.all(np.asarray(made) == np.asarray(value))


def test_plain_names_the_place_of_what_cannot_be_stored():
    with pytest.raises(TypeError, match=r"optimizer\.groups\[1\]\.odd is a set; allowed are"):
        plain({"groups": [{}, {"odd": {1}}]}, "optimizer")
