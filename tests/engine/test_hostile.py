"""Files and specs made to run code: none does, by any way in that reads them."""

import builtins
import io
import json
import os
import pickle
import subprocess
import zipfile

import pytest
import tiny_run
import torch
from mmengine.runner import CheckpointLoader
from safetensors.torch import save_file

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.block_files import load_block
from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.engine import launch
from nonlocal_zoo.engine.config import ConfigError
from nonlocal_zoo.engine.loading import UNSAFE, load_plain
from nonlocal_zoo.experiments.conversion import convert_file
from nonlocal_zoo.seal import seal
from nonlocal_zoo.weight_files import read_weights

pytestmark = pytest.mark.mm

CALLS = {
    "os.system": lambda trap: (os.system, (f"touch {trap}",)),
    "exec": lambda trap: (builtins.exec, (f"open({str(trap)!r}, 'w')",)),
    "eval": lambda trap: (builtins.eval, (f"open({str(trap)!r}, 'w')",)),
    "open": lambda trap: (open, (str(trap), "w")),
    "check_output": lambda trap: (subprocess.check_output, (["touch", str(trap)],)),
    "Popen": lambda trap: (subprocess.Popen, (["touch", str(trap)],)),
}
PLACES = ("weights", "meta", "message_hub", "optimizer", "top")
LAYOUTS = ("zip", "sealed", "old", "pickle")


class Call:
    """Pickled as a call of ``function``, which unpickling then makes."""

    def __init__(self, function, args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Trusting(pickle.Unpickler):
    """Reads what torch.save wrote as files were read for years: it makes each call."""

    def persistent_load(self, key):
        return torch.UntypedStorage(8)


def checkpoint(place, bomb):
    made = {"meta": {"iter": 8, "epoch": 0, "seed": 0}, "message_hub": {}, "optimizer": {},
            "state_dict": {"a": torch.ones(2)}}  # fmt: skip
    if place == "top":
        return bomb
    made["state_dict" if place == "weights" else place]["b"] = bomb
    return made


def write(path, layout, value):
    if layout == "pickle":
        path.write_bytes(pickle.dumps(value))
        return
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=layout != "old")
    path.write_bytes(seal(file.getvalue()) if layout == "sealed" else file.getvalue())


def read_everywhere(path):
    """All of our ways to read a file of weights; each may refuse it."""
    ways = [load_plain, CheckpointLoader.load_checkpoint, read_weights,
            lambda p: convert_file(p, p + ".out.pth", [])]  # fmt: skip
    for way in ways:
        try:
            way(str(path))
        except (ValueError, FileExistsError):  # ConfigError is one
            continue


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("call", CALLS)
def test_pickles(tmp_path, place, layout, call):
    trap, path = tmp_path / "executed", tmp_path / "hostile.pth"
    write(path, layout, checkpoint(place, Call(*CALLS[call](trap))))
    read_everywhere(path)
    assert not trap.exists()


def test_the_trap_works(tmp_path):
    """Without our reader it goes off: the tests above would see it."""
    for call in ("exec", "open", "os.system", "check_output"):
        trap = tmp_path / call
        path = tmp_path / "hostile.pth"
        write(path, "zip", checkpoint("meta", Call(*CALLS[call](trap))))
        with zipfile.ZipFile(path) as archive:
            stream = archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))
        with pytest.raises(Exception):  # noqa: B017  (the storage of its tensor is not one)
            Trusting(io.BytesIO(stream)).load()
            raise ValueError
        assert trap.exists()


def test_the_environment_cannot_switch_it_off(tmp_path, monkeypatch):
    monkeypatch.setenv(UNSAFE, "1")
    trap, path = tmp_path / "executed", tmp_path / "hostile.pth"
    write(path, "zip", checkpoint("meta", Call(*CALLS["open"](trap))))
    with pytest.raises(ConfigError, match="unset it"):
        load_plain(str(path))
    with pytest.raises(ConfigError, match="could run code"):
        CheckpointLoader.load_checkpoint(str(path))
    assert not trap.exists()


TEXTS = (
    "open({trap!r}, 'w')",
    "__import__('os').system('touch ' + {trap!r})",
    "_base_ = [open({trap!r}, 'w').name]",
    "custom_imports = dict(imports=['this'])\nexec(\"open({trap!r}, 'w')\")",
    "x = '{{{{fileDirname}}}}'\nopen({trap!r}, 'w')",
)


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """The checkpoint of a run of four iterations."""
    folder = tmp_path_factory.mktemp("trained")
    tiny_run.runner(config, folder, train_cfg__max_iters=4).train()
    return folder / "iter_4.pth"


@pytest.mark.parametrize("text", TEXTS)
def test_configs_in_a_checkpoint(config, trained, tmp_path, text):
    """mmengine's Runner would run ``meta.config``."""
    trap = tmp_path / "executed"
    stored = torch.load(trained, weights_only=True)
    code = text.format(trap=str(trap))
    stored["meta"].update(config=code, cfg=code)
    write(tmp_path / "b.pth", "sealed", stored)
    launch.train([str(config), "--resume", str(tmp_path / "b.pth"), "--work-dir",
                  str(tmp_path / "b"), "--cfg-options", "train_cfg.max_iters=5",
                  f"experiment_name={tmp_path.name}"])  # fmt: skip
    assert (tmp_path / "b/iter_5.pth").exists() and not trap.exists()


NAMES = ("subprocess.check_output", "os.system", "builtins.exec", "builtins.eval", "__import__",
         "nonlocal_zoo.affinities.base.Affinity", "torch.hub.load", "mmengine.Config.fromfile",
         "../relu_dot", "relu_dot\0", "mmseg.FCNHead", "__class__")  # fmt: skip


def hostile_specs(trap):
    """Every field that names something, with every such name, with arguments and without."""
    for name in NAMES:
        for part in (name, {"type": name}, {"type": name, "args": ["touch", str(trap)]}):
            yield {"affinity": part}
            yield {"affinity": {"type": "mixture", "kernels": [part]}}
            yield {"graph_filter": part}
            yield {"gate": part}
            yield {"norm": part}
        yield {"name": name}
        yield {"init": name}
        yield {"activation": name}
        yield {"embedding": name}


def test_specs(tmp_path):
    trap, count = tmp_path / "executed", 0
    for spec in hostile_specs(trap):
        count += 1
        named = next(name for name in NAMES if repr(name)[1:-1] in str(spec))
        with pytest.raises(LookupError, match=r"is not known\..*Allowed") as error:
            build_block(**{"in_channels": 8, **spec})
        assert repr(named)[1:-1] in str(error.value)
    assert count > 200 and not trap.exists()


def test_specs_in_files(tmp_path):
    trap, path = tmp_path / "executed", tmp_path / "b.safetensors"
    weights = build_block("snl", 8).state_dict()
    for spec in hostile_specs(trap):
        save_file(weights, path, {"block": json.dumps({"in_channels": 8, **spec})})
        with pytest.raises(LookupError, match="is not known"):
            load_block(path)
    assert not trap.exists()


def test_valid_specs_build_blocks_and_nothing_else():
    assert all(type(build_block(name, 8)) is NonLocalBlock for name in list_blocks())
