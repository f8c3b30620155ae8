"""The stand-in for mmcv._ext. What changes sys.modules runs in a process of its own."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mmcv")
from nonlocal_zoo.adapters.mm.ops import stand_in as ops
from nonlocal_zoo.doctor import found_versions, stacks

pytestmark = pytest.mark.mm
# The package of the stand-in without its neighbours, which install it.
LOAD = f"""
import sys, types, nonlocal_zoo.adapters
mm = sys.modules["nonlocal_zoo.adapters.mm"] = types.ModuleType("nonlocal_zoo.adapters.mm")
mm.__path__ = [{str(Path(ops.__file__).parents[1])!r}]
from nonlocal_zoo.adapters.mm.ops import stand_in as ops
sys.path.insert(0, ".")
"""
compiled = importlib.util.find_spec("mmcv._ext") is not None and not isinstance(
    sys.modules.get("mmcv._ext"), ops.StandIn
)
without_compiled = pytest.mark.skipif(compiled, reason="a compiled mmcv is installed")


def python(code, folder):
    command = [sys.executable, "-c", LOAD + code]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True)


def fake_mmcv(folder: Path, ext: str | None):
    (folder / "mmcv").mkdir()
    (folder / "mmcv/__init__.py").touch()
    if ext is not None:
        (folder / "mmcv/_ext.py").write_text(ext)


def test_a_missing_op_raises_when_called_and_says_what_to_install():
    op = ops.StandIn("mmcv._ext").carafe_forward
    with pytest.raises(ops.MissingOpError) as error:
        op(1, iou_threshold=0.5)
    version = "onedl-mmcv==2.3.6" if "onedl" in stacks(found_versions()) else " mmcv==2.1.0"
    for text in ("'carafe_forward'", version, "MMCV_WITH_OPS=1", "<81"):
        assert text in str(error.value)


def test_an_op_that_is_set_is_used():
    stand_in = ops.StandIn("mmcv._ext")
    stand_in.nms = lambda: "kept"
    assert stand_in.nms() == "kept"


def test_python_does_not_take_it_for_a_package():
    assert not hasattr(ops.StandIn("mmcv._ext"), "__path__")


@without_compiled
def test_mmseg_and_mmdet_import_and_mmengine_knows_the_ops_are_missing(tmp_path):
    code = """
stand_in = ops.install()
assert ops.install() is stand_in is sys.modules["mmcv._ext"]
from mmseg.models import *
import mmdet.models
from mmcv.ops import nms, nms_match
from mmengine.model.utils import mmcv_full_available
from nonlocal_zoo.doctor import found_versions, stacks
if mmcv_full_available():  # onedl-mmengine takes the stand-in for it, and then imports these
    assert "onedl" in stacks(found_versions())
    from mmcv.ops import DeformConv2d, ModulatedDeformConv2d, SyncBatchNorm
import torch
boxes = torch.tensor([[0., 0, 8, 8], [0, 0, 8, 7], [8, 8, 9, 9]])
print("kept", nms(boxes, torch.tensor([0.5, 0.4, 0.9]), 0.5)[1].tolist())
try:
    nms_match(torch.rand(3, 5), 0.5)
except ops.MissingOpError as error:
    print("raised", error)
"""
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "kept [2, 0]" in done.stdout
    assert "raised the op 'nms_match'" in done.stdout


def test_a_compiled_module_is_left_alone(tmp_path):
    fake_mmcv(tmp_path, "nms = 'compiled'")
    done = python("print(ops.install().nms, sys.modules['mmcv._ext'].nms)", tmp_path)
    assert done.stdout.split() == ["compiled", "compiled"], done.stderr


def test_a_broken_compiled_module_is_not_covered_up(tmp_path):
    fake_mmcv(tmp_path, "raise ImportError('undefined symbol')")
    done = python("ops.install()", tmp_path)
    assert done.returncode != 0
    assert "undefined symbol" in done.stderr


def test_without_mmcv_nothing_is_put_in_its_place(tmp_path):
    done = python("sys.path[:] = []; ops.install()", tmp_path)
    assert done.returncode != 0
    assert "ModuleNotFoundError: No module named 'mmcv'" in done.stderr
