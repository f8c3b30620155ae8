"""The stand-in for mmcv._ext. What changes sys.modules runs in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from nonlocal_zoo.adapters.mm import ops

LOAD = f"import runpy, sys; ops = runpy.run_path({ops.__file__!r}); sys.path.insert(0, '.');"


def python(code, folder, *flags):
    command = [sys.executable, *flags, "-c", code]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True)


def fake_mmcv(folder: Path, ext: str | None):
    (folder / "mmcv").mkdir()
    (folder / "mmcv/__init__.py").touch()
    if ext is not None:
        (folder / "mmcv/_ext.py").write_text(ext)


def test_a_missing_op_raises_when_called_and_says_what_to_install():
    op = ops.StandIn("mmcv._ext").nms
    with pytest.raises(ops.MissingOpError) as error:
        op(1, iou_threshold=0.5)
    for text in ("'nms'", "mmcv==2.1.0", "MMCV_WITH_OPS=1", "--no-build-isolation", "<81"):
        assert text in str(error.value)


def test_an_op_that_is_set_is_used():
    stand_in = ops.StandIn("mmcv._ext")
    stand_in.nms = lambda: "kept"
    assert stand_in.nms() == "kept"


def test_python_does_not_take_it_for_a_package():
    assert not hasattr(ops.StandIn("mmcv._ext"), "__path__")


def test_mmseg_and_mmdet_import_and_mmengine_knows_the_ops_are_missing(tmp_path):
    code = """
stand_in = ops["install"]()
assert ops["install"]() is stand_in is sys.modules["mmcv._ext"]
from mmseg.models import *
import mmdet.models
from mmcv.ops import nms
from mmengine.model.utils import mmcv_full_available
assert not mmcv_full_available()
import torch
try:
    nms(torch.rand(3, 4), torch.rand(3), 0.5)
except ops["MissingOpError"] as error:
    print("raised", error)
"""
    done = python(LOAD + code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "raised the op 'nms'" in done.stdout


def test_a_compiled_module_is_left_alone(tmp_path):
    fake_mmcv(tmp_path, "nms = 'compiled'")
    done = python(LOAD + "print(ops['install']().nms, sys.modules['mmcv._ext'].nms)", tmp_path)
    assert done.stdout.split() == ["compiled", "compiled"], done.stderr


def test_a_broken_compiled_module_is_not_covered_up(tmp_path):
    fake_mmcv(tmp_path, "raise ImportError('undefined symbol')")
    done = python(LOAD + "ops['install']()", tmp_path)
    assert done.returncode != 0
    assert "undefined symbol" in done.stderr


def test_without_mmcv_nothing_is_put_in_its_place(tmp_path):
    done = python(LOAD + "ops['install']()", tmp_path, "-S")  # no site-packages
    assert done.returncode != 0
    assert "ModuleNotFoundError: No module named 'mmcv'" in done.stderr
