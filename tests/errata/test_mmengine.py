import os

import pytest
import torch

from nonlocal_zoo.registry import BLOCKS, UnknownNameError
from nonlocal_zoo.weight_files import read_weights

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


def test_loading_runs_what_a_file_says(tmp_path, monkeypatch):
    """mmengine 0.10.7, CheckpointLoader
    | says nothing to torch.load: torch before 2.6, or TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD, lets a file
      call any function
    | load_from_disk says weights_only=True in the call
    """
    from mmengine.runner.checkpoint import load_from_local

    class Call:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "it ran"),)

    torch.save(Call(), tmp_path / "epoch_1.pth")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    load_from_local(str(tmp_path / "epoch_1.pth"), "cpu")
    assert (tmp_path / "it ran").exists()


def test_weights_of_another_network_are_loaded(tmp_path):
    """mmengine 0.10.7, load_checkpoint, which tests and fine-tuning use
    | tensors that are missing or have another shape are logged and left as they were
    | check_weights refuses such a checkpoint, in tools/test.py
    """
    from mmengine.runner.checkpoint import load_checkpoint

    path = str(tmp_path / "epoch_1.pth")
    torch.save({"state_dict": torch.nn.Linear(3, 3).state_dict()}, path)
    model = torch.nn.Linear(2, 2)
    before = model.weight.detach().clone()
    load_checkpoint(model, path)
    assert torch.equal(model.weight, before)


def test_an_option_that_nobody_reads(tmp_path):
    """mmengine 0.10.7, Config.merge_from_dict, behind --cfg-options
    | a key that leads nowhere is added, and nobody reads it
    | check_option refuses it, and names the near ones
    """
    from mmengine.config import Config

    config = Config(dict(model=dict(channels=64)))
    config.merge_from_dict({"modle.channels": 32})
    assert config.model.channels == 64 and config.modle.channels == 32


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
