import importlib.util
import subprocess
import sys

import pytest
import torch

from nonlocal_zoo import build_block, from_reference
from nonlocal_zoo.blocks.cost import block_cost
from nonlocal_zoo.doctor import found_versions, stacks

cnn = pytest.importorskip("mmcv.cnn")


def test_concatenation_cannot_be_trained():
    """mmcv 2.1.0, NonLocal2d(mode="concatenation")
    | the output of a ReLU is divided in place, and backward raises
    | nl_concat gives the same output and has the gradient
    """
    args = dict(in_channels=8, mode="concatenation", zeros_init=False)
    theirs = cnn.NonLocal2d(**args).double()
    ours = from_reference("NonLocal2d", args, theirs.state_dict())
    x = torch.randn(1, 8, 3, 4).double().requires_grad_()
    y = theirs(x)
    torch.testing.assert_close(ours(x), y)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    ours(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_half_precision():
    """mmcv 2.1.0, NonLocal2d(mode="gaussian"), 512 channels, float16 autocast
    | not finite for features of standard deviation 30: logits overflow
    | logits, degrees and log-sum-exps are kept in float32
    """
    args = dict(in_channels=512, mode="gaussian")
    theirs = cnn.NonLocal2d(**args)
    ours = from_reference("NonLocal2d", args, theirs.state_dict())
    x = 30 * torch.randn(1, 512, 8, 8)
    with torch.autocast("cpu", dtype=torch.float16), torch.no_grad():
        assert not theirs(x).isfinite().all()
        assert ours(x).isfinite().all()


def test_flop_counter():
    """mmcv 2.1.0, get_model_complexity_info
    | does not see torch.matmul: the products with the affinity of a non-local block cost nothing
    | block_cost counts by torch's own counter
    """
    block, nodes = cnn.NonLocal2d(8), 100
    counted, _ = cnn.get_model_complexity_info(
        block, (8, 10, 10), print_per_layer_stat=False, as_strings=False
    )
    convolutions, affinity = 4 * nodes * 8 * 4, 2 * nodes**2 * 4
    assert counted < convolutions * 1.25
    assert block_cost(block, (1, 8, 10, 10)).multiply_adds == convolutions + affinity


def test_missing_operators():
    """mmcv-lite 2.1.0
    | mmseg and mmdet import its compiled operators unguarded, and cannot be imported
    | nonlocal_zoo.adapters.mm puts a stand-in there; an operator that is called says what to
    install
    """
    if getattr(importlib.util.find_spec("mmcv._ext"), "loader", None):  # the stand-in has none
        pytest.skip("a full mmcv is installed")
    # onedl-mmsegmentation guards these imports; onedl-mmdetection does not.
    package = "mmdet" if "onedl" in stacks(found_versions()) else "mmseg"
    bare = imports(package, "")
    assert bare.returncode == 1 and "No module named 'mmcv._ext'" in bare.stderr
    assert imports(package, "import nonlocal_zoo.adapters.mm").returncode == 0


def imports(package, first):
    code = f"{first}\nimport {package}.models"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_zero_start_is_undone():
    """mmcv 2.1.0, ContextBlock as a plugin
    | the backbone's init_weights draws its last convolution anew, which started at zero
    | blocks have an init_weights of their own, which hosts call
    """
    from mmengine.model import BaseModule

    class Host(BaseModule):
        def __init__(self):
            super().__init__(init_cfg=dict(type="Kaiming", layer="Conv2d"))
            self.theirs = cnn.ContextBlock(8, ratio=0.5)
            self.ours = build_block("gc", 8, reduction=2)

    host, x = Host(), torch.randn(1, 8, 3, 3)
    assert torch.equal(host.theirs(x), x) and torch.equal(host.ours(x), x)
    host.init_weights()
    assert not torch.equal(host.theirs(x), x)
    assert torch.equal(host.ours(x), x)
