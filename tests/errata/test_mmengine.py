import os

import pytest
import torch

from nonlocal_zoo.experiments.weight_files import read_weights
from nonlocal_zoo.registry import BLOCKS, UnknownNameError

pytest.importorskip("mmengine")


def test_cannot_load_its_own_checkpoints(tmp_path):
    """mmengine 0.10.7 with torch >= 2.6
    | pickles HistoryBuffers into checkpoints, which torch.load refuses: a run cannot be resumed
    | SafeHistoryHook writes plain tensors; the converter reads old files and makes no such object
    """
    from mmengine.logging import HistoryBuffer
    from mmengine.runner.checkpoint import load_checkpoint, save_checkpoint

    model, path = torch.nn.Linear(2, 2), str(tmp_path / "epoch_1.pth")
    history = HistoryBuffer([1.0], [1])
    save_checkpoint({"state_dict": model.state_dict(), "message_hub": {"loss": history}}, path)
    with pytest.raises(Exception, match="Weights only load failed"):
        load_checkpoint(model, path)
    weights, _ = read_weights(path)
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())


def test_a_config_calls_any_function():
    """mmengine 0.10.7, Registry.build
    | a type that is not registered is imported and called: dict(type="os.getcwd"), or worse
    | our registries build what is registered in them, and name the near ones
    """
    from mmengine.registry import MODELS

    assert MODELS.build(dict(type="os.getcwd")) == os.getcwd()
    with pytest.raises(UnknownNameError, match=r"block='os\.getcwd' is not known"):
        BLOCKS.build(dict(type="os.getcwd"))


def test_a_dict_cannot_replace_none(tmp_path):
    """mmengine 0.10.7, Config
    | a base that says block=None cannot be inherited from by a child that says block=dict(...)
    | base configs leave such keys out, and the class has the default
    """
    from mmengine.config import Config

    (tmp_path / "base.py").write_text("model = dict(block=None)\n")
    child = tmp_path / "child.py"
    child.write_text("_base_ = './base.py'\nmodel = dict(block=dict(name='snl'))\n")
    with pytest.raises(TypeError, match="cannot inherit from base"):
        Config.fromfile(child)
    (tmp_path / "base.py").write_text("model = dict()\n")
    assert Config.fromfile(child).model.block.name == "snl"
