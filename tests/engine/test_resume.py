"""A resumed run equals the uninterrupted one, with everything in it that draws random numbers."""

import json
import random
import shutil

import numpy as np
import pytest
import tiny_run
import torch
from mmengine.config import Config

from nonlocal_zoo.engine.config import ConfigError
from nonlocal_zoo.engine.curves import read_scalars
from nonlocal_zoo.engine.launch import fit
from nonlocal_zoo.engine.resume import random_state, set_random_state
from nonlocal_zoo.testing.compare import same_tensors

pytestmark = pytest.mark.mm

RANDOM = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomResize", scale=(40, 40), ratio_range=(0.8, 1.5), keep_ratio=True),
    dict(type="RandomCrop", crop_size=(32, 32)),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="PackSegInputs"),
]


def drawing(config, folder, workers, **options):
    """The tiny config with dropout, a block, random pictures; its seed is drawn too."""
    made = Config.fromfile(config)
    head = dict(type="NonLocalHead", dropout_ratio=0.3, block=dict(name="snl", zero_init=False))
    loader = dict(num_workers=workers, persistent_workers=workers > 0)
    made.merge_from_dict(dict(model=dict(decode_head=head), train_dataloader=loader,
                              val_dataloader=loader, randomness=dict(seed=None)))  # fmt: skip
    made.model.decode_head.pop("num_convs")
    made.train_dataloader.dataset.pipeline = RANDOM
    tiny_run.runner.count += 1
    made.merge_from_dict(
        {"work_dir": str(folder), "launcher": "none",
         "experiment_name": f"resume{tiny_run.runner.count}",
         "default_hooks.checkpoint.max_keep_ckpts": -1, "train_cfg.val_interval": 2, **options}
    )  # fmt: skip
    return made


def stored(folder, iteration=12):
    return torch.load(folder / f"iter_{iteration}.pth", weights_only=True)


def tensors(part):
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, torch.Tensor):
        return [part]
    return [t for item in part for t in tensors(item)] if isinstance(part, list | tuple) else []


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_bit_for_bit(config, tmp_path, workers):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    fit(drawing(config, whole, workers))
    resumed.mkdir()
    start = shutil.copy(whole / "iter_4.pth", resumed)
    torch.manual_seed(99), np.random.seed(99), random.seed(99)  # as another process would have
    fit(drawing(config, resumed, workers, load_from=str(start), resume=True))
    theirs, ours = stored(whole), stored(resumed)
    for part in ("state_dict", "optimizer", "random", "param_schedulers"):
        same_tensors(tensors(ours[part]), tensors(theirs[part]), part)
        assert len(tensors(theirs[part])) or part == "param_schedulers"
    assert ours["random"]["python"] == theirs["random"]["python"]
    losses = [c["message_hub"]["log_scalars"]["train/loss"]["values"] for c in (ours, theirs)]
    assert torch.equal(*losses) and len(losses[0]) == 12
    early = stored(whole, 4)["random"]["torch"]
    assert not torch.equal(early, theirs["random"]["torch"]), "nothing was drawn"


def test_another_seed_is_refused(config, tmp_path):
    fit(drawing(config, tmp_path, 0, **{"train_cfg.max_iters": 4}))
    again = dict(load_from=str(tmp_path / "iter_4.pth"), resume=True)
    seed = stored(tmp_path, 4)["meta"]["seed"]
    with pytest.raises(ConfigError, match=rf"randomness.seed={seed + 1}: .* run with {seed};"):
        fit(drawing(config, tmp_path, 0, **again, **{"randomness.seed": seed + 1}))


def test_a_validation_that_was_due_is_run_once(config, tmp_path):
    """The checkpoint of iteration 4 is older than the validation there; so is that of the last."""
    options = {"train_cfg.max_iters": 6, "train_cfg.val_interval": 4,
               "default_hooks.checkpoint.save_best": "mIoU"}  # fmt: skip
    fit(drawing(config, tmp_path, 0, **options))
    validated = [r["step"] for r in read_scalars(tmp_path) if "lr" not in r]
    before = [r for r in read_scalars(tmp_path) if "lr" not in r]
    assert validated == [4, 6]
    for iteration in (4, 6):
        again = dict(load_from=str(tmp_path / f"iter_{iteration}.pth"), resume=True)
        runner = fit(drawing(config, tmp_path, 0, **options, **again))
        scores = [r for r in read_scalars(tmp_path) if "lr" not in r]
        drop = {"time", "data_time"}
        assert [{k: v for k, v in r.items() if k not in drop} for r in scores] == [
            {k: v for k, v in r.items() if k not in drop} for r in before
        ], json.dumps(scores)
        assert len(list(tmp_path.glob("best_*.pth"))) == 1
        assert runner.iter == 6


def test_validation_takes_no_random_numbers_from_training(config, tmp_path):
    """With loaders that have workers it would: the first time that they are started."""
    often = dict.fromkeys(["randomness.seed"], 3)
    fit(drawing(config, tmp_path / "a", 1, **often, **{"train_cfg.val_interval": 3}))
    fit(drawing(config, tmp_path / "b", 1, **often, **{"train_cfg.val_interval": 12}))
    same_tensors(*(list(stored(tmp_path / n)["state_dict"].values()) for n in "ab"), "weights")


def test_states_are_plain_and_exact(tmp_path):
    torch.save(random_state(), tmp_path / "state.pth")
    drawn = random.random(), np.random.rand(), np.random.randn(), torch.rand(3)
    set_random_state(torch.load(tmp_path / "state.pth", weights_only=True))
    again = random.random(), np.random.rand(), np.random.randn(), torch.rand(3)
    assert drawn[:3] == again[:3] and torch.equal(drawn[3], again[3])


def test_the_same_seed_gives_the_same_bits_after_100_iterations(config, tmp_path):
    """Random pictures from a worker, dropout, a block; on one thread, validated on the way."""
    options = {"train_cfg.max_iters": 100, "train_cfg.val_interval": 50, "randomness.seed": 5,
               "default_hooks.checkpoint.interval": 50}  # fmt: skip
    for name in "ab":
        torch.manual_seed(ord(name))
        fit(drawing(config, tmp_path / name, 1, **options))
    first, second = (stored(tmp_path / name, 100) for name in "ab")
    for part in ("state_dict", "optimizer", "random"):
        same_tensors(tensors(first[part]), tensors(second[part]), part)
    halfway = tensors(stored(tmp_path / "a", 50)["optimizer"])
    assert not any(map(torch.equal, halfway, tensors(first["optimizer"]))), "nothing is learnt"
